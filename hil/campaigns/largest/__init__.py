"""The largest site that operators' rules allow, by path delay, with and without a buffer."""
