"""The services of a box: units, rules and the installer; locked.py is run by the system's own
Python.
"""
