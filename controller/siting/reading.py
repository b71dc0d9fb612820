"""Reads a siting file into a Site.

It refuses a wrong file in one line: file, key, fault, allowed values.
"""

import re
from typing import Any

from controller.forms.field import Form
from controller.forms.reading import check_tables, read, tables_of
from controller.forms.refusal import Path, not_allowed, refuse, shown
from controller.siting import fields as f, geometry, ground, lot
from controller.siting.plan_checks import check_plan
from controller.siting.site import Site
from controller.siting.things import Area, Barrier, Exposure, Table, Unit

NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{f.NAME_CHARACTERS}}}")
NAME_WORDS = f"a name of A-Z, a-z, 0-9, _ and -, at most {f.NAME_CHARACTERS} characters"
# names that the report uses: for the fence, and for the fire area outside all rooms
RESERVED = ("fence", "outdoors")
OWN_NAME = "a name of its own"
RATED = ("rated_voltage_V", "rated_capacity_Ah")
FILE_BYTES_MAX = 4_000_000

Named = dict[str, Table]  # {name: table}
Tables = dict[str, Named]  # {"unit": {name: table}, ...}


def load(path: str) -> Site:
    """The Site of a file. Raises ConfigError with one line."""
    content = tables_of(path, "a plan of one site", FILE_BYTES_MAX)
    sections = (*f.TABLES, *f.SINGLE_TABLES)
    head = {key: value for key, value in content.items() if key not in sections}
    top = _table(path, (), head, f.SITE, sections)
    tables = {
        name: _named(path, name, content.get(name, {}), keys) for name, keys in f.TABLES.items()
    }
    singles = {
        name: _table(path, (name,), content[name], keys)
        for name, keys in f.SINGLE_TABLES.items()
        if name in content
    }
    _check_mode(path, top, singles)
    _check_things(path, top, tables, singles)
    _check_names(path, tables)
    site = _built(path, top, tables, singles)
    check_plan(path, site)
    return site


def _named(path: str, section: str, content: Any, form: Form) -> Named:
    """{name: table} of [section.NAME]."""
    check_tables(path, (section,), content)
    if len(content) > f.THINGS_MAX:
        refuse(path, (section,), f"has {len(content)} entries", f"at most {f.THINGS_MAX}")
    for name in content:
        if not NAME.fullmatch(name):
            refuse(path, (section,), f"{shown(name)} is not allowed as a name", NAME_WORDS)
    return {name: _table(path, (section, name), table, form) for name, table in content.items()}


def _table(path: str, where: Path, content: Any, form: Form, also: Path = ()) -> Table:
    """The values of one table, with None for a missing key. Raises ConfigError.

    also: see `read`.
    """
    table = read(path, where, content, form, also)
    return {key: f.frozen(value) for key, value in table.items()}


def _check_mode(path: str, top: Table, singles: Named) -> None:
    """Refuse a fact that the mode does not allow, and a missing fact that it requires."""
    mode, edition, place = top["mode"], top["edition"], top["place"]
    unset = f"is not set here: the mode is {shown(mode)}"
    if mode == f.STATIONARY and place is None:
        refuse(path, ("place",), 'is missing with mode "stationary"', ", ".join(f.PLACES))
    if mode != f.STATIONARY and place is not None:
        refuse(path, ("place",), f"is not set here: mode {shown(mode)} decides it")
    if mode in (f.DWELLING, f.OPEN_GARAGE) and edition == f.IFC_2018:
        problem = f"{shown(edition)} has no rules here for mode {shown(mode)}"
        refuse(path, ("edition",), problem, ", ".join(f.EDITIONS[1:]))
    for owner, allowed, keys in (
        (f.MOBILE, "", ("deployed_days", "charging_location")),
        (f.OPEN_GARAGE, "[area.NAME] of a room or a roof", f.FLOORS),
    ):
        for key in keys:
            if mode != owner and top[key] is not None:
                refuse(path, (key,), unset, allowed)
    if mode != f.MOBILE and "fence" in singles:
        refuse(path, ("fence",), unset)


def _check_things(path: str, top: Table, tables: Tables, singles: Named) -> None:
    """Refuse local profiles, areas and exposures that contradict the top of the file."""
    if "la_r3" in singles and f.LA_R3 not in (top["local"] or ()):
        refuse(path, ("la_r3",), "is not set here: local does not name it")
    if top["dedicated_building"] and top["place"] != f.INDOORS:
        refuse(path, ("dedicated_building",), 'is not set here: the place is not "indoors"')
    for name, table in tables["area"].items():
        if top["mode"] == f.DWELLING and table["location"] is None:
            where = ("area", name, "location")
            refuse(path, where, 'is missing with mode "dwelling"', ", ".join(f.LOCATIONS))
    if tables["area"] and (top["place"] == f.OUTDOORS or top["mode"] in (f.MOBILE, f.OPEN_GARAGE)):
        problem = "is not set here: the units are in no room"
        refuse(path, ("area",), problem, "[exposure.NAME] for a building nearby")
    for kind in top["absent"] or ():
        for name, table in tables["exposure"].items():
            if table["kind"] == kind:
                refuse(path, ("absent",), f"{shown(kind)} is not allowed: exposure.{name} is one")
    if not tables["unit"]:
        refuse(path, ("unit",), "is missing", "at least one [unit.NAME]")


def _check_names(path: str, tables: Tables) -> None:
    """Refuse a name of two objects, and a group with the name of another object."""
    seen = dict.fromkeys(RESERVED, "the word")
    for section in ("unit", "area", "exposure", "barrier"):
        for name in tables[section]:
            if name in seen:
                refuse(path, (section, name), f"has the name of {seen[name]}", OWN_NAME)
            seen[name] = f"{section}.{name}"
    for name, table in tables["unit"].items():
        group = table["group"]
        if group in seen and group != name:
            refuse(path, ("unit", name, "group"), f"has the name of {seen[group]}", OWN_NAME)


def _built(path: str, top: Table, tables: Tables, singles: Named) -> Site:
    models = {
        name: (table, _energy_kWh(path, ("model", name), table))
        for name, table in tables["model"].items()
    }
    areas = [
        Area(name, geometry.polygon(table["outline_m"]), table)
        for name, table in tables["area"].items()
    ]
    units = [_unit(path, *named, models, areas) for named in tables["unit"].items()]
    exposures = [_exposure(path, *named) for named in tables["exposure"].items()]
    barriers = [
        Barrier(name, table["line_m"], table["height_m"], table["fire_rating_h"])
        for name, table in tables["barrier"].items()
    ]
    parts = tuple(units), tuple(areas), tuple(exposures), tuple(barriers)
    return Site(path, top, *parts, singles.get("fence"), singles.get("la_r3", {}))


def _energy_kWh(path: str, where: Path, table: Table) -> float:
    """Energy of a model, kWh. Refuse two values, and more than its volume can hold."""
    energy_kWh, rated = table["energy_kWh"], [table[key] for key in RATED]
    is_rated = energy_kWh is None
    key = (*where, RATED[1] if is_rated else "energy_kWh")
    if is_rated and None in rated or not is_rated and rated != [None, None]:
        problem = "is missing" if is_rated else "is given in two ways"
        refuse(path, (*where, "energy_kWh"), problem, f"energy_kWh, or {' and '.join(RATED)}")
    if is_rated:
        energy_kWh = rated[0] * rated[1] / 1000
    volume_m3 = table["size_m"][0] * table["size_m"][1] * table["height_m"]
    if energy_kWh > f.DENSEST_kWh_per_m3 * volume_m3:
        excess = f"{shown(table[key[-1]])} is not allowed: {energy_kWh:g} kWh in {volume_m3:.4g} m3"
        most = f"at most {f.DENSEST_kWh_per_m3} kWh per m3 of the unit (no cell holds more)"
        refuse(path, key, excess, most)
    return energy_kWh


def _unit(
    path: str, name: str, table: Table, models: dict[str, tuple[Table, float]], areas: list[Area]
) -> Unit:
    where, allowed = ("unit", name), ", ".join(models) or "a [model.NAME]"
    if table["model"] not in models:
        not_allowed(path, (*where, "model"), table["model"], allowed, models)
    model, energy_kWh = models[table["model"]]
    shape = geometry.rectangle(table["center_m"], model["size_m"], table["rotation_deg"] or 0)
    holding = []
    for area in areas:
        if ground.is_within(shape, area.shape):
            holding.append(area.name)
        elif ground.overlaps(shape, area.shape):
            problem = f"lies across the edge of area.{area.name}"
            refuse(path, where, problem, "inside one area, or outside all")
    if len(holding) > 1:
        refuse(path, where, f"lies in {' and '.join(holding)}", "areas that do not overlap")
    group = table["group"] or name
    return Unit(
        name,
        model_name=table["model"],
        model=model,
        shape=shape,
        energy_kWh=energy_kWh,
        group=group,
        area="".join(holding),
    )


def _exposure(path: str, name: str, table: Table) -> Exposure:
    where = ("exposure", name)
    places = [key for key in ("point_m", "line_m", "outline_m") if table[key] is not None]
    if len(places) != 1:
        problem = f"has {' and '.join(places) or 'no place'}"
        refuse(path, where, problem, "one of point_m, line_m, outline_m")
    for key in f.OF_BUILDINGS:
        if table[key] is not None and table["kind"] != "building":
            problem = f"is not set here: the kind is {shown(table['kind'])}"
            refuse(path, (*where, key), problem, "a building")
    points = (table["point_m"],) if places == ["point_m"] else table[places[0]]
    # A closed line_m would have no inside, so distances would count only to its edge.
    if places == ["line_m"] and points[0] == points[-1]:
        allowed = "an open line; outline_m for a closed outline, its first point given once"
        refuse(path, (*where, "line_m"), "ends where it begins", allowed)
    lot.check(path, name, table)
    is_closed = places == ["outline_m"]
    shape = geometry.Shape(points, is_closed, is_closed and table["kind"] != "lot_line")
    return Exposure(name, table["kind"], lot.extended(shape) if table["inside_m"] else shape, table)
