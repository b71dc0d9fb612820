"""Judges a recording of a load's power by the rules of grid operators. It judges the load alone,
and the load together with its battery.
"""
