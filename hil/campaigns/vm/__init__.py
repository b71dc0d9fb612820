"""Tries the installation on an emulated box: Debian with systemd and a real-time kernel."""
