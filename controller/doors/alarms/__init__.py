"""Sends alarms by mail, or to a webhook."""
