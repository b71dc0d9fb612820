"""`python -m hil nuisance`: the rate of trips on a sound cabinet."""
