"""The simulated cabinet: cells, racks, PCS, contactors, relays, gas and meters. It knows nothing of
protocols.
"""
