"""How early the rows warn of a thermal runaway, and their false alarms."""
