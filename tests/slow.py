"""Parameters of a test that run in `./flash.sh test --all` only."""

import pytest


def slow(*values):
    """Each value as a slow parameter; a tuple is the values of one call."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow)
        for value in values
    ]
