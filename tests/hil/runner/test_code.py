"""The code tokens of a text by function: comments, docstrings and layout do not count."""

import pytest

from hil.runner import code

PORT = '''"""One."""
A = 1
if A:
    B = f"{A} {{"
    C = 2


@cached
def send(text=A):
    """Two."""
    return text


class Port:
    D = 4

    @property
    def open(self):
        def inner():
            return 5

        return inner()
'''
CHANGED = {
    ('"""One."""', '"""Three."""'): set(),
    ('"""Two."""', '"""Three."""'): set(),
    ("A = 1", "A  =  1  # why\n\n"): set(),
    ("A = 1", "A = 2"): {""},
    ('f"{A} {{"', 'f"{A}  {{"'): {""},
    ("    C = 2", "C = 2"): {""},  # out of its block
    ("@cached", "@kept"): {""},
    ("text=A", "text=3"): {"send"},
    ("D = 4", "D = 5"): {""},
    ("return 5", "return 6"): {"Port.open"},
    ("@property", "@kept"): {""},
    ("def open", "def shut"): {"", "Port.open", "Port.shut"},
    ("def send", "def sent"): {"send", "sent"},
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_change_is_in_the_function_that_holds_it(change):
    assert PORT.count(change[0]) == 1
    before, after = code.units(PORT), code.units(PORT.replace(*change))
    differing = {name for name in before | after if before.get(name) != after.get(name)}
    assert differing == CHANGED[change]


def test_the_functions_have_all_code_tokens_of_a_text():
    units = code.units(PORT)
    names = [token for token in units[""] if token.startswith("def ")]
    assert names == ["def Port.open"]
    every = [token for tokens in units.values() for token in tokens if token not in names]
    assert sorted(every) == sorted(code.code(PORT))
