"""Site devices: all but the battery, such as PV, generator set, chiller, fan, heater, clock."""
