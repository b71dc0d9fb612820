"""`python -m hil outage`: the load through outages of the grid, and islands until empty."""
