"""The console on a serial line, which runs as a separate process. It reads keys, and sends only the
changes of a screen of 24 lines of ASCII.
"""
