"""Serial lines and CAN buses, in virtual and in real time."""
