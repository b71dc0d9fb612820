"""`python -m hil rows`: trips every stage of the matrix in the rig and checks effects and times."""
