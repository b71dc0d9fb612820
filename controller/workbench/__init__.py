"""Brings up a bus or the profile of a device."""
