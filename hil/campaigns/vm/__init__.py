"""The installation tried on an emulated box: Debian with systemd and a real-time kernel."""
