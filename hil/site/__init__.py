"""The shared parts of cabinets: connection, load, weather, PV, generator set, and more."""
