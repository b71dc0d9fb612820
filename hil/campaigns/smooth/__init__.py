"""Measures how smooth load tracking makes the grid, beside other ways to follow a load."""
