"""Serial lines and CAN buses, virtual and real."""
