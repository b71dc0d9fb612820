"""Decides the set-point of each unit from the process image, with integers only."""
