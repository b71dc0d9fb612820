"""Plays sags of voltage and frequency from the ride-through curves of five grid codes."""
