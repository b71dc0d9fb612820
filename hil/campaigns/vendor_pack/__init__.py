"""`python -m hil vendor-pack`: the questions of a GPU vendor's battery guide that a rig answers."""
