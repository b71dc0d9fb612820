"""The audit judges a load's power, without and with its battery, by grid operators' rules."""
