"""Siting files for tests: a base that meets every rule of its mode, and changes to it."""

import functools
import json
import os
import tempfile

from controller.siting import audit, fields, reading, rules

FOLDER = tempfile.TemporaryDirectory()
FRAME = {
    "schema": 1,
    "name": "Test",
    "edition": "nfpa855_2023_ifc_2021",
    "mode": "stationary",
    "place": "outdoors",
    "hazard_mitigation_analysis": "HMA-1",
    "signs_say": "energized technology hazards suppression contact".split(),
    "permit_file": (
        "listings esms rated_walls signs suppression smoke_detection ventilation racks".split()
    ),
}
MODEL = {
    "size_m": [1.0, 1.0],
    "height_m": 2.0,
    "technology": "lithium_ion",
    "energy_kWh": 40,
    "walk_in": False,
    "container": "none",
    "ul_9540_listing": "list. 1",
    "ul_1973_listing": "list. 2",
    "residential_listing": True,
}
TESTED = {
    "ul_9540a_report": "report 1",
    "ul_9540a_edition": "ed. 4",
    "ul_9540a_spacing_m": 0.5,
    "ul_9540a_wall_spacing_m": 0.3,
    "ul_9540a_wall_rise_K": 50,
    "ul_9540a_egress_heat_flux_W_per_m2": 900,
    "ul_9540a_no_flaming_outside": True,
    "ul_9540a_no_explosion": True,
    "ul_9540a_neighbours_below_vent": True,
    "large_scale_fire_test": "test 1",
}
ROOM = {
    "outline_m": [[0, 0], [20, 0], [20, 20], [0, 20]],
    "fire_rating_h": 2,
    "floor_above_vehicle_access_m": 0,
    "floor_below_exit_discharge_m": 0,
}


def content(*changes):
    """Two units 5 m apart, with the changes merged. Keys may be dotted. None removes a key."""
    found = {
        **FRAME,
        "model": {"m": dict(MODEL)},
        "unit": {
            "a": {"model": "m", "center_m": [5.0, 5.0]},
            "b": {"model": "m", "center_m": [11.0, 5.0]},
        },
    }
    for change in changes:
        _merge(found, change)
    if "absent" not in found:
        present = {each["kind"] for each in found.get("exposure", {}).values()}
        found["absent"] = [kind for kind in fields.KINDS if kind not in present]
    return found


def _merge(into, change):
    for dotted, value in change.items():
        *tables, key = dotted.split(".")
        table = functools.reduce(lambda at, each: at.setdefault(each, {}), tables, into)
        if value is None:
            table.pop(key, None)
        elif isinstance(value, dict):
            _merge(table.setdefault(key, {}), value)
        else:
            table[key] = value


def toml(tables, where=""):
    values = {key: each for key, each in tables.items() if not isinstance(each, dict)}
    text = f"[{where}]\n" if where and (values or not tables) else ""
    text += "".join([f"{key} = {_value(each)}\n" for key, each in values.items()])
    for key, each in tables.items():
        if key not in values:
            text += toml(each, f"{where}.{key}".lstrip("."))
    return text


def _value(value):
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


def site(*changes):
    path = os.path.join(FOLDER.name, "site.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(toml(content(*changes)))
    return reading.load(path)


def finding(identity, *changes):
    rule = next(each for each in rules.RULES if each.id == identity)
    return audit.judge(site(*changes), rule)
