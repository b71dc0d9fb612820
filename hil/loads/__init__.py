"""Loads of the simulated site: files, synthetic, steps."""
