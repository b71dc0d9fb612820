"""The console on a serial line: keys in, 24 lines of plain ASCII out, only what changed; a process
of its own.
"""
