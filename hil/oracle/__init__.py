"""What each stage must do, transcribed from the design, never read from the shipped table."""
