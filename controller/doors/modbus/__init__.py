"""The Modbus door: shows the cabinet as SunSpec models over Modbus TCP."""
