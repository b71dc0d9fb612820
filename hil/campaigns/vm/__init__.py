"""The installation tried on an emulated box: a Debian with systemd and a real-time kernel in
QEMU.
"""
