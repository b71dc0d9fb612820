"""For every rule of the siting audit: a site with a given value, one where it does not apply, one
lacking a fact.
"""

from typing import NamedTuple

from siting_sites import ROOM, TESTED


class Case(NamedTuple):
    """said(value): changes of the base site; elsewhere: changes with which the rule is not
    applicable.

    missing: further changes that take the fact away; None where it cannot be missing. step: the
    smallest that counts.
    """

    number: object
    said: object
    elsewhere: tuple
    missing: dict | None = None
    step: float = 0.001


def exposure(kind, distance_m, **facts):
    """A line to the right of unit b; of a lot line both units are inside."""
    x = 11.5 + distance_m
    inside = {"inside_m": [5.0, 5.0]} if kind == "lot_line" else {}
    return {"exposure": {"e": {"kind": kind, "line_m": [[x, 0.0], [x, 10.0]], **inside, **facts}}}


def building(distance_m, **facts):
    """The same as a house."""
    x = 11.5 + distance_m
    outline_m = [[x, 0], [x + 8, 0], [x + 8, 10], [x, 10]]
    return {"exposure": {"house": {"kind": "building", "outline_m": outline_m, **facts}}}


def model(**facts):
    """Facts of the model both units are of."""
    return {"model": {"m": facts}}


def spaced(distance_m):
    """Unit b so far from unit a."""
    return {"unit": {"b": {"model": "m", "center_m": [6.0 + distance_m, 5.0]}}}


def from_wall(distance_m):
    """Unit a so far from the left wall."""
    return {"unit": {"a": {"center_m": [0.5 + distance_m, 5.0]}}}


def room(**facts):
    """Indoors."""
    return {"place": "indoors", "area": {"room": {**ROOM, **facts}}}


def mode(name, **more):
    """Another mode; its place follows from it."""
    return {"mode": name, "place": None, **more}


def roof(**facts):
    """On a roof."""
    return {**mode("rooftop"), "area": {"room": {**ROOM, **facts}}}


def garage(location, **facts):
    """A dwelling with both units in one place."""
    return {**mode("dwelling"), "area": {"room": {**ROOM, "location": location, **facts}}}


def fence(distance_m, **facts):
    """Mobile, with a fence on the right of unit b."""
    x = 11.5 + distance_m
    return {
        **mode("mobile"),
        "deployed_days": 9,
        "charging_location": False,
        "fence": {"outline_m": [[0, 0], [x, 0], [x, 10], [0, 10]], "gate_locked": True, **facts},
    }


def local(name, **facts):
    """A local profile in force."""
    return {"local": [name], **({name: facts} if facts else {})}


FIELD = ()
NEAR = exposure("lot_line", 20.0)
UNSAID = {"absent": []}
LARGE = model(energy_kWh=100, **TESTED)
IFC = {"edition": "ifc_2018"}
NEWEST = {"edition": "nfpa855_2026"}
DWELLING = mode("dwelling")
WALL = {"wall_fire_rating_h": 2, "wall_noncombustible": True, "wall_without_openings": True}
FAR_B = {"unit": {"b": {"center_m": [45.0, 5.0]}}}


def at(kind, number, *base, elsewhere=FIELD):
    """Case of a distance to a kind of exposure."""
    return Case(
        number,
        lambda value: (*base, exposure(kind, value)),
        elsewhere,
        {"exposure": None, **UNSAID},
    )


NUMBERS = {
    "B4": Case(50, lambda v: (NEAR, model(energy_kWh=v)), FIELD),
    "B5a": Case(0.914, lambda v: (NEAR, spaced(v)), (NEAR, {"unit": {"b": None}})),
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
    "A96a": Case(
        97,
        lambda v: (NEAR, LARGE, model(ul_9540a_wall_rise_K=v)),
        (NEAR,),
        model(ul_9540a_wall_rise_K=None),
    ),
    "A96b": Case(
        1300,
        lambda v: (NEAR, LARGE, model(ul_9540a_egress_heat_flux_W_per_m2=v)),
        (NEAR,),
        model(ul_9540a_egress_heat_flux_W_per_m2=None),
    ),
    "B11": Case(
        600, lambda v: (NEAR, model(energy_kWh=v / 2)), (NEAR, model(technology="lead_acid"))
    ),
    "B13": Case(
        600,
        lambda v: (
            NEAR,
            model(energy_kWh=300),
            {
                "model": {
                    "n": {
                        "size_m": [1, 1],
                        "height_m": 2,
                        "technology": "lead_acid",
                        "energy_kWh": v - 300,
                    }
                },
                "unit": {"b": {"model": "n"}},
            },
        ),
        (NEAR,),
    ),
    "B14": Case(
        22.86,
        lambda v: (room(floor_above_vehicle_access_m=v),),
        FIELD,
        {"area": {"room": {"floor_above_vehicle_access_m": None}}},
    ),
    "B15": Case(
        9.144,
        lambda v: (room(floor_below_exit_discharge_m=v),),
        FIELD,
        {"area": {"room": {"floor_below_exit_discharge_m": None}}},
    ),
    "B25": Case(
        2, lambda v: (room(fire_rating_h=v),), FIELD, {"area": {"room": {"fire_rating_h": None}}}
    ),
    "B17": at("lot_line", 1.524, IFC, elsewhere=(NEAR,)),
    "B18": at("public_way", 3.048, elsewhere=(room(),)),
    "B19": Case(0.914, lambda v: (building(v, **WALL),), (building(2.0),)),
    "B20": at("egress", 3.048),
    "B21": Case(
        0.914,
        lambda v: (model(container="combustible", rack_to_container_wall_m=v),),
        (model(container="noncombustible"),),
        model(rack_to_container_wall_m=None),
    ),
    "B23a": Case(16.154, lambda v: (FAR_B, model(walk_in=True, size_m=[2.0, v])), FIELD),
    "B23b": Case(2.438, lambda v: (FAR_B, model(walk_in=True, size_m=[v, 9.0])), FIELD),
    "B23c": Case(2.896, lambda v: (model(walk_in=True, height_m=v),), FIELD),
    "B24": at("vegetation", 3.048),
    "B26a": Case(1.524, lambda v: (roof(), from_wall(v), model(height_m=1.0)), FIELD),
    "B26b": Case(
        1.524,
        lambda v: (roof(class_a_beyond_m=v),),
        FIELD,
        {"area": {"room": {"class_a_beyond_m": None}}},
    ),
    "B26c": at("building", 3.048, roof()),
    "B27a": at("hazmat", 3.048, mode("open_garage"), elsewhere=(NEAR,)),
    "B27b": at("air_intake", 15.24, mode("open_garage"), elsewhere=(NEAR,)),
    "B28a": Case(1.524, lambda v: (fence(v),), FIELD, {"fence": None}),
    "B28c": at("combustibles", 3.048, fence(1.6), elsewhere=(NEAR,)),
    "B28d": Case(
        15.3,
        lambda v: (fence(1.6), building(v, occupant_load=30)),
        (fence(1.6), building(9, occupant_load=29)),
        {"exposure": {"house": {"occupant_load": None, "outline_m": [[20, 0], [21, 0], [21, 1]]}}},
    ),
    "B31": Case(20, lambda v: (DWELLING, model(energy_kWh=v)), FIELD),
    "B32a": Case(80, lambda v: (garage("garage"), model(energy_kWh=v / 2)), (garage("other"),)),
    "B32b": Case(40, lambda v: (garage("other"), model(energy_kWh=v / 2)), (garage("garage"),)),
    "B33": Case(0.914, lambda v: (DWELLING, spaced(v)), (DWELLING, {"unit": {"b": None}})),
    "B34": at("opening", 0.914, DWELLING, elsewhere=(garage("garage"),)),
    "B35a": at("opening", 0.914, DWELLING, local("la_r3")),
    "B35b": at("main_panel", 0.914, DWELLING, local("la_r3")),
    "B35c": at("disconnect", 0.914, DWELLING, local("la_r3")),
    "B35d": Case(
        1.524,
        lambda v: (DWELLING, local("la_r3", clear_each_side_m=v)),
        (DWELLING,),
        {"la_r3": None},
    ),
    "B35e": Case(
        0.914, lambda v: (DWELLING, local("la_r3", path_width_m=v)), (DWELLING,), {"la_r3": None}
    ),
    "B36a": Case(3.048, lambda v: (local("san_diego"), spaced(v)), (spaced(2.0),)),
    "B36b": at("lot_line", 30.5, local("san_diego")),
}


def of_high_roof(**facts):
    """A roof above the height of row B14."""
    return roof(floor_above_vehicle_access_m=30, **facts)


# said(value) of facts: True or a text meets the rule, False (where a file can say it) does not.
FACTS = {
    "B7a": Case(
        None,
        lambda v: (NEAR, model(energy_kWh=100, ul_9540a_report=v)),
        (NEAR,),
        model(ul_9540a_report=None),
    ),
    "B7b": Case(
        None,
        lambda v: (NEAR, LARGE, model(ul_9540a_edition=v)),
        (NEAR,),
        model(ul_9540a_edition=None),
    ),
    "B8": Case(
        None,
        lambda v: (NEWEST, NEAR, LARGE, model(large_scale_fire_test=v)),
        (NEAR, LARGE),
        model(large_scale_fire_test=None),
    ),
    "B9": Case(
        None,
        lambda v: (NEAR, spaced(0.5), model(energy_kWh=51, ul_9540a_report=v)),
        (NEAR, spaced(0.914), model(energy_kWh=51)),
        model(ul_9540a_report=None),
    ),
    "A96c": Case(
        True,
        lambda v: (NEAR, LARGE, model(ul_9540a_no_flaming_outside=v)),
        (NEAR,),
        model(ul_9540a_no_flaming_outside=None),
    ),
    "A96d": Case(
        True,
        lambda v: (NEAR, LARGE, model(ul_9540a_no_explosion=v)),
        (NEAR,),
        model(ul_9540a_no_explosion=None),
    ),
    "A96e": Case(
        True,
        lambda v: (NEAR, LARGE, model(ul_9540a_neighbours_below_vent=v)),
        (NEAR,),
        model(ul_9540a_neighbours_below_vent=None),
    ),
    "B12": Case(
        None,
        lambda v: (NEAR, LARGE, model(energy_kWh=301), {"hazard_mitigation_analysis": v}),
        (NEAR, LARGE),
        {"hazard_mitigation_analysis": None},
    ),
    "A66": Case(
        None,
        lambda v: (NEAR, model(technology="other"), {"hazard_mitigation_analysis": v}),
        (NEAR,),
        {"hazard_mitigation_analysis": None},
    ),
    "B16a": Case(
        True,
        lambda v: (of_high_roof(roof_noncombustible=v),),
        (roof(),),
        {"area": {"room": {"roof_noncombustible": None}}},
    ),
    "B16b": Case(
        True,
        lambda v: (of_high_roof(fire_operations_clear=v),),
        (roof(),),
        {"area": {"room": {"fire_operations_clear": None}}},
    ),
    "B16c": Case(
        None,
        lambda v: (of_high_roof(approved_by=v),),
        (roof(),),
        {"area": {"room": {"approved_by": None}}},
    ),
    "B23d": Case(
        True,
        lambda v: (model(walk_in=True, entry_for_maintenance_only=v),),
        FIELD,
        model(entry_for_maintenance_only=None),
    ),
    "B28b": Case(
        True, lambda v: (fence(1.6, gate_locked=v),), FIELD, {"fence": {"gate_locked": None}}
    ),
    "B2": Case(
        True,
        lambda v: (DWELLING, model(energy_kWh=1, residential_listing=v)),
        (DWELLING, model(energy_kWh=0.999)),
        model(residential_listing=None),
    ),
    "B36c": Case(
        None, lambda v: (local("san_diego"), {"plume_model": v}), FIELD, {"plume_model": None}
    ),
    "A9a": Case(
        None, lambda v: (model(ul_9540_listing=v),), (DWELLING,), model(ul_9540_listing=None)
    ),
    "A9b": Case(
        None, lambda v: (model(ul_1973_listing=v),), (DWELLING,), model(ul_1973_listing=None)
    ),
}


def listed(key, words, elsewhere):
    """Case of a list of words: True says all of them, False all but the first that counts."""
    return Case(True, lambda v: ({key: words if v else words[1:]},), elsewhere, {key: None})


FACTS |= {
    "A49": listed("signs_say", ["energized", "technology"], (DWELLING,)),
    "A50": listed("signs_say", ["hazards", "suppression", "contact"], (IFC,)),
    "A77": listed(
        "permit_file",
        ["listings", "esms", "signs", "suppression", "smoke_detection", "ventilation", "racks"],
        (DWELLING,),
    ),
}
# said(value) with which a scope rule applies, and does not.
SCOPES = {
    "B1": (lambda v: (model(energy_kWh=v / 2),), 20.001, 20, None),
    "B3": (
        lambda v: (model(**v),),
        {"energy_kWh": None, "rated_voltage_V": 400, "rated_capacity_Ah": 100},
        {},
        None,
    ),
    "B10": (lambda v: (exposure("building", v),), 30.5, 30.501, {"exposure": None, **UNSAID}),
    "B22": (lambda v: (model(walk_in=v),), True, False, model(walk_in=None)),
    "B29": (lambda v: (fence(1.6), {"deployed_days": v}), 30.001, 30, {"deployed_days": None}),
    "B30": (
        lambda v: (fence(1.6), {"charging_location": v}),
        True,
        False,
        {"charging_location": None},
    ),
    "B37": (lambda v: (local("ny_tiers"), model(energy_kWh=v / 2)), 600.001, 600, None),
    "B38a": (lambda v: (local("nyc_fdny"), model(energy_kWh=v / 2)), 70, 69.999, None),
    "B38b": (lambda v: (local("nyc_fdny"), model(energy_kWh=v / 2)), 500.001, 500, None),
}
