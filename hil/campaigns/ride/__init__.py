"""Sags of voltage and frequency by the ride-through curves of five codes."""
