"""Doors: what leaves the cabinet over a network, and what comes in as a hint."""
