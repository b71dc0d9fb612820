"""Control functions, one per file."""
