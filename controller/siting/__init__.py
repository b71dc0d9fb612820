"""The siting audit checks a plan against the rules of Table B (spacing, size, height)."""
