"""The answer of `firebreak ask` against a simulation of the job."""
