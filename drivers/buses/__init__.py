"""Modbus RTU frames and schedule, serial ports, CAN ports: they take bytes and time, give bytes."""
