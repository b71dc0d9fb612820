"""Hints from upstream: wire format, checks, keys, replies."""
