"""The console on a serial line, a separate process. Keys go in, and changes of 24 lines of ASCII
come out.
"""
