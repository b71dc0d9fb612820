"""Loads of the simulated site: recorded, synthetic, stepped."""
