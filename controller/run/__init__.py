"""The real-time process: loop, cabinet, field devices, operator commands."""
