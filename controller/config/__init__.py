"""Reads TOML files into checked configurations and their integer images."""
