"""Control functions: each a pure step over integers, its state in one preallocated array."""
