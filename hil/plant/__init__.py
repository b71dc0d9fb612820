"""The simulated cabinet, without any protocol: cells, racks, PCS, contactors, relays, gas."""
