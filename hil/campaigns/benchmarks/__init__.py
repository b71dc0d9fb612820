"""Benchmarks: each shows a budget of the design beside its figure and its rival."""
