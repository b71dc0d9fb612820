"""Numbers and times as the pages print them: at their boundaries, and "-" for unknown."""

from controller.console.pages import text
from tests.tables import table

KILOWATT = """
None | - ; 0 | '0.0' ; 49 | '0.0' ; -49 | '0.0' ; 50 | '0.1' ; 81_500 | '81.5'
-250_000 | '-250.0' ; 1073741823 | any ; -1073741823 | any
"""
TABLES = {
    text.kilowatt: KILOWATT,
    lambda power_W: text.kilowatt(power_W, 9).lstrip(): KILOWATT,
    text.directed: """
None | - kW ; 0 | 0.0 kW ; -49 | 0.0 kW ; -3600 | charge 3.6 kW ; 81_500 | discharge 81.5 kW
""",
    text.duration: """
None | - ; 0 | 0.00 s ; 340 | 0.34 s ; 9999 | 10.00 s ; 10_000 | 10 s ; 119_999 | 119 s
120_000 | 2 min ; 7_199_999 | 119 min ; 7_200_000 | 2 h 0 min ; 172_799_999 | 47 h 59 min
172_800_000 | 2 d 0 h ; 3_549_600_000 | 41 d 2 h
""",
    text.uptime: """
0 | 00:00:00.00 ; 82_400 | 00:01:22.40 ; 86_399_990 | 23:59:59.99
86_400_000 | 1 d 00:00:00.00 ; None | before that
""",
    text.age: "None | never seen ; 40 | 40 ms old ; 9999 | 9999 ms old ; 10_000 | 10 s old",
}


def test_numbers_as_text():
    for function, rows in TABLES.items():
        wanted = dict(table(rows))
        assert {value: function(value) for value in wanted} == wanted
    assert len(text.kilowatt(50, 9)) == 9


CUT = """
missed of 70000 | 15 | missed of 70000 ; 612 missed of 70000 | 18 | 612 missed of...
612 missed of 70000 | 17 | 612 missed of... ; worst 12.625 ms | 14 | worst...
worst 12.625 ms | 12 | worst... ; '123456789012' | 10 | '...'
a name of many words | 12 | a name of... ; ab12 | 3 | ; ab | -3 |
"""


def test_a_line_is_never_cut_inside_a_number():
    for words, width, wanted in table(CUT):
        assert text.cut(words, width) == wanted, (words, width)
    lines = text.page(["x" * 100 + " "] + ["y  "] * 40)
    assert len(lines) == 23 and len(lines[0]) == 79 and lines[1] == "y"
    assert text.page(["x" * 76 + "1234", "y" * 80])[1] == "y" * 76 + "..."
    assert text.page(["word " * 15 + "70000"]) == ["word " * 14 + "word..."]
    lines = text.folded("Do", "word " * 60, 2)
    assert len(lines) == 2 and lines[0].startswith("Do     word") and lines[1].endswith(" ...")
    assert text.spread("ab", "cd", 6) == "ab  cd" and text.spread("abcdef", "gh", 6) == "abc gh"
    cut = "Cabinet 1, serial...     RUNNING"
    assert text.spread("Cabinet 1, serial 00012345", "RUNNING", 32) == cut
