"""How early the kernel's rows see a thermal runaway, and how often they see one where there is
none.
"""
