"""`python -m hil trials nuisance`: the rate of trips on a sound cabinet."""
