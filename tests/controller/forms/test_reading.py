"""A form reads a table with its defaults, or refuses it: where, what, what is allowed."""

import pytest

from controller.forms import field as f, reading
from controller.forms.refusal import ConfigError
from tests.tables import cases

POINT = {"at": f.rows((0, 9), (0, 9)), "name": f.text("")}
FORM = {
    "count": f.integer(1, 16),
    "share": f.number(0, 1, 0.5),
    "kinds": f.some_of(("pv", "ups"), None),
    "day": f.numbers(0, 24, [], (0, 2)),
    "one": f.table(POINT, {}),
    "many": f.tables(POINT, ()),
}
KINDS = {"near": {"m": f.number(0, 9)}, "far": {}}


def test_defaults_are_filled_in_also_those_of_tables_within():
    found = reading.read("x", (), {"count": 16, "many": [{"at": [[1, 2]]}]}, FORM)
    assert found == {
        **{"count": 16, "share": 0.5, "kinds": None, "day": [], "one": {"at": [], "name": ""}},
        "many": [{"at": [[1, 2]], "name": ""}],
    }


@cases(r"""changes  line
    {"count": 17}  "count: 17 is not allowed; allowed 1..16"
    {"count": 2.0}  "count: 2.0 is not allowed; allowed a whole number 1..16"
    {"share": True}  "share: true is not allowed; allowed a number 0..1"
    {"kinds": ["pw"]}  'kinds: "pw" is not allowed; allowed a list from pv, ups; nearest key "pv"'
    {"kinds": ["pv", "pv"]}  'kinds: contains "pv" twice; allowed a list from pv, ups, each once'
    {"day": [1]}  "day: [1] is not allowed; allowed a list of 0 or 2 numbers 0..24"
    {"one": 3}  "one: 3 is not allowed; allowed a table"
    {"one": {"at": [[1, 2], [1]]}}  "one.at: [1] is not allowed; allowed [0..9, 0..9]"
    {"many": [{}, {"nme": 1}]}  'many.2.nme: is not a known key; nearest key "name"'
    {"zzz": 1}  "zzz: is not a known key; allowed count, share, kinds, day, one, many"
    {"a\nb": 1}  '"a\\nb": is not a known key; allowed count, share, kinds, day, one, many'
""")
def test_a_mistake_is_one_line(changes, line):
    with pytest.raises(ConfigError) as refused:
        reading.read("x", (), {"count": 1, **changes}, FORM)
    assert str(refused.value) == f"x:{line}"


@cases("""content  line
    {}  "kind: is missing; allowed near, far"
    {"kind": "fat"}  'kind: "fat" is not allowed; allowed near, far; nearest key "far"'
    {"kind": "near"}  "m: is missing; allowed a number 0..9"
    {"kind": "far", "m": 1}  "m: is not a known key; allowed kind"
""")
def test_a_kind_decides_the_other_keys(content, line):
    with pytest.raises(ConfigError) as refused:
        reading.read_variant("x", ("load",), content, "kind", KINDS)
    assert str(refused.value) == f"x:load.{line}"
    assert reading.read_variant("x", (), {"kind": "near", "m": 1}, "kind", KINDS)["m"] == 1
