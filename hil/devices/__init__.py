"""Simulated devices, written from the protocol documents without any code of the drivers."""
