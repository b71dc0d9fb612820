"""Reads a siting file into a Site, or refuses it in one line: file, key, what is wrong, what is
allowed.
"""

import difflib
import re
import tomllib

from controller.site.layers import file_text
from controller.site.refusal import ConfigError, not_allowed, refuse, shown
from controller.siting import fields as f
from controller.siting import geometry, ground, lot
from controller.siting.field_checks import check_value, frozen
from controller.siting.plan_checks import _check_plan
from controller.siting.site import Site
from controller.siting.things import Area, Barrier, Exposure, Unit

NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{f.NAME_CHARACTERS}}}")
NAME_WORDS = f"a name of A-Z, a-z, 0-9, _ and -, at most {f.NAME_CHARACTERS} characters"
# what the report calls the fence, and the fire area outside all rooms
RESERVED = ("fence", "outdoors")
FILE_BYTES_MAX = 4_000_000


def load(path):
    """The Site of a file. Raises ConfigError with the one line to show."""
    content = _parsed(path)
    top = _table(
        path,
        (),
        {key: value for key, value in content.items() if not _is_section(key)},
        f.SITE,
        (*f.TABLES, *f.SINGLE_TABLES),
    )
    tables = {
        name: _named(path, name, content.get(name, {}), keys) for name, keys in f.TABLES.items()
    }
    singles = {
        name: _single(path, name, content[name], keys)
        for name, keys in f.SINGLE_TABLES.items()
        if name in content
    }
    _check_mode(path, top, tables, singles)
    site = _built(path, top, tables, singles)
    _check_plan(path, site)
    return site


def _parsed(path):
    try:
        return tomllib.loads(file_text(path, FILE_BYTES_MAX, "a plan of one site"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"{path}: is not TOML: {str(error).splitlines()[0]}") from error


def _is_section(key):
    return key in f.TABLES or key in f.SINGLE_TABLES


def _named(path, section, content, keys):
    """{name: table} of [section.NAME]."""
    if not isinstance(content, dict) or any(
        [not isinstance(each, dict) for each in content.values()]
    ):
        refuse(path, (section,), "is not a table of tables", f"[{section}.NAME]")
    if len(content) > f.THINGS_MAX:
        refuse(path, (section,), f"has {len(content)} entries", f"at most {f.THINGS_MAX}")
    for name in content:
        if not NAME.fullmatch(name):
            refuse(path, (section,), f"{shown(name)} is not allowed as a name", NAME_WORDS)
    return {name: _table(path, (section, name), table, keys) for name, table in content.items()}


def _single(path, section, content, keys):
    if not isinstance(content, dict):
        refuse(path, (section,), "is not a table", f"[{section}]")
    return _table(path, (section,), content, keys)


def _table(path, where, content, keys, sections=()):
    """The values of one table, None for what is not said. Raises ConfigError."""
    for key in content:
        if key not in keys:
            candidates = (*keys, *sections)
            near = difflib.get_close_matches(key, candidates, 1, 0.5)
            # whatever a quoted key holds stays on one line
            word = key if NAME.fullmatch(key) else shown(key)
            refuse(
                path,
                (*where, word),
                "is not a known key",
                "" if near else ", ".join(candidates),
                candidates,
                key,
            )
    for key, field in keys.items():
        if key in content:
            check_value(path, (*where, key), content[key], field)
        elif field.is_required:
            refuse(path, (*where, key), "is missing", f.allowed_words(field))
    return {key: frozen(content.get(key)) for key in keys}


def _check_mode(path, top, tables, singles):
    """Facts that do not belong to the mode, or are missing for it."""
    mode, edition = top["mode"], top["edition"]
    if mode == f.STATIONARY and top["place"] is None:
        refuse(path, ("place",), 'is missing with mode "stationary"', ", ".join(f.PLACES))
    if mode != f.STATIONARY and top["place"] is not None:
        refuse(path, ("place",), f"is not set here: it follows from mode {shown(mode)}")
    if mode in (f.DWELLING, f.OPEN_GARAGE) and edition == f.IFC_2018:
        refuse(
            path,
            ("edition",),
            f"{shown(edition)} has no rules here for mode {shown(mode)}",
            ", ".join(f.EDITIONS[1:]),
        )
    for key in ("deployed_days", "charging_location"):
        if mode != f.MOBILE and top[key] is not None:
            refuse(path, (key,), f"is not set here: the mode is {shown(mode)}")
    for key in ("floor_above_vehicle_access_m", "floor_below_exit_discharge_m"):
        if mode != f.OPEN_GARAGE and top[key] is not None:
            refuse(
                path,
                (key,),
                f"is not set here: the mode is {shown(mode)}",
                "[area.NAME] of a room or a roof",
            )
    if mode != f.MOBILE and "fence" in singles:
        refuse(path, ("fence",), f"is not set here: the mode is {shown(mode)}")
    if "la_r3" in singles and f.LA_R3 not in (top["local"] or ()):
        refuse(path, ("la_r3",), "is not set here: local does not name it")
    if top["dedicated_building"] and top["place"] != f.INDOORS:
        refuse(path, ("dedicated_building",), 'is not set here: the place is not "indoors"')
    for name, table in tables["area"].items():
        if mode == f.DWELLING and table["location"] is None:
            refuse(
                path,
                ("area", name, "location"),
                'is missing with mode "dwelling"',
                ", ".join(f.LOCATIONS),
            )
    if tables["area"] and (top["place"] == f.OUTDOORS or mode in (f.MOBILE, f.OPEN_GARAGE)):
        refuse(
            path,
            ("area",),
            "is not set here: the units stand in no room",
            "[exposure.NAME] for a building nearby",
        )
    for kind in top["absent"] or ():
        for name, table in tables["exposure"].items():
            if table["kind"] == kind:
                refuse(path, ("absent",), f"{shown(kind)} is not allowed: exposure.{name} is one")


def _built(path, top, tables, singles):
    if not tables["unit"]:
        refuse(path, ("unit",), "is missing", "at least one [unit.NAME]")
    seen = dict.fromkeys(RESERVED, "the word")
    for section in ("unit", "area", "exposure", "barrier"):
        for name in tables[section]:
            if name in seen:
                refuse(path, (section, name), f"has the name of {seen[name]}", "a name of its own")
            seen[name] = f"{section}.{name}"
    for name, table in tables["unit"].items():
        if seen.get(table["group"], "") and table["group"] != name:
            refuse(
                path,
                ("unit", name, "group"),
                f"has the name of {seen[table['group']]}",
                "a name of its own",
            )
    for name, table in tables["model"].items():
        _check_energy(path, ("model", name), table)
    areas = [
        Area(name, geometry.polygon(table["outline_m"]), table)
        for name, table in tables["area"].items()
    ]
    units = [
        _unit(path, name, table, tables["model"], areas) for name, table in tables["unit"].items()
    ]
    exposures = [_exposure(path, name, table) for name, table in tables["exposure"].items()]
    barriers = [
        Barrier(name, table["line_m"], table["height_m"], table["fire_rating_h"])
        for name, table in tables["barrier"].items()
    ]
    return Site(
        path,
        top,
        tuple(units),
        tuple(areas),
        tuple(exposures),
        tuple(barriers),
        singles.get("fence"),
        singles.get("la_r3", {}),
    )


def _check_energy(path, where, table):
    volt_and_hour = [table["rated_voltage_V"], table["rated_capacity_Ah"]]
    allowed = "energy_kWh, or rated_voltage_V and rated_capacity_Ah"
    if table["energy_kWh"] is not None and volt_and_hour != [None, None]:
        refuse(path, (*where, "energy_kWh"), "is said in two ways", allowed)
    if table["energy_kWh"] is None and None in volt_and_hour:
        refuse(path, (*where, "energy_kWh"), "is missing", allowed)
    _check_density(path, where, table)


def _check_density(path, where, table):
    """Refuse more energy than the volume of a unit can hold: a unit of measure mixed up, or a zero
    too many.
    """
    key = "energy_kWh" if table["energy_kWh"] is not None else "rated_capacity_Ah"
    energy_kWh = table["energy_kWh"] or table["rated_voltage_V"] * table["rated_capacity_Ah"] / 1000
    volume_m3 = table["size_m"][0] * table["size_m"][1] * table["height_m"]
    if energy_kWh > f.DENSEST_kWh_per_m3 * volume_m3:
        refuse(
            path,
            (*where, key),
            f"{shown(table[key])} is not allowed: {energy_kWh:g} kWh in {volume_m3:.4g} m3",
            f"at most {f.DENSEST_kWh_per_m3} kWh per m3 of the unit (a bound of ours: no cell "
            f"holds as much)",
        )


def _unit(path, name, table, models, areas):
    model = models.get(table["model"])
    if model is None:
        not_allowed(
            path,
            ("unit", name, "model"),
            table["model"],
            ", ".join(models) or "a [model.NAME]",
            models,
        )
    shape = geometry.rectangle(table["center_m"], model["size_m"], table["rotation_deg"] or 0)
    holding = []
    for area in areas:
        if ground.is_within(shape, area.shape):
            holding.append(area.name)
        elif ground.overlaps(shape, area.shape):
            refuse(
                path,
                ("unit", name),
                f"lies across the edge of area.{area.name}",
                "inside one area, or outside all",
            )
    if len(holding) > 1:
        refuse(
            path, ("unit", name), f"lies in {' and '.join(holding)}", "areas that do not overlap"
        )
    return Unit(
        name, table["model"], model, shape, table["group"] or "", holding[0] if holding else ""
    )


def _exposure(path, name, table):
    said = [key for key in ("point_m", "line_m", "outline_m") if table[key] is not None]
    if len(said) != 1:
        refuse(
            path,
            ("exposure", name),
            f"says {' and '.join(said) or 'no place'}",
            "one of point_m, line_m, outline_m",
        )
    for key in (
        "wall_fire_rating_h",
        "wall_noncombustible",
        "wall_without_openings",
        "occupant_load",
    ):
        if table[key] is not None and table["kind"] != "building":
            refuse(
                path,
                ("exposure", name, key),
                f"is not set here: the kind is {shown(table['kind'])}",
                "a building",
            )
    points = (table["point_m"],) if said == ["point_m"] else table[said[0]]
    # nothing would be inside of it: only its edge is measured to
    if said == ["line_m"] and points[0] == points[-1]:
        refuse(
            path,
            ("exposure", name, "line_m"),
            "ends where it begins",
            "an open line; outline_m for a closed outline, its first point said once",
        )
    lot.check_said(path, name, table)
    is_closed = said == ["outline_m"]
    shape = geometry.Shape(points, is_closed, is_closed and table["kind"] != "lot_line")
    return Exposure(name, table["kind"], lot.drawn_on(shape) if table["inside_m"] else shape, table)
