"""Cases of each siting rule: a site with a value, a site without the rule, one without a fact."""

import re
import sys
from typing import NamedTuple

import pytest
from siting_sites import ROOM, TESTED

from controller.siting import audit, fields


class Case(NamedTuple):
    """Changes of a site. given(value); off: the rule does not apply; missing: a fact is missing,
    None: impossible.
    """

    number: object
    given: object
    off: tuple = ()
    missing: dict | None = None


def rows(text, caller=1):
    """[(cell, ...)] per line, two blanks apart. A cell is an expression of names here, in the
    caller, in fields or in audit, otherwise a text. An indented line continues the line before.

    A line that begins with `*` gives several rows.
    """
    known = {**vars(fields), **vars(audit), **globals(), **sys._getframe(caller).f_globals}
    found = []
    text = text.strip().replace(" |\n" + 8 * " ", "  ").replace("\n" + 8 * " ", " ")
    for line in text.replace(" ; ", "\n").splitlines():
        cells = line.strip().split("  # ")[0]
        if cells.startswith("*"):
            found += eval(cells[1:], known)
        else:
            found.append(tuple([_value(cell.strip(), known) for cell in re.split(" {2,}", cells)]))
    return found


def site_cases(text):
    """pytest.mark.parametrize of a text: a line of names, then rows."""
    names, lines = text.split("\n", 1)
    return pytest.mark.parametrize(names.split(), rows(lines, 2))


def _value(text, known):
    try:
        return eval(text, known)
    except (SyntaxError, NameError):
        return text


def exposure(kind, distance_m, **facts):
    x = 11.5 + distance_m
    inside = {"inside_m": [5.0, 5.0]} if kind == "lot_line" else {}
    return {"exposure.e": {"kind": kind, "line_m": [[x, 0.0], [x, 10.0]], **inside, **facts}}


def building(distance_m, **facts):
    x = 11.5 + distance_m
    outline_m = [[x, 0], [x + 8, 0], [x + 8, 10], [x, 10]]
    return {"exposure.house": {"kind": "building", "outline_m": outline_m, **facts}}


def model(**facts):
    return {"model.m": facts}


def spaced(distance_m):
    return {"unit.b": {"model": "m", "center_m": [6.0 + distance_m, 5.0]}}


def from_wall(distance_m):
    return {"unit.a.center_m": [0.5 + distance_m, 5.0]}


def room(**facts):
    return {"place": "indoors", "area.room": {**ROOM, **facts}}


def mode(name):
    return {"mode": name, "place": None}


def roof(**facts):
    return {**mode("rooftop"), "area.room": {**ROOM, **facts}}


def high_roof(**facts):
    """A roof above the height of row B14."""
    return roof(floor_above_vehicle_access_m=30, **facts)


def garage(location, **facts):
    return {**mode("dwelling"), "area.room": {**ROOM, "location": location, **facts}}


def fence(distance_m, **facts):
    x = 11.5 + distance_m
    return {
        **mode("mobile"),
        "deployed_days": 9,
        "charging_location": False,
        "fence": {"outline_m": [[0, 0], [x, 0], [x, 10], [0, 10]], "gate_locked": True, **facts},
    }


def local(name, **facts):
    return {"local": [name], **({name: facts} if facts else {})}


NEAR = exposure("lot_line", 20.0)
LARGE = model(energy_kWh=100, **TESTED)
IFC = {"edition": "ifc_2018"}
NEWEST = {"edition": "nfpa855_2026"}
DWELLING = mode("dwelling")
COMBUSTIBLE, NONCOMBUSTIBLE = model(container="combustible"), model(container="noncombustible")
WALL = {"wall_fire_rating_h": 2, "wall_noncombustible": True, "wall_without_openings": True}
FAR_B = {"unit.b.center_m": [45.0, 5.0]}


def at(kind, number, *base, off=()):
    missing = {"exposure": None, "absent": []}
    return Case(number, lambda v: (*base, exposure(kind, v)), off, missing)


def of(change, key, number, *base, off=()):
    missing = {PLACE[change] + key: None}
    return Case(number, lambda v: (*base, change(**{key: v})), off, missing)


def top(key, *base, off=()):
    return Case(None, lambda v: (*base, {key: v}), off, {key: None})


def listed(key, words, *off):
    words = words.split()
    return Case(True, lambda v: ({key: words if v else words[1:]},), off, {key: None})


def lead(energy_kWh):
    facts = {"size_m": [1, 1], "height_m": 2, "technology": "lead_acid", "energy_kWh": energy_kWh}
    return {"model.n": facts, "unit.b.model": "n"}


def la_r3(key, value):
    return (DWELLING, local("la_r3", **{key: value}))


PLACE = {model: "model.m.", **dict.fromkeys((room, roof, high_roof), "area.room.")}

NUMBERS = {
    "B4": Case(50, lambda v: (NEAR, model(energy_kWh=v))),
    "B5a": Case(0.914, lambda v: (NEAR, spaced(v)), (NEAR, {"unit.b": None})),
    "B5b": Case(0.914, lambda v: (room(), from_wall(v)), (NEAR,)),
    "B6": Case(
        250,
        lambda v: (IFC, NEAR, model(prepackaged=True, energy_kWh=v)),
        (NEAR, model(prepackaged=True)),
    ),
    "B7c": Case(0.5, lambda v: (NEAR, LARGE, spaced(v)), (NEAR,), model(ul_9540a_spacing_m=None)),
    "B7d": Case(
        0.3, lambda v: (room(), LARGE, from_wall(v)), (room(),), model(ul_9540a_wall_spacing_m=None)
    ),
    "A96a": of(model, "ul_9540a_wall_rise_K", 97, NEAR, LARGE, off=(NEAR,)),
    "A96b": of(model, "ul_9540a_egress_heat_flux_W_per_m2", 1300, NEAR, LARGE, off=(NEAR,)),
    "B11": Case(
        600, lambda v: (NEAR, model(energy_kWh=v / 2)), (NEAR, model(technology="lead_acid"))
    ),
    "B13": Case(600, lambda v: (NEAR, model(energy_kWh=300), lead(v - 300)), (NEAR,)),
    "B14": of(room, "floor_above_vehicle_access_m", 22.86),
    "B15": of(room, "floor_below_exit_discharge_m", 9.144),
    "B25": of(room, "fire_rating_h", 2),
    "B17": at("lot_line", 1.524, IFC, off=(NEAR,)),
    "B18": at("public_way", 3.048, off=(room(),)),
    "B19": Case(0.914, lambda v: (building(v, **WALL),), (building(2.0),)),
    "B20": at("egress", 3.048),
    "B21": of(model, "rack_to_container_wall_m", 0.914, COMBUSTIBLE, off=(NONCOMBUSTIBLE,)),
    "B23a": Case(16.154, lambda v: (FAR_B, model(walk_in=True, size_m=[2.0, v]))),
    "B23b": Case(2.438, lambda v: (FAR_B, model(walk_in=True, size_m=[v, 9.0]))),
    "B23c": Case(2.896, lambda v: (model(walk_in=True, height_m=v),)),
    "B24": at("vegetation", 3.048),
    "B26a": Case(1.524, lambda v: (roof(), from_wall(v), model(height_m=1.0))),
    "B26b": of(roof, "class_a_beyond_m", 1.524),
    "B26c": at("building", 3.048, roof()),
    "B27a": at("hazmat", 3.048, mode("open_garage"), off=(NEAR,)),
    "B27b": at("air_intake", 15.24, mode("open_garage"), off=(NEAR,)),
    "B28a": Case(1.524, lambda v: (fence(v),), (), {"fence": None}),
    "B28c": at("combustibles", 3.048, fence(1.6), off=(NEAR,)),
    "B28d": Case(
        15.3,
        lambda v: (fence(1.6), building(v, occupant_load=30)),
        (fence(1.6), building(9, occupant_load=29)),
        {"exposure.house": {"occupant_load": None, "outline_m": [[20, 0], [21, 0], [21, 1]]}},
    ),
    "B31": Case(20, lambda v: (DWELLING, model(energy_kWh=v))),
    "B32a": Case(80, lambda v: (garage("garage"), model(energy_kWh=v / 2)), (garage("other"),)),
    "B32b": Case(40, lambda v: (garage("other"), model(energy_kWh=v / 2)), (garage("garage"),)),
    "B33": Case(0.914, lambda v: (DWELLING, spaced(v)), (DWELLING, {"unit.b": None})),
    "B34": at("opening", 0.914, DWELLING, off=(garage("garage"),)),
    "B35a": at("opening", 0.914, DWELLING, local("la_r3")),
    "B35b": at("main_panel", 0.914, DWELLING, local("la_r3")),
    "B35c": at("disconnect", 0.914, DWELLING, local("la_r3")),
    "B35d": Case(1.524, lambda v: la_r3("clear_each_side_m", v), (DWELLING,), {"la_r3": None}),
    "B35e": Case(0.914, lambda v: la_r3("path_width_m", v), (DWELLING,), {"la_r3": None}),
    "B36a": Case(3.048, lambda v: (local("san_diego"), spaced(v)), (spaced(2.0),)),
    "B36b": at("lot_line", 30.5, local("san_diego")),
}


def small(energy_kWh):
    return (DWELLING, model(energy_kWh=energy_kWh))


OVER = (NEAR, model(energy_kWh=51))
# True or a text meets the rule. False does not, if a file can have it.
FACTS = {
    "B7a": of(model, "ul_9540a_report", None, NEAR, model(energy_kWh=100), off=(NEAR,)),
    "B7b": of(model, "ul_9540a_edition", None, NEAR, LARGE, off=(NEAR,)),
    "B8": of(model, "large_scale_fire_test", None, NEWEST, NEAR, LARGE, off=(NEAR, LARGE)),
    "B9": of(model, "ul_9540a_report", None, *OVER, spaced(0.5), off=(*OVER, spaced(0.914))),
    "A96c": of(model, "ul_9540a_no_flaming_outside", True, NEAR, LARGE, off=(NEAR,)),
    "A96d": of(model, "ul_9540a_no_explosion", True, NEAR, LARGE, off=(NEAR,)),
    "A96e": of(model, "ul_9540a_neighbours_below_vent", True, NEAR, LARGE, off=(NEAR,)),
    "B12": top(
        "hazard_mitigation_analysis", *(NEAR, LARGE, model(energy_kWh=301)), off=(NEAR, LARGE)
    ),
    "A66": top("hazard_mitigation_analysis", NEAR, model(technology="other"), off=(NEAR,)),
    "B16a": of(high_roof, "roof_noncombustible", True, off=(roof(),)),
    "B16b": of(high_roof, "fire_operations_clear", True, off=(roof(),)),
    "B16c": of(high_roof, "approved_by", None, off=(roof(),)),
    "B23d": of(model, "entry_for_maintenance_only", True, model(walk_in=True)),
    "B28b": Case(True, lambda v: (fence(1.6, gate_locked=v),), (), {"fence.gate_locked": None}),
    "B2": of(model, "residential_listing", True, *small(1), off=small(0.999)),
    "B36c": top("plume_model", local("san_diego")),
    "A9a": of(model, "ul_9540_listing", None, off=(DWELLING,)),
    "A9b": of(model, "ul_1973_listing", None, off=(DWELLING,)),
    "A49": listed("signs_say", "energized technology", DWELLING),
    "A50": listed("signs_say", "hazards suppression contact", IFC),
    "A77": listed(
        "permit_file", "listings esms signs suppression smoke_detection ventilation racks", DWELLING
    ),
}
# {scope rule: (given(value), a value with which it applies, one with which it does not, missing)}
CHARGES = "charging_location"
RATED = {"energy_kWh": None, "rated_voltage_V": 400, "rated_capacity_Ah": 100}
SCOPES = {
    "B1": (lambda v: (model(energy_kWh=v / 2),), 20.001, 20, None),
    "B3": (lambda v: (model(**v),), RATED, {}, None),
    "B10": (lambda v: (exposure("building", v),), 30.5, 30.501, {"exposure": None, "absent": []}),
    "B22": (lambda v: (model(walk_in=v),), True, False, model(walk_in=None)),
    "B29": (lambda v: (fence(1.6), {"deployed_days": v}), 30.001, 30, {"deployed_days": None}),
    "B30": (lambda v: (fence(1.6), {CHARGES: v}), True, False, {CHARGES: None}),
    "B37": (lambda v: (local("ny_tiers"), model(energy_kWh=v / 2)), 600.001, 600, None),
    "B38a": (lambda v: (local("nyc_fdny"), model(energy_kWh=v / 2)), 70, 69.999, None),
    "B38b": (lambda v: (local("nyc_fdny"), model(energy_kWh=v / 2)), 500.001, 500, None),
}
