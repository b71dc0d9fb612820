"""Simulated devices, written from the protocol documents by other means than the drivers."""
