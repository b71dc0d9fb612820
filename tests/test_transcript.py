"""What a transcript accepts, and what `--approve` makes of it."""

import pytest

from tests import transcript
from tests.tables import cases

FOUND = ["1", "a 5 W", "b", "c", "! no: d"]


@cases("""
    wanted                    is_right
    "1|a 5 W|b|c|! no: d"     True
    "1|a ... W|...c|! no..."  True
    "1|...b...|! no: d"       True
    "...c|! no: d"            False  # the exit code
    "1|a 5 W..."              False  # a line on stderr
    "1|a 5 W|c|! no: d"       False
    "1|...c|b...|! no: d"     False
""")
def test_what_a_text_accepts(wanted, is_right):
    assert transcript.fits(wanted.split("|"), FOUND) == is_right


@cases("""
    wanted                   approved
    ""                       "1|a 5 W|b|c|! no: d"
    "1|a ... W|x|c|! no: d"  "1|a ... W|b|c|! no: d"
    "1|...|c|! yes"          "1|...|c|! no: d"
    "1|...b...|y|! no: d"    "1|...b...|c|! no: d"
    "2|...b...|! yes"        "1|...b...|! no: d"
    "2|...|x|c|...|! no: d"  "1|a 5 W|b|c|...|! no: d"
""")
def test_what_is_approved(wanted, approved):
    """`...` stays where nothing beside it was lost."""
    assert transcript.merged(wanted.split("|"), FOUND) == approved.split("|")


def test_a_part_is_played_and_written(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("How it is read.\n\n# One\nbegin 2\n$ say\n  1\n  ...\n  x\n\n# Two\n$ go\n")
    one, two = [each.values[0] for each in transcript.each_part(path, "a.txt").args[1]]
    begun = []
    printed = {"begin 2": None, "$ say": FOUND[:3], "$ go": []}
    do = lambda line: begun.append(line) or printed[line]  # noqa: E731
    with pytest.raises(AssertionError, match="a.txt: [$] say"):
        one.play(do)
    two.play(do)
    assert begun == ["begin 2", "$ say", "$ go"]
    monkeypatch.setattr(transcript, "approves", True)
    one.play(do)
    text = "How it is read.\n\n# One\nbegin 2\n$ say\n  1\n  a 5 W\n  b\n\n# Two\n$ go\n"
    assert path.read_text() == text
