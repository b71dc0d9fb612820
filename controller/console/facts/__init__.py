"""What the pages say, as plain data: from the journal of a running controller, in units that stand in the names."""
