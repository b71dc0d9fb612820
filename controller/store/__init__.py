"""The store: the data that survives a loss of power, and the process that saves it."""
