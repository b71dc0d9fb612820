"""`python -m hil vendor-pack`: what a GPU vendor's battery guide asks and this rig can answer."""
