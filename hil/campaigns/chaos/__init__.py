"""`python -m hil chaos`: one disturbance after the other beside a real controller, and what of it
reached the wires.
"""
