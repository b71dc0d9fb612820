"""Judges the power of a load by the rules of grid operators: alone and with its battery."""
