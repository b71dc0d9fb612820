"""Channel B on a microcontroller: the loop, and one board file per microcontroller."""
