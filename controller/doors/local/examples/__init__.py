"""Senders of hints to copy. Each is a whole program, not a module."""
