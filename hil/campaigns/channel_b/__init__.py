"""Tests channel B: its firmware on an emulated Cortex-M3, or its program as a process."""
