"""Bad hints that a real controller must refuse."""
