"""Campaigns: many test cases on the rig with a verdict, and benchmarks."""
