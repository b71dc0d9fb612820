"""Alarms by mail and webhook."""
