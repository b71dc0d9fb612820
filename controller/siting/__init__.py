"""The siting audit checks the plan of a site against rules for spacing, size and height."""
