"""Modbus TCP with SunSpec models."""
