"""Simulated devices, written from the documents of their protocols, without code of the drivers."""
