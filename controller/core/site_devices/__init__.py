"""Site devices: PV, generator set, load shedding, chiller, clock; everything but the battery."""
