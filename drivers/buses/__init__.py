"""Modbus RTU framing and schedule, serial ports and CAN ports: bytes and time in, bytes out."""
