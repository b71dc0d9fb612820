"""Exact integers, codes, answers and the chain. Every other part of core uses them."""
