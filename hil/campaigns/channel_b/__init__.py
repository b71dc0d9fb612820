"""Channel B in the rig: its firmware on an emulated Cortex-M3, or the same program as a process."""
