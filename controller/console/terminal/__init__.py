"""The console on a serial line, which runs as a separate process. It reads the keys of a person. It
draws pages on a screen of 24 lines, and sends only what has changed on the screen.
"""
