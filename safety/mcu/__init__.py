"""Channel B on a microcontroller: its loop, and one file per board."""
