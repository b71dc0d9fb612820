"""Sags of voltage and frequency, drawn from the ride-through curves of five grid codes."""
