"""Drivers for the devices of a cabinet: buses, profiles (data) and families (code)."""
