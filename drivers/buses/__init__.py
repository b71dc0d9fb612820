"""Modbus RTU frames and their schedule, serial ports, Modbus TCP connections and CAN ports."""
