"""Refused siting files: one line with file, key, problem and allowed values; exit code 2."""

import pytest
from siting_cases import exposure, mode, model, site_cases
from siting_sites import content, toml

from controller import __main__ as firebreak
from controller.forms.refusal import ConfigError
from controller.siting import reading
from tests.tables import cases

LOT = exposure("lot_line", 9, line_m=[[-4, 15], [26, 15], [26, 0]])
SPUR = exposure("lot_line", 9, line_m=[[0, 15], [8, 15], [8, 7], [9, 7], [9, 15], [26, 15]])
BOX = {"kind": "lot_line", "outline_m": [[50, 50], [70, 50], [70, 70], [50, 70]]}
CUT = {"kind": "lot_line", "outline_m": [[0, 0], [11, 0], [11, 9], [0, 9]]}
OUTSIDE = "lies outside or across exposure.e; allowed inside the lot line"
SIDE = "a point inside the lot, or outline_m with the whole lot"
ON_LINE = f"exposure.e.inside_m: lies on the lot line, or on its straight extension; allowed {SIDE}"
GARAGE, MOBILE = mode("open_garage"), mode("mobile")
FLOORS = ("floor_above_vehicle_access_m", "floor_below_exit_discharge_m")
HALL = {"area.hall.outline_m": [[1, 1], [19, 1], [19, 19], [1, 19]]}
NEXT_HALL = {"area.hall.outline_m": [[19.9, 0], [30, 0], [30, 20], [19.9, 20]]}
WALL = {"line_m": [[0, 0], [1, 1]], "height_m": 3}
RATED = {"energy_kWh": None, "rated_voltage_V": 1000, "rated_capacity_Ah": 2001}
NO_MOBILE = {"deployed_days": None, "charging_location": None}


def loaded(folder, text):
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return reading.load(str(path))


def refused(folder, text):
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text)
    line, path = str(caught.value), f"{folder / 'site.toml'}:"
    assert line.startswith(path) and "\n" not in line
    return line.removeprefix(path).strip()


@site_cases(r"""changes words
    [{"editon": "x"}]  editon: is not a known key; nearest key "edition"  # keys and values
    [{"zzzz": 1}]  zzzz: is not a known key; allowed schema, name, edition
    [{"edition": "nfpa855_2021"}]  edition: "nfpa855_2021" is not allowed; allowed ifc_2018
    [{"edition": None}]  edition: is missing; allowed ifc_2018
    [{"schema": 2}]  schema: 2 is not allowed; allowed 1
    [{"schema": None}]  schema: is missing
    [{"name": ""}]  name: "" is not allowed; allowed a text of 1..60 printable characters
    [{"name": "a\nb"}]  name: "a\nb" is not allowed
    [{"name": "a" * 61}]  "name: "
    [{"name": 5}]  name: 5
    [{"absent": ["egres"]}]  absent: "egres" is not allowed; allowed a list from lot_line
    [{"absent": ["egress", "egress"]}]  "absent: "
    [{"absent": "egress"}]  absent: "egress" is not allowed
    [model(technology="lithium")]  model.m.technology: "lithium" is not allowed
    [model(walk_in="yes")]  model.m.walk_in: "yes" is not allowed; allowed true, false
    [model(energy_kWh="40")]  model.m.energy_kWh: "40" is not allowed; allowed a number 0.0
    [model(energy_kWh=0)]  model.m.energy_kWh: 0 is not allowed
    [model(energy_kWh=-5)]  model.m.energy_kWh: -5
    [model(size_m=[1, 0])]  model.m.size_m: [1, 0] is not allowed; allowed [length, width]
    [{"unit.a.center_m": [1]}]  unit.a.center_m: [1] is not allowed; allowed [x, y], each -
    [{"unit.a.center_m": [1, float("nan")]}]  unit.a.center_m: [1, NaN] is not allowed
    [{"unit.a.center_m": [1, 1e300]}]  unit.a.center_m: [1, 1e+300] is not allowed
    [{"unit.a.center_m": [1, True]}]  unit.a.center_m: [1, true] is not allowed
    [{"unit.a.rotation_deg": float("inf")}]  unit.a.rotation_deg: Infinity is not allowed
    [{"unit.a.center": [1, 1]}]  unit.a.center: is not a known key; nearest key "center_m"
    [{"absent": ["building"]}, building(9)]  absent: "building" is not allowed: exposure.ho
    [{"place": None}]  place: is missing with mode "stationary"; allowed indoors, outdoors
    [MOBILE, {"place": "outdoors"}]  place: is not set here: mode "mobile" decides it
    [DWELLING, {"edition": "ifc_2018"}]  edition: "ifc_2018" has no rules here for mode "dw
    [GARAGE, {"edition": "ifc_2018"}]  "edition: "
    [{"deployed_days": 3}]  deployed_days: is not set here: the mode is "stationary"
    [roof(), {FLOORS[0]: 3}]  f'{FLOORS[0]}: is not set here: the mode is "rooftop"; allowed [ar'
    [GARAGE, {FLOORS[0]: 2001}]  f"{FLOORS[0]}: 2001 is not"
    [{"dedicated_building": True}]  dedicated_building: is not set here: the place is not
    [fence(2), NO_MOBILE, {"mode": "stationary", "place": "outdoors"}]  fence: is not set here
    [{"la_r3.path_width_m": 1}]  la_r3: is not set here: local does not name it
    [local("la_r3", path_width_cm=1)]  la_r3.path_width_cm: is not a known key; nearest key
    [garage(None)]  area.room.location: is missing with mode "dwelling"; allowed utility_cl
    [room(), {"place": "outdoors"}]  area: is not set here: the units are in no room
    [{"unit.a": None, "unit.b": None}]  unit: is missing; allowed at least one [unit.NAME]
    [{"unit.a.model": "mm"}]  unit.a.model: "mm" is not allowed; allowed m; nearest key "m"
    [{"unit.a.group": "b"}]  unit.a.group: has the name of unit.b
    [{"unit.fence.model": "m", "unit.fence.center_m": [50, 50]}]  unit.fence: has the name of
    [{"exposure.a": {"kind": "egress", "point_m": [9, 9]}}]  exposure.a: has the name of unit.a
    [model(energy_kWh=2000.1)]  model.m.energy_kWh: 2000.1 is not allowed: 2000.1 kWh in 2
    [model(**RATED)]  model.m.rated_capacity_Ah: 2001 is not allowed: 2001 kWh in 2 m3; all
    [model(energy_kWh=None)]  model.m.energy_kWh: is missing; allowed energy_kWh, or rated_
    [model(energy_kWh=None, rated_voltage_V=400)]  model.m.energy_kWh: is missing
    [model(rated_voltage_V=400)]  model.m.energy_kWh: is given in two ways
    [spaced(-0.001)]  unit.b: overlaps unit.a; allowed units that touch at most
    [spaced(-1.0)]  unit.b: overlaps unit.a
    [room(outline_m=[[0, 0], [9, 0]])]  area.room.outline_m: has 2 points; allowed at least
    [room(outline_m=[[0, 0], [20, 20], [20, 0], [0, 20]])]  area.room.outline_m: crosses or
        touches itself: [0, 0] to [20, 20] and
    [room(outline_m=[[0, 0], [20, 0], [20, 20], [0, 0]])]  area.room.outline_m: has the point
        [0, 0] twice
    [room(outline_m=[0, 0])]  area.room.outline_m: [0, 0] is not allowed; allowed 3..200 po
    [room(outline_m=[[0, 0], [8, 0], [8, 20], [0, 20]])]  unit.b: lies in no area; allowed
        inside one [area.NAME]
    [room(outline_m=[[0, 0], [11, 0], [11, 20], [0, 20]])]  unit.b: lies across the edge of
        area.room
    [room(), HALL]  unit.a: lies in room and hall; allowed areas that do not overlap
    [room(), NEXT_HALL]  area.hall: overlaps area.room; allowed areas that touch at most
    [roof(), {"unit.a.center_m": [50, 50]}]  unit.a: lies in no area
    [building(-4.0)]  unit.b: lies in or across exposure.house, a building
    [building(-0.2)]  unit.b: lies in or across exposure.house, a building
    [{"exposure.e": CUT}]  f"unit.b: {OUTSIDE}"  # lot lines
    [SPUR, {"unit.b.center_m": [8.5, 16.0]}]  f"unit.b: {OUTSIDE}"
    [LOT, {"exposure.e.inside_m": [60, 6]}]  f"unit.a: {OUTSIDE}"
    [LOT, {"exposure.e.inside_m": None}]  f"exposure.e.inside_m: is missing; allowed {SIDE}"
    [exposure("lot_line", 9, line_m=[[0, 0], [20, 0], [20, 20], [0, 20], [0, 5]])] |
        exposure.e.line_m: meets itself when both ends are extended straight; allowed outline
    [exposure("egress", 9, inside_m=[1, 1])]  exposure.e.inside_m: is not set here; allowed a lot
    [{"exposure.e": {"kind": "lot_line", "point_m": [30, 5]}}]  exposure.e.point_m: is not
        a line; allowed line_m with inside_m, or outline_m
    [exposure("building", 9, line_m=[[-9, -9], [29, -9], [29, 29], [-9, -9]])] |
        exposure.e.line_m: ends where it begins; allowed an open line; outline_m for a closed
    [{"exposure.e": {"kind": "egress"}}]  exposure.e: has no place; allowed one of point_m
    [exposure("egress", 9, point_m=[1, 1])]  exposure.e: has point_m and line_m
    [exposure("egress", 9, line_m=[[1, 1]])]  exposure.e.line_m: [[1, 1]] is not allowed;
        allowed 2..200 points
    [exposure("egress", 9, line_m=[[1, 1]] * 2)]  exposure.e.line_m: has a point twice in a row
    [exposure("lot_line", 9, wall_fire_rating_h=2)]  exposure.e.wall_fire_rating_h: is not set
        here: the kind is "lot_line"
    [exposure("hazmat", 9, occupant_load=2)]  exposure.e.occupant_load: is not set here
    [exposure("egres", 9)]  exposure.e.kind: "egres" is not allowed
    [{"barrier.w": WALL}]  barrier.w.fire_rating_h: is missing
    [{"barrier.w": {**WALL, "line_m": [[0, 0], [1, 1], [2, 0]]}}]  barrier.w.line_m: [[0, 0],
        [1, 1], [2, 0]] is not allowed; allowed 2 points
    *[([place, {key: 3}],
        f'{key}: is not set here: the mode is "{place.get("mode", "stationary")}"')
        for key in FLOORS
        for place in (room(), roof(), MOBILE)]
    *[([LOT, {"unit.b.center_m": center_m}], f"unit.b: {OUTSIDE}")
        for center_m in
        ([60.0, 6.0], [15.5, 40.0], [25.501, 6.0], [11.0, 15.0], [60.0, -90.0], [-90.0, 40.0],
        [25.6, -90.0], [90_000, 90_000])]
    *[([p, {"exposure.e": BOX}], f"unit.a: {OUTSIDE}") for p in (GARAGE, DWELLING, roof(), room())]
    *[([LOT, {"exposure.e.inside_m": inside_m}], ON_LINE)
        for inside_m in ([0, 15], [26, -50], [-90_000, 15])]
""")
def test_a_refusal_is_one_line(tmp_path, changes, words):
    assert refused(tmp_path, toml(content(*changes))).startswith(words)


GOOD = toml(content())
UNITLESS = toml({key: value for key, value in content().items() if key != "unit"})


@site_cases(r"""text words
    ""  schema: is missing
    "schema = "  is not TOML: Invalid value
    GOOD + "[unit.a]\n"  is not TOML: Cannot declare ('unit', 'a') twice
    "x = " + "[" * 5000  is not usable TOML: nested too deeply
    "x = " + "9" * 5000  is not usable TOML: a number is too long
    GOOD + '[unit."K\u00f6ln"]\n'  unit: "K\u00f6ln" is not allowed as a name; allowed a name
    GOOD + '[unit."a b"]\n'  unit: "a b" is not allowed as a name
    GOOD + f"[unit.{'a' * 21}]\n"  "unit: "
    '"\\n" = 1\n' + GOOD  "\n": is not a known key
    "unit = 1\n" + UNITLESS  unit: is not a table of tables; allowed [unit.NAME]
    UNITLESS + '[unit]\nmodel = "m"\n'  unit: is not a table of tables
    "fence = 1\n" + toml(content(MOBILE))  fence: is not a table; allowed [fence]
    GOOD + "".join([f"[unit.u{index}]\n" for index in range(401)])  unit: has 403 entries;
        allowed at most 400
""")
def test_a_file_of_another_form_is_refused(tmp_path, text, words):
    assert refused(tmp_path, text).startswith(words)


@pytest.mark.parametrize(
    "changes",
    [
        # units inside an open lot line
        *[
            [lot, {"unit.b.center_m": center_m}]
            for lot, center_m in (
                (LOT, [25.5, 6.0]),
                (LOT, [11.0, 14.5]),
                (LOT, [25.5, -90_000]),
                (LOT, [-90_000, -90_000]),
                (SPUR, [14.0, 14.0]),
                (SPUR, [8.5, 6.5]),
            )
        ],
        # a straight lot line in any direction does not meet itself
        *[
            [exposure("lot_line", 9, line_m=line_m)]
            for line_m in (
                [[0, 0], [9.976, 0.691]],
                [[40, -70], [47.978, -63.971]],
                [[4000, -7000], [4029.601, -6995.121]],
            )
        ],
        # the longest name, most energy, most units, most distant unit
        [{"name": "a" * 60}],
        [model(energy_kWh=2000)],
        [
            {"unit": None},
            {f"unit.u{at}": {"model": "m", "center_m": [at * 2, 0]} for at in range(400)},
        ],
        [{"unit.b.center_m": [90_000, -90_000]}],
    ],
)
def test_a_correct_file_is_read(tmp_path, changes):
    wanted = content(*changes)
    found = loaded(tmp_path, toml(wanted))
    corner = [at - 0.5 for at in list(wanted["unit"].values())[-1]["center_m"]]
    assert found.units[-1].shape.points[0] == pytest.approx(tuple(corner))
    assert len(found.units) == len(wanted["unit"]) and found.facts["name"] == wanted["name"]


@cases(r"""name  words
    "nowhere.toml"  "No such file or directory"
    "."  "Is a directory"
    "latin.toml"  "is not TOML: byte "
    "s\u00e4tt.toml"  'edition: "'""")
def test_the_command_prints_one_line_and_ends_with_2(tmp_path, capsys, name, words):
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe4"')
    (tmp_path / "s\u00e4tt.toml").write_text(toml(content({"edition": "\u96fb"})), encoding="utf-8")
    assert firebreak.main(["siting", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and words in err and err.count("\n") == 1 and err.isascii()
    assert err.startswith(f"firebreak: {tmp_path}")
