"""The recorder: a process that reads the journal and keeps what must outlast the journal."""
