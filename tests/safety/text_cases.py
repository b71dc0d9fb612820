"""Cases of a test as a text: "first second | 1 2 | 2 2" are two cases of two parameters."""

import re
import sys

import pytest


def cases(text):
    """Parametrize by a text: names first, then the cases, parted by a bar or a line.

    A word is an expression without spaces of the test's module, or itself where it is a lower-case
    name that is not there.
    """
    names, *rows = [part.split() for part in re.split(r"[|\n]", text) if part.strip()]
    scope = sys._getframe(1).f_globals
    return pytest.mark.parametrize(names, [[_value(word, scope) for word in row] for row in rows])


def _value(word, scope):
    is_itself = re.fullmatch(r"[a-z]\w+", word) and word not in scope
    return word if is_itself else eval(word, scope)
