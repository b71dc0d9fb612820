"""TOML files to checked configurations and their integer images."""
