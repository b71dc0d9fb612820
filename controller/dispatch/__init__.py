"""The dispatcher: shares one grid connection among the cabinets behind it, by hints that expire."""
