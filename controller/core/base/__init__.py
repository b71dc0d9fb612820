"""Exact integers, codes, answers and the chain: what every other part of core rests on."""
