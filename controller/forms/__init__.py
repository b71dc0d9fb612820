"""Forms of the TOML files that people write: the keys with their allowed values, and refusals."""
