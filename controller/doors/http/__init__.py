"""HTTP: metrics, an interface for programs and a page."""
