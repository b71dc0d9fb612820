"""`python -m hil trials windows`: metering intervals of months, with restarts and clock errors."""
