"""The services of a box: units, rules, the installer, and the loader of channel B."""
