"""Interfaces to whoever sends hints: processes of their own, whose death the loop never notices."""
