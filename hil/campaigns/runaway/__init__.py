"""`python -m hil runaway`: lead times of the kernel's rows before a runaway, and false alarms."""
