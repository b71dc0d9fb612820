"""The recorder is a process that reads the journal and keeps the data that must outlast it."""
