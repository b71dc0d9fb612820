"""The hardware-in-the-loop rig: simulated plant and devices, simulated or real wires."""
