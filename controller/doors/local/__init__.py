"""The local door: serves programs on this box and a serial line, in JSON lines or msgpack."""
