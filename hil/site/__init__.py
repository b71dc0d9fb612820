"""The parts of a site that cabinets share: connection, load, weather, PV, generator set, etc."""
