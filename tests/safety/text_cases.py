"""Cases of a test as a text: "first second | 1 2 | 2 2" are two cases of two parameters."""

import re
import sys

import pytest


def cases(text):
    """Names, then cases. A word: an expression of the test's module, or a name that it lacks."""
    names, *rows = [part.split() for part in re.split(r"[|\n]", text) if part.strip()]
    scope = sys._getframe(1).f_globals
    return pytest.mark.parametrize(names, [[_value(word, scope) for word in row] for row in rows])


def _value(word, scope):
    is_itself = re.fullmatch(r"[a-z]\w+", word) and word not in scope
    return word if is_itself else eval(word, scope)
