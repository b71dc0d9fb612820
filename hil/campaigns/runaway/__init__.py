"""Lead times of the rows before a thermal runaway, and false alarms."""
