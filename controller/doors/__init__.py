"""Doors: they send the state of the cabinet over a network, and take in hints."""
