"""Drawn courses of a fleet: pods, dispatcher and broker fail, and the connection must keep."""
