"""Modules that use the operating system: clock, real-time scheduling, paths, files."""
