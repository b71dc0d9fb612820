"""Benchmarks. Each compares figures with a budget of the design and with a rival program."""
