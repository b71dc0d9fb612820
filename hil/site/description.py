"""A site's TOML file: its keys, their ranges, and the Site that the file describes.

Every table may be missing. `python -m hil keys site` prints the keys.
"""

import os

from controller.forms import field as forms, reading
from controller.forms.refusal import Path, not_allowed, refuse
from controller.series import weather as weather_file
from hil.loads import stream
from hil.site import branches, genset, load as site_load, load_ups, racks, transfer_switch
from hil.site.cooling import Cooling
from hil.site.grid import Grid
from hil.site.grid_contact import CONTACTS, GridContact
from hil.site.load import Table
from hil.site.part import SitePart
from hil.site.parts import PARTS
from hil.site.pv import Pv
from hil.site.site import Site
from hil.site.weather import Weather

POWER_W_MAX = 50e6
TIME_RANGE_S = 0, 400 * 86_400
PERMILLE_RANGE = 0, 1000


def _defaults(values: dict[str, float], high: float = 1e6) -> dict[str, forms.Field]:
    """A form for each key, with its default. Shares in permille end at 1000."""
    return {
        key: forms.number(0, 1000 if "permille" in key else high, value)
        for key, value in values.items()
    }


RATED = {"rated_W": forms.number(1, POWER_W_MAX)}
OF_FILE = {
    "column": forms.text(None),
    "scale": forms.number(1e-6, 1e6, 1.0),
    "zone": forms.text("UTC"),  # for times in the file that state no offset
}
LOADS = {
    "constant": {"power_W": forms.number(0, POWER_W_MAX)},
    "training": {"peak_W": forms.number(1000, POWER_W_MAX)},
    "file": {"file": forms.text()} | OF_FILE,
    "queue": {
        "capacity_W": forms.number(1000, POWER_W_MAX),
        "idle_W": forms.number(0, POWER_W_MAX, 0),
        # [[at_s, for_s, W]]; if empty, drawn by the next keys
        "jobs": forms.rows(TIME_RANGE_S, TIME_RANGE_S, (0, POWER_W_MAX)),
        "use_permille": forms.integer(1, 1000, 650),  # mean use of the capacity
        "day_swing_permille": forms.integer(0, 1000, 300),  # of the job rate; highest at 15 h
        "weekend_permille": forms.integer(0, 1000, 800),  # of the job rate on a working day
        "weekday": forms.integer(0, 6, 0),  # first day of the run; 0 is Monday
        "job_s_min": forms.number(1, 30 * 86_400, 900),
        "job_s_max": forms.number(1, 30 * 86_400, 604_800),
        "job_W_min": forms.number(1, POWER_W_MAX, 10_000),
        "job_W_max": forms.number(1, POWER_W_MAX, 100_000),
    },
}
MEMBER = {
    "cabinet": forms.text(),
    "share_permille": forms.integer(*PERMILLE_RANGE),
    "can_form": forms.flag(False),  # its converters can form the voltage of an island
}
CONNECTION = {
    "import_W": forms.number(1000, POWER_W_MAX, 500_000),
    "outages": forms.rows(TIME_RANGE_S, TIME_RANGE_S),  # [[at_s, for_s], ...]
    # [[at_s, for_s, permille of voltage left], ...]
    "dips": forms.rows(TIME_RANGE_S, TIME_RANGE_S, PERMILLE_RANGE),
}
CLOSED = dict.fromkeys(CONTACTS, forms.rows(TIME_RANGE_S, TIME_RANGE_S))  # [[at_s, for_s], ...]
WEATHER = {
    "latitude_deg": forms.number(-90, 90, 45),
    "day": forms.integer(1, 366, 172),
    "time_of_day_s": forms.number(0, 86_400, 0),
    "mean_degC": forms.number(-50, 50, 15),
    "swing_K": forms.number(0, 30, 6),
    "season_K": forms.number(0, 40, 0),
    "file": forms.text(None),
}
PV = {
    **RATED,
    "cloud_cover_permille": forms.number(0, 950, 0),  # either the same cover at any time,
    "clear_index_permille": forms.number(560, 720, 0),  # or days that differ, with this mean
    "file": forms.text(None),
    **OF_FILE,
}
YIELDS = {
    "lower_W_max": forms.number(1, POWER_W_MAX),
    "follows_s": forms.number(0.01, 3600, branches.LoadCap.DEFAULTS["follows_s"]),
}
RACKS = {
    **RATED,
    "is_metered_inside": forms.flag(False),  # the load meter is on the GPUs' side of capacitors
    **_defaults(racks.DEFAULTS, 1e9),
    **dict.fromkeys(("up_W_per_s", "down_W_per_s"), forms.number(1, 1e9, None)),
}
TOP = {
    "name": forms.text(),
    "connection": forms.table(CONNECTION, {}),
    "load": forms.table(),
    "weather": forms.table(WEATHER, {}),
    "cooling": forms.table({"water_degC": forms.number(4, 40, 12)}, None),
    "pv": forms.table(PV, None),
    "genset": forms.table(RATED | _defaults(genset.DEFAULTS), None),
    "transfer_switch": forms.table(_defaults(transfer_switch.DEFAULTS, 3600), None),
    "load_ups": forms.table(RATED | _defaults(load_ups.DEFAULTS, 1e9), None),
    "load_cap": forms.table(YIELDS, None),
    "grid_contact": forms.table(CLOSED, None),
    "racks": forms.table(RACKS, None),
    "pod": forms.table({"member": forms.tables(MEMBER)}, None),
}


def read(path: str | os.PathLike[str]) -> Table:
    """The checked tables of a file. Raises ConfigError."""
    name = os.path.basename(path)
    return of_table(reading.tables_of(os.fspath(path), "a site", name=name), name)


def of_table(content: Table, file: str, path: Path = ()) -> Table:
    """The checked tables of a site. file, path: named in refusals. Raises ConfigError."""
    site = reading.read(file, path, content, TOP)
    if site["weather"]["file"] and "day" not in content["weather"]:
        condition = "the begin of the run in the year of the file"
        allowed = f"{forms.allowed_text(WEATHER['day'])}, {condition}"
        refuse(file, (*path, "weather", "day"), "is missing", allowed)
    site["load"] = _load(file, (*path, "load"), site["load"])
    if site["pod"]:
        site["pod"] = _members(file, (*path, "pod", "member"), site["pod"]["member"])
    return site


def _load(file: str, path: Path, content: Table) -> Table:
    load = reading.read_variant(file, path, content, "kind", LOADS)
    for unit in ("s", "W") if load["kind"] == "queue" else ():
        low, high = load[f"job_{unit}_min"], load[f"job_{unit}_max"]
        if low > high:
            not_allowed(file, (*path, f"job_{unit}_min"), low, f"up to job_{unit}_max, {high}")
    return load


def _members(file: str, path: Path, members: list[Table]) -> list[Table]:
    """The checked members. Each takes a share of one load, so the sum is at most all of it."""
    total_permille = sum(member["share_permille"] for member in members)
    if not members or total_permille > PERMILLE_RANGE[1]:
        problem = f"{len(members)} members with {total_permille} permille together are not allowed"
        refuse(file, path, problem, "1 or more members with at most 1000")
    return members


def built(site: Table, seed: object, folder: str) -> Site:
    """The Site that checked tables describe. folder: where the site file is. LoadError: one line
    about a file that cannot be read.
    """
    weather, connection = _weather(site["weather"], folder), site["connection"]
    grid = Grid(seed, connection["import_W"], connection["outages"], connection["dips"])
    load = site_load.of_table(site["load"], seed, folder, site["weather"]["time_of_day_s"])
    if site["racks"]:
        is_inside = site["racks"].pop("is_metered_inside")
        load = racks.Racks(load, site["racks"], is_inside)
    cooling = site["cooling"] and Cooling(site["cooling"]["water_degC"])
    parts = _parts(site, seed, folder, weather)
    return Site(load, seed, grid, parts, cooling, weather)


def _parts(site: Table, seed: object, folder: str, weather: Weather) -> list[SitePart]:
    roles = "transfer_switch", "genset", "load_ups", "load_cap"
    parts = [PARTS[role](site[role]) for role in roles if site[role] is not None]
    if site["grid_contact"] is not None:
        parts.append(GridContact({}, site["grid_contact"]))
    pv = site["pv"]
    if pv is not None:
        file_settings = [pv.pop(key) for key in ("file", "column", "scale", "zone")]
        measured_file = file_settings[0] and os.path.join(folder, file_settings[0])
        measured = stream.of_file(measured_file, *file_settings[1:]) if measured_file else None
        parts.append(Pv(pv, weather, seed, measured))
    return parts


def _weather(table: Table, folder: str) -> Weather:
    file = table.pop("file")
    if not file:
        return Weather(**table)
    year = weather_file.read(os.path.join(folder, file))
    return Weather(**table, hours=list(zip(year.ghi_W_per_m2, year.air_degC)))
