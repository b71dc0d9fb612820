"""Measurements of what the controller promises: one JSON document each, and the page made from them."""
