"""The HTTP door: metrics for Prometheus, an interface for programs, and a page for a browser."""
