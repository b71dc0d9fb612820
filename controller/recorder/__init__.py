"""The recorder: a process of its own that reads the journal and keeps what must outlast it. Nothing
here decides.
"""
