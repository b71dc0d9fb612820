"""The modules that touch the machine: clock, real-time scheduling, paths, files."""
