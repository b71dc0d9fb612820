"""Buses: Modbus RTU frames and their schedule, serial ports, Modbus TCP and CAN ports."""
