"""`python -m hil trials windows` judges metering intervals under restarts and clock errors."""
