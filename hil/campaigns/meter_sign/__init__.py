"""How surely the coded step at a start finds a grid meter the wrong way round, and how well it
measures the path delay.
"""
