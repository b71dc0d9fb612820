"""Drivers of the cabinet's devices: buses, profiles (data) and families (code)."""
