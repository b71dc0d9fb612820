"""Doors: programs that send the state of the cabinet over a network, and accept hints."""
