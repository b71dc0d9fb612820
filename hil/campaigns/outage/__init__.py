"""`python -m hil trials outage` plays outages of the grid, and islands until empty."""
