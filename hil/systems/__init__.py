"""Example systems of load, PV and battery. Each is simulated on its own site and gets figures."""
