"""Describes and checks the TOML files that people write. A form lists the keys of such a file with
the values that each key may have. A file that does not fit its form is refused in one line.
"""
