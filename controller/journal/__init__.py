"""The journal is a ring file of all ticks. This package has its writer, readers and replay."""
