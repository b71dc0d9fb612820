"""Drivers for the devices of a cabinet: buses, profiles (data) and device families (code)."""
