"""The safety kernel: integers in, integers out; imports itself and `array` only. See README.md."""
