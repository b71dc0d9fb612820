"""`python -m hil chaos`: disturbances beside a real controller, and their effect on the wires."""
