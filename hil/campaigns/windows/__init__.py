"""`python -m hil windows`: metering intervals of months, with restarts and clock errors."""
