"""Measures how early rows of the matrix warn of a runaway, and how often without a reason."""
