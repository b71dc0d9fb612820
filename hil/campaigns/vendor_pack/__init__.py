"""`python -m hil vendor-pack` plays the tests of a GPU vendor's battery guide."""
