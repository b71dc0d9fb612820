"""Campaigns: many courses on the rig with a verdict, and benchmarks."""
