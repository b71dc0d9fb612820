"""The journal: a ring of all ticks, with its writer, readers and replay."""
