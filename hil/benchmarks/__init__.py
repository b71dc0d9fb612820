"""Measurements that need the rig: emergency stops in real time, memory, lateness with devices, virtual speed."""
