"""The safety kernel computes integers from integers. It imports its own modules and `array`."""
