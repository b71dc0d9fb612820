"""Judges the response of a cabinet to the grid's frequency."""
