"""Parameters of a test that `./flash.sh test` leaves out."""

import pytest


def slow(*values):
    """Each value as a parameter of `./flash.sh test --all`; a tuple is the values of one call."""
    return _marked(values, pytest.mark.slow)


def whole(*values):
    """Same as slow, but of `./flash.sh test --whole`, which CI runs too."""
    return _marked(values, pytest.mark.whole)


def _marked(values, mark):
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=mark)
        for value in values
    ]
