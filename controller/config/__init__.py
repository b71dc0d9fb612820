"""Reads the TOML files of a cabinet and its devices, checks them, and makes the arrays of integers
(images) on which the controller runs.
"""
