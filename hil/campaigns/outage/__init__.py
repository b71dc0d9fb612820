"""`python -m hil trials outage`: the load through outages of the grid, and islands until empty."""
