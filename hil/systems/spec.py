"""Reads the TOML file of a system: sizes, series, tariff, schedule, and the asked figures."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from controller.forms import field as forms
from controller.forms.reading import read, tables_of
from controller.forms.refusal import ConfigError, not_allowed, refuse
from controller.planner import site_file, tariff
from controller.series import times
from controller.series.refusal import SeriesError
from hil.plant import config as plant_config
from hil.systems.sized import Size, devices_of

Table = dict[str, Any]  # a table of a TOML file
Inputs = dict[str, Any]  # {name: option or file that replaces one of the system's}
FOLDER = Path(__file__).parent
NAMES = ("munich", "berlin", "norway", "nordic", "north_america", "shanghai")
SEASONS = ("winter", "spring", "summer", "autumn")
STATUS = ("measured", "projected", "unreachable")


def _is_day(value: Any) -> bool:
    try:
        return not datetime.fromisoformat(value).tzinfo
    except (TypeError, ValueError):
        return False


BATTERY = {
    "units": forms.integer(1, 64),
    "cabinets": forms.integer(1, 64, 1),  # each has its own controller, units and share
    "racks_per_unit": forms.integer(1, 16, 1),
    "rated_W": forms.integer(1000, 4_000_000),
    "energy_Wh": forms.integer(1000, 100_000_000),
    "export_W": forms.integer(0, 100_000_000, 0),
    "can_form": forms.flag(False),
    "heater_W": forms.integer(0, 10_000_000, 0),  # heaters of the cabinets; 0: none
    "control": forms.table(default={}),
    # import limit of each cabinet without a share of the dispatcher, W; None: no dispatcher
    "fallback_W": forms.integer(0, 100_000_000, None),
    "spare_W": forms.integer(0, 100_000_000, 0),  # the dispatcher keeps it free
}
SPANS = "valley_hours", "peak_hours", "summer_peak_hours"  # rows of [first, end]
PRICES = {
    "kind": forms.choice(("built_in", "time_of_use"), "built_in"),
    "day": forms.numbers(-1000, 10_000, [], (0, 24)),  # built_in: mean of each hour, money per MWh
    **{name: forms.number(-10, 10, 0.0) for name in ("valley", "flat", "peak")},
    **{name: forms.rows(tariff.HOURS, tariff.HOURS) for name in SPANS},
}
SCHEDULE = {
    "cap_W": forms.number(0, 50e6, 0),  # highest import of a plan; 0: the connection
    "is_trading": forms.flag(True),
    "reserve_permille": forms.integer(50, 900, 150),
    "high_permille": forms.integer(100, 1000, 900),
    "wear_per_kWh": forms.number(0, 1, 0.01),
    "is_load_known": forms.flag(False),  # false: yesterday's load is the forecast
    "forecast_error_permille": forms.integer(0, 500, 0),  # rms error in each slot
    **site_file.RESERVE,
    "notice_min": forms.integer(0, 1440, 0),  # the load of so many minutes ahead is known
}
EVENT = {  # demand response: the import must be at most cap_W
    "day": forms.integer(1, 366),  # day of the run
    "hour": forms.number(0, 24),
    "hours": forms.number(0.25, 12, 2),
    "cap_W": forms.number(0, 50e6),
    "announced_h": forms.number(0, 24, 1),  # hours before its start
}
AWAY = {  # a cabinet that has failed, or is elsewhere for a while
    "cabinet": forms.integer(2, 64),  # the first cabinet stays: it has the site devices
    "day": forms.integer(1, 366),
    "hour": forms.number(0, 24),
    "hours": forms.number(0.25, 24 * 366, None),  # None: for the rest of the run
    "soc_permille": forms.integer(50, 950, 500),  # when it comes back
}
# {fault of --self-check (self_check.py): part that a system must have for it}. supply: battery and
# set fail together.
BREAKS = {
    "battery": None,
    "sender": None,
    "set": "genset",
    "pv": "pv",
    "supply": "genset",
    "heater": "heater",
    "notices": "notice_min",
    "load": None,
}
FIGURE = {
    "name": forms.text(),
    "text": forms.text(),
    "asked": forms.number(-1e12, 1e12, None),
    "way": forms.choice(("least", "most"), "least"),
    "unit": forms.text(""),
    "status": forms.choice(STATUS),
    "breaks": forms.some_of(BREAKS, []),  # with this fault the promise must be missed
    "survives": forms.some_of(BREAKS, []),  # with this fault the promise must be kept
}
TOP = {
    "name": forms.text(),
    "text": forms.text(),
    "start": forms.passing(_is_day, "a day, 2026-06-01"),
    "zone": forms.text("UTC"),  # for `start`, and for local times in a file of prices
    "days": forms.integer(1, 366),
    "seed": forms.integer(0, 2**31 - 1, 1),
    "soc_permille": forms.integer(50, 950, 500),
    "outage_s": forms.integer(0, 86_400, 0),  # once, at a random moment after the first day
    "outage_h": forms.number(0, 24 * 366, None),  # hour of its start, in place of a random moment
    "critical_W": forms.number(1, 100e6, None),  # load that is never shed; None: the whole load
    "warned_ahead_h": forms.number(0, 48, None),  # a warning comes so long before the outage
    # [W, s, means_s]: the grid operator lets the import move by at most W within s (ramps.py)
    "ramps": forms.rows((1000, 50e6), (1, 3600), (1, 60)),
    "battery": forms.table(BATTERY),
    "plant": forms.table(default={}),
    "device": forms.table(default={}),  # more site devices, as in a cabinet's file without a bus
    "site": forms.table(),
    "tariff": forms.table(tariff.FIELDS),
    "prices": forms.table(PRICES),
    "schedule": forms.table(SCHEDULE, {}),
    "event": forms.tables(EVENT, []),
    "away": forms.tables(AWAY, []),
    "figure": forms.tables(FIGURE),
    "variant": forms.table(default={}),
}


class Spec(NamedTuple):
    """A checked system; `site` are the tables of a site's file (`python -m hil keys site`)."""

    name: str
    text: str
    start: datetime
    zone: str
    days: int
    seed: int
    soc_permille: int
    outage_s: int
    size: Size
    cabinets: int
    fallback_W: int | None  # import limit of a cabinet without a share; None: no dispatcher
    spare_W: int
    plant: dict[str, float]
    site: Table
    tariff: Table
    prices: Table
    schedule: Table
    figures: list[Table]
    events: list[dict[str, float]] = []
    away: list[Table] = []
    critical_W: float | None = None  # load that is never shed; None: all
    outage_h: float | None = None  # start of the outage; None: by the seed
    warned_ahead_h: float | None = None  # lead time of a warning of the outage; None: no warning
    ramps: list[list[float]] = []  # [W, s, means_s]
    outages: list[list[int]] | None = None  # [at_s, for_s]; None: by outage_s and the seed

    @property
    def season(self) -> str:
        """The season in the middle of the run, in the north or the south."""
        middle = self.start + timedelta(days=self.days / 2)
        is_south = self.site.get("weather", {}).get("latitude_deg", 0) < 0
        return SEASONS[(middle.month % 12 // 3 + 2 * is_south) % len(SEASONS)]

    def from_day(self, start: datetime, days: int, seed: int) -> "Spec":
        """The system with another first day, which sets its sun, air and working days. It has no
        outages and events, and no contact closes.
        """
        site = _with_days(self.site, start)
        site.pop("grid_contact", None)
        moved = self._replace(start=start, days=days, seed=seed, site=site)
        return moved._replace(outage_s=0, outages=[], events=[])


def variants(name: str) -> list[str]:
    """The variants of a system's file."""
    return list(_content(name).get("variant", {}))


def runs(names: Iterable[str] = NAMES) -> list[tuple[str, str]]:
    """[(system, variant)]: each of these systems without a variant ("") and with each."""
    return [(name, variant) for name in names for variant in ("", *variants(name))]


def load(name: str, variant: str = "") -> Spec:
    """The system of this name. variant: name of changes in its file."""
    content, file = _content(name), f"{name}.toml"
    variants = content.get("variant", {})
    if variant and variant not in variants:
        known = ", ".join(variants) or "none"
        not_allowed(file, ("variant",), variant, known, variants)
    return of_table(_merged(content, variants[variant]) if variant else content, file)


def _content(name: str) -> Table:
    return tables_of(str(FOLDER / f"{name}.toml"), "a system", name=f"{name}.toml")


def _merged(content: Table, changes: Table) -> Table:
    merged = dict(content)
    for key, change in changes.items():
        is_table = isinstance(change, dict) and key in content
        merged[key] = _merged(content[key], change) if is_table else change
    return merged


def of_table(content: Table, file: str) -> Spec:
    """The checked system. Raises ConfigError."""
    top = read(file, (), content, TOP)
    _check(file, top)
    start = datetime.fromisoformat(top["start"])
    _check_days(file, top["site"], start)
    top["site"] = _with_days(top["site"], start)
    battery = top["battery"]
    import_W = round(top["site"].get("connection", {}).get("import_W", 500_000))
    devices = devices_of(top["site"], battery["heater_W"]) | top["device"]
    sizes = {key: battery[key] for key in Size._fields if key in battery}
    size = Size(**sizes, import_W=import_W, devices=devices)
    alike = {key: top[key] for key in Spec._fields if key in top and key != "start"}
    return Spec(
        **alike,
        start=start,
        size=size,
        cabinets=battery["cabinets"],
        fallback_W=battery["fallback_W"],
        spare_W=battery["spare_W"],
        figures=top["figure"],
        events=top["event"],
    )


def _check(file: str, top: Table) -> None:
    """Refuse values that contradict each other."""
    battery, schedule = top["battery"], top["schedule"]
    units, high = battery["units"], schedule["high_permille"]
    if battery["units"] % battery["cabinets"]:
        allowed = f"a divisor of units = {units}"
        not_allowed(file, ("battery", "cabinets"), battery["cabinets"], allowed)
    for number, away in enumerate(top["away"], 1):
        if away["cabinet"] > battery["cabinets"]:
            allowed = f"2 to cabinets = {battery['cabinets']}"
            not_allowed(file, ("away", str(number), "cabinet"), away["cabinet"], allowed)
    if schedule["reserve_permille"] >= high:
        path = "schedule", "reserve_permille"
        not_allowed(file, path, schedule[path[1]], f"below high_permille = {high}")
    roles = [device.get("role") for device in top["device"].values()]
    if top["site"].get("grid_contact") and "grid_contact" not in roles:
        allowed = 'with a [device.NAME] of role = "grid_contact"'
        refuse(file, ("site", "grid_contact"), "no device reads these contacts", allowed)
    tariff.check(file, top["tariff"])
    try:
        times.zone_of(top["zone"])
    except SeriesError as error:
        raise ConfigError(f"{file}: {error}") from None
    plant_config.checked(top["plant"], file, "plant")
    possible = faults_of(devices_of(top["site"], battery["heater_W"]), schedule)
    for number, figure in enumerate(top["figure"], 1):
        _check_faults(file, number, figure, possible)


def faults_of(devices: Collection[str], schedule: Table) -> list[str]:
    """The faults of BREAKS that a system with these devices and this schedule can have."""
    parts = {None, *devices, *[key for key, setting in schedule.items() if setting]}
    return [fault for fault, part in BREAKS.items() if part in parts]


def _check_faults(file: str, number: int, figure: Table, possible: list[str]) -> None:
    """Refuse a fault that the system cannot have, a fault in both lists, and any fault if the
    figure is not a promise.
    """
    left, path = possible if figure["asked"] is not None else [], ("figure", str(number))
    for key in ("breaks", "survives"):
        for fault in figure[key]:
            if fault not in left:
                allowed = f"some of {', '.join(left)}" if left else "none, because nothing is asked"
                not_allowed(file, (*path, key), fault, allowed)
        left = [fault for fault in left if fault not in figure[key]]


def _days_of(site: Table, start: datetime) -> dict[str, tuple[str, int]]:
    """{table: (key, value)} that follow from the first day: sun, air and working days."""
    keys = {"weather": ("day", start.timetuple().tm_yday)}
    if site.get("load", {}).get("kind") == "queue":
        keys["load"] = "weekday", start.weekday()
    return keys


def _check_days(file: str, site: Table, start: datetime) -> None:
    for table, (key, _) in _days_of(site, start).items():
        if key in site.get(table, {}):
            allowed = f"none, it follows from start = {start:%Y-%m-%d}"
            refuse(file, ("site", table, key), "is given", allowed)


def _with_days(site: Table, start: datetime) -> Table:
    days = _days_of(site, start).items()
    return site | {table: {**site.get(table, {}), key: day} for table, (key, day) in days}
