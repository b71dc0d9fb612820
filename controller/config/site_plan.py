"""Reads the table [plan]. It names the units of the site's plan in which the racks of this cabinet
stand.

`firebreak siting PLAN --places FILE` makes the file of places and audits the plan. The file has
each unit with its center, and the distances (ways) to its neighbours: other units and exposures.
Only people use the plan. No interlock and no control function reads it.
"""

import os
from typing import Any, NamedTuple

from controller.config.places import NAME, NAME_WORDS
from controller.config.values import Values
from controller.forms.field import LINE, integer, matching, tables
from controller.forms.reading import read, tables_of
from controller.forms.refusal import refuse

SCHEMA = 1
BYTES_MAX = 1 << 20  # enough for 400 units with their ways
FAR_mm, WALL_min_MAX = 300_000_000, 24 * 60
Table = dict[str, Any]  # one of the file of places, checked
UNIT = "unit"  # kind of a way to another unit; any other way has the kind of its exposure

_NAME = matching(NAME, NAME_WORDS)
_LINE = matching(LINE, "a text on one line of ASCII", "")
_PLACE = {
    "name": _NAME,
    "x_mm": integer(-FAR_mm, FAR_mm),
    "y_mm": integer(-FAR_mm, FAR_mm),
    "area": _LINE,
}
_WAY = {
    "from": _NAME,
    "to": _NAME,
    "kind": _NAME,
    "distance_mm": integer(0, FAR_mm),
    "wall_min": integer(0, WALL_min_MAX, 0),  # rating of the wall or barrier between; 0: none
    "tested_mm": integer(0, FAR_mm, 0),  # distance without spread in a fire test; 0: no test
    "wall": _LINE,
    "paper": _LINE,
}
_TOP = {
    "schema": integer(SCHEMA, SCHEMA),
    "name": matching(LINE, "the name of the plan, on one line of ASCII"),
    "audit": matching(LINE, "the result of the audit, on one line of ASCII"),
    "open": matching(LINE, "the rules that are not met or lack a fact, or no such key", ""),
    "place": tables(_PLACE),
    "way": tables(_WAY, []),
}


class SitePlan(NamedTuple):
    """The part of a site's plan around this cabinet. racks: the unit in which each rack stands.
    places, ways: entries of the file about these units and their neighbours.
    """

    name: str
    audit: str
    open: str
    racks: list[str]
    places: list[Table]
    ways: list[Table]
    path: str  # path of the file

    def shown(self) -> Table:
        """All fields except the path, for the header of a journal."""
        return {key: value for key, value in self._asdict().items() if key != "path"}


def load(values: Values, racks: int) -> SitePlan | None:
    """The SitePlan of a configuration with so many racks, or None without a table [plan]."""
    keys = [key for key in ("file", "racks") if values.get("plan", key) is not None]
    if not keys:
        return None
    # need() refuses a file with only one of the two keys
    file, units = [values.need("plan", key) for key in ("file", "racks")]
    if len(units) != racks:
        allowed = f"{racks}, one for each rack"
        values.refuse(("plan", "racks"), f"has {len(units)} names", allowed)
    path = os.path.join(os.path.dirname(values.file("plan", "file")), file)
    plan = read_places(path)
    names = [place["name"] for place in plan["place"]]
    for wrong in [name for name in units if name not in names]:
        problem = f'"{wrong}" is no unit of {file}'
        values.refuse(("plan", "racks"), problem, ", ".join(names))
    ways = [way for way in plan["way"] if way["from"] in units]
    near = {*units, *[way["to"] for way in ways]}
    places = [place for place in plan["place"] if place["name"] in near]
    return SitePlan(
        name=plan["name"],
        audit=plan["audit"],
        open=plan["open"],
        racks=units,
        places=places,
        ways=ways,
        path=path,
    )


def read_places(path: str) -> Table:
    """The tables of a file of places. Raises ConfigError."""
    content = read(path, (), tables_of(path, "the places of a plan", BYTES_MAX), _TOP)
    names = [place["name"] for place in content["place"]]
    twice = next((name for index, name in enumerate(names) if name in names[:index]), None)
    if twice is not None or not names:
        problem = f'has "{twice}" twice' if names else "is empty"
        refuse(path, ("place",), problem, "each unit of the plan, once")
    for number, way in enumerate(content["way"], 1):
        for end in ("from", "to"):
            if way[end] not in names and (end == "from" or way["kind"] == UNIT):
                problem = f'"{way[end]}" is no [[place]] of this file'
                refuse(path, ("way", str(number), end), problem, "the name of a place")
    return content
