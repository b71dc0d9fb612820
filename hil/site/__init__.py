"""What cabinets share: connection, load, weather, PV, generator set, transfer switch."""
