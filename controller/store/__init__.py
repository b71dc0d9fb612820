"""The store: all that outlives a loss of power, and the process that saves it."""
