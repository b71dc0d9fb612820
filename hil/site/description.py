"""A site's TOML file: its keys, their ranges, and the Site that it describes.

Every table may be missing. SITE.md lists the keys. A wrong file is refused in one line.
"""

import os
from typing import Any

from controller.series import weather as weather_file
from hil.fields import (
    BOOL,
    INTEGER,
    LIST,
    NUMBER,
    REQUIRED,
    TABLE,
    TABLES,
    TEXT,
    Entry,
    ScenarioError,
    checked,
    tables_of,
)
from hil.loads import stream
from hil.site import genset, load as site_load, load_ups, transfer_switch
from hil.site.cooling import Cooling
from hil.site.grid import Grid
from hil.site.part import SitePart
from hil.site.pv import Pv
from hil.site.site import Site
from hil.site.weather import Weather

POWER_W = 0, 50e6
TIME_S = 0, 400 * 86_400
PERMILLE = 0, 1000


def _defaults(table: dict[str, float], high: float = 1e6) -> dict[str, Entry]:
    """A key of each default; shares end at 1000."""
    return {
        key: Entry(NUMBER, value, 0, 1000 if "permille" in key else high)
        for key, value in table.items()
    }


RATED = {"rated_W": Entry(NUMBER, REQUIRED, 1, POWER_W[1])}
LOADS = {
    "constant": {"power_W": Entry(NUMBER, REQUIRED, *POWER_W)},
    "training": {"peak_W": Entry(NUMBER, REQUIRED, 1000, POWER_W[1])},
    "file": {
        "file": Entry(TEXT, REQUIRED),
        "column": Entry(TEXT, None),
        "scale": Entry(NUMBER, 1.0, 1e-6, 1e6),
        "zone": Entry(TEXT, "UTC"),  # of times without an offset
    },
    "queue": {
        "capacity_W": Entry(NUMBER, REQUIRED, 1000, POWER_W[1]),
        "idle_W": Entry(NUMBER, 0, *POWER_W),
        "jobs": Entry(LIST, []),  # [[at_s, for_s, W], ...]; without it they are drawn:
        "every_s": Entry(NUMBER, 300, 1, 86_400),
        "job_s_min": Entry(NUMBER, 60, 1, 30 * 86_400),
        "job_s_max": Entry(NUMBER, 3600, 1, 30 * 86_400),
        "job_W_min": Entry(NUMBER, 10_000, 1, POWER_W[1]),
        "job_W_max": Entry(NUMBER, 100_000, 1, POWER_W[1]),
    },
}
TOP = {
    "name": Entry(TEXT, REQUIRED),
    "connection": Entry(TABLE, {}),
    "load": Entry(TABLE, REQUIRED),
    "weather": Entry(TABLE, {}),
    "cooling": Entry(TABLE, None),
    "pv": Entry(TABLE, None),
    "genset": Entry(TABLE, None),
    "transfer_switch": Entry(TABLE, None),
    "load_ups": Entry(TABLE, None),
    "pod": Entry(TABLE, None),
}
SECTIONS = {
    "connection": {
        "import_W": Entry(NUMBER, 500_000, 1000, POWER_W[1]),
        "outages": Entry(LIST, []),  # [[at_s, for_s], ...]
        "dips": Entry(LIST, []),  # [[at_s, for_s, permille that is left], ...]
    },
    "weather": {
        "latitude_deg": Entry(NUMBER, 45, -90, 90),
        "day": Entry(INTEGER, 172, 1, 366),
        "time_of_day_s": Entry(NUMBER, 0, 0, 86_400),
        "mean_degC": Entry(NUMBER, 15, -50, 50),
        "swing_K": Entry(NUMBER, 6, 0, 30),
        "file": Entry(TEXT, None),
    },
    "cooling": {"water_degC": Entry(NUMBER, 12, 4, 40)},
    "pv": RATED
    | {"cloud_cover_permille": Entry(NUMBER, 0, 0, 950)}
    | {"file": Entry(TEXT, None), "column": Entry(TEXT, None)}
    | {"scale": Entry(NUMBER, 1.0, 1e-6, 1e6), "zone": Entry(TEXT, "UTC")},
    "genset": RATED | _defaults(genset.DEFAULTS),
    "transfer_switch": _defaults(transfer_switch.DEFAULTS, 3600),
    "load_ups": RATED | _defaults(load_ups.DEFAULTS, 1e9),
    "pod": {"member": Entry(TABLES, REQUIRED)},
}
MEMBER = {
    "cabinet": Entry(TEXT, REQUIRED),
    "share_permille": Entry(INTEGER, REQUIRED, *PERMILLE),
    "can_form": Entry(BOOL, False),  # its converters make the voltage of an island
}
TUPLES = {"outages": (TIME_S, TIME_S), "dips": (TIME_S, TIME_S, PERMILLE)}
JOBS = {"jobs": (TIME_S, TIME_S, POWER_W)}


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The checked tables of a file. ScenarioError: one line."""
    name = os.path.basename(path)
    return of_table(tables_of(path), name)


def of_table(table: dict[str, Any], name: str) -> dict[str, Any]:
    """The checked tables of a site. name: as refusals say it. ScenarioError: one line."""
    site = checked(table, TOP, name)
    for section, fields in SECTIONS.items():
        if site[section] is not None:
            site[section] = checked(site[section], fields, f"{name}: {section}")
    if site["weather"]["file"] and "day" not in table["weather"]:
        raise ScenarioError(f"{name}: weather: a file needs day, the begin of the run in its year")
    check_lists(site["connection"], TUPLES, f"{name}: connection")
    site["load"] = _load(site["load"], f"{name}: load")
    if site["pod"]:
        site["pod"] = _pod(site["pod"], f"{name}: pod")
    return site


def _load(load: dict[str, Any], where: str) -> dict[str, Any]:
    kind = Entry(TEXT, REQUIRED, choices=tuple(LOADS))
    of_kind = LOADS.get(str(load.get("kind")), dict.fromkeys(load, Entry("a value", None)))
    load = checked(load, of_kind | {"kind": kind}, where)
    if load["kind"] == "queue":
        check_lists(load, JOBS, where)
        for unit in ("s", "W"):
            low, high = load[f"job_{unit}_min"], load[f"job_{unit}_max"]
            if low > high:
                raise ScenarioError(
                    f"{where}: job_{unit}_min = {low} is above job_{unit}_max = {high}"
                )
    return load


def _pod(pod: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """The members. Their shares are of one load, so that together they are at most all of it."""
    members = [
        checked(member, MEMBER, f"{where}: member {number}")
        for number, member in enumerate(pod["member"], 1)
    ]
    total = sum(member["share_permille"] for member in members)
    if not members or total > PERMILLE[1]:
        raise ScenarioError(
            f"{where}: {len(members)} members with {total} permille together: allowed are 1 or "
            f"more members with at most 1000"
        )
    return members


def check_lists(table: dict[str, Any], forms: dict[str, tuple], where: str) -> None:
    """Refuse an entry that is not a list of as many numbers, each within its range."""
    for key, ranges in forms.items():
        for entry in table[key]:
            is_good = isinstance(entry, list) and len(entry) == len(ranges)
            if not is_good or not all(map(_within, entry, ranges)):
                allowed = ", ".join(f"{low:g} .. {high:g}" for low, high in ranges)
                raise ScenarioError(f"{where}: {key}: {entry!r} must be [{allowed}]")


def _within(value: object, bounds: tuple[float, float]) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and bounds[0] <= value <= bounds[1]  # type: ignore[operator]


def built(site: dict[str, Any], seed: object, folder: str) -> Site:
    """The Site of checked tables; folder: of its file. LoadError: one line about a file."""
    weather = _weather(site["weather"], folder)
    connection, cooling = site["connection"], site["cooling"]
    return Site(
        site_load.of_table(site["load"], seed, folder),
        seed,
        Grid(seed, connection["import_W"], connection["outages"], connection["dips"]),
        _parts(site, seed, folder, weather),
        cooling and Cooling(cooling["water_degC"]),
        weather,
    )


def _parts(site: dict[str, Any], seed: object, folder: str, weather: Weather) -> list[SitePart]:
    kinds: dict[str, type[SitePart]] = {
        "transfer_switch": transfer_switch.TransferSwitch,
        "genset": genset.Genset,
        "load_ups": load_ups.LoadUps,
    }
    parts = [kind(site[name]) for name, kind in kinds.items() if site[name] is not None]
    pv = site["pv"]
    if pv is not None:
        names = [pv.pop(key) for key in ("file", "column", "scale", "zone")]
        path = names[0] and os.path.join(folder, names[0])
        measured = stream.of_file(path, *names[1:]) if path else None
        parts.append(Pv(pv, weather, seed, measured))
    return parts


def _weather(table: dict[str, Any], folder: str) -> Weather:
    file = table.pop("file")
    if not file:
        return Weather(**table)
    year = weather_file.read(os.path.join(folder, file))
    return Weather(**table, hours=list(zip(year.ghi_W_per_m2, year.air_degC)))
