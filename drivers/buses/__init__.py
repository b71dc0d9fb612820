"""Buses: Modbus RTU framing and schedule, serial and CAN ports: bytes and time in, bytes out."""
