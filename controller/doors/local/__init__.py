"""Local programs and a serial line: JSON lines and msgpack (`doors local`)."""
