"""The safety kernel: integers in, integers out. It imports itself and `array` only."""
