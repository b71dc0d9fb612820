"""The console on a serial line, a process of its own: keys in, changes of 24 lines of ASCII out."""
