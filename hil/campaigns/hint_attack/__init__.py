"""`python -m hil hint-attack`: sends bad hints to a real controller, which must refuse them all."""
