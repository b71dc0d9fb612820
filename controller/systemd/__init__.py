"""The services of a box: units, rules, the installer, and the program that loads channel B."""
