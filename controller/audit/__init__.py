"""The audit judges the power of a load, alone and with its battery, by grid operators' rules."""
