"""Forms of the TOML files that people write: the allowed values of each key, and refusals."""
