"""Runs the cases of all lab commands (`hil/campaigns`, `hil/systems`)."""
