"""Required actions of each stage, transcribed from the design, not read from the shipped table."""
