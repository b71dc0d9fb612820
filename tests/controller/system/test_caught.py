"""The last catcher: one line for an exception, and the process goes on."""

import pytest

from controller.system import caught, json_text
from tests.tables import cases


def fails(last, error):
    with last:
        raise error


@cases("""lines_max  names
    2  ["KeyError", "ValueError"] | None  ["KeyError", "KeyError", "ValueError", "TypeError"]
""")
def test_each_line_once_and_no_more_than_the_most_or_every_line(lines_max, names):
    said = []
    last = caught.Last("dropped", lines_max, said.append)
    for error in (KeyError("a"), KeyError("b"), ValueError(), TypeError()):
        fails(last, error)
        assert last.is_caught
    assert said == [f"dropped: {name}" for name in names]
    with last:
        pass
    assert not last.is_caught


def test_the_place_is_the_innermost_of_this_program():
    said = []
    with caught.Last("dropped", told=said.append):
        json_text.loads("[")
    assert said[0].startswith("dropped: JSONDecodeError at json_text.py:")


def test_a_log_that_is_gone_ends_nothing():
    def told(line):
        raise BrokenPipeError

    fails(caught.Last("dropped", told=told), KeyError("a"))


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_passes(error):
    with pytest.raises(error):
        fails(caught.Last("dropped"), error())


@cases(r"""
    text  value
    '[[1], {"a": "[[[[[["}]'  [[1], {"a": "[" * 6}] | b'{"a": "\\"["}'  {"a": '"['}
    "[" * 32 + "]" * 32  None | "[" * 33 + "]" * 33  ValueError | '{"a":' * 33  ValueError
    "nothing"  ValueError | b"\xff"  ValueError | 5  TypeError | None  TypeError
""")
def test_json_is_nested_at_most_32_deep(text, value):
    if isinstance(value, type):
        with pytest.raises(value):
            json_text.loads(text)
    else:
        assert json_text.loads(text) == value or value is None


def test_values_of_another_library_are_nested_no_deeper():
    deep = []
    for _ in range(31):
        deep = [deep]
    assert json_text.is_shallow(deep) and json_text.is_shallow({"a": (1, [2])})
    assert not json_text.is_shallow([[deep]])
