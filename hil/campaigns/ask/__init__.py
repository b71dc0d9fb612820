"""Compares the answer of `firebreak ask` with a simulation of the job."""
