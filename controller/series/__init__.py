"""Reads all time series from files: prices, weather, powers, jobs, the rows of a schedule."""
