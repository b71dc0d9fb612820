"""The siting audit checks a plan by the spacing, size and height rules of Table B of the facts."""
