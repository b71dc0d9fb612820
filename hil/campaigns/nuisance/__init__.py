"""How often a row acts although nothing is wrong."""
