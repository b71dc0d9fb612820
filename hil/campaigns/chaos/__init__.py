"""`python -m hil chaos` disturbs a real controller and judges the effect on the wires."""
