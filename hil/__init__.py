"""The hardware-in-the-loop rig: a simulated plant, simulated devices and simulated or real
wires.
"""
