"""The journal: a ring of every tick, its writer, its readers and replay."""
