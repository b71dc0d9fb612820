"""The TOML file of a system: sizes, series, tariff, schedule, and the figures that are asked of it.

A wrong key or value is refused in one line.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from controller.forms.field import (
    choice,
    flag,
    integer,
    number,
    numbers,
    passing,
    rows,
    table,
    tables,
    text,
    texts,
)
from controller.forms.reading import read, tables_of
from controller.forms.refusal import ConfigError, not_allowed
from controller.series import times
from controller.series.refusal import SeriesError
from hil.plant import config as plant_config
from hil.systems import tariff
from hil.systems.sized import Size

FOLDER = Path(__file__).parent
NAMES = ("munich", "berlin", "norway", "nordic", "north_america", "shanghai")
STATUS = ("measured", "projected", "unreachable")


def _is_day(value: Any) -> bool:
    try:
        return not datetime.fromisoformat(value).tzinfo
    except (TypeError, ValueError):
        return False


BATTERY = {
    "units": integer(1, 16),
    "cabinets": integer(1, 16, 1),  # each with a controller, units and a share of its own
    "racks_per_unit": integer(1, 16, 1),
    "rated_W": integer(1000, 4_000_000),
    "energy_Wh": integer(1000, 100_000_000),
    "export_W": integer(0, 100_000_000, 0),
    "can_form": flag(False),
    "heater_W": integer(0, 10_000_000, 0),  # of the cabinets; 0: none
    "control": table(default={}),
}
SPANS = "valley_hours", "peak_hours", "summer_peak_hours"  # rows of [first, end]
PRICES = {
    "kind": choice(("built_in", "time_of_use"), "built_in"),
    "day": numbers(-1000, 10_000, [], (0, 24)),  # built_in: mean of each hour, money per MWh
    **{name: number(-10, 10, 0.0) for name in ("valley", "flat", "peak")},
    **{name: rows(tariff.HOURS, tariff.HOURS) for name in SPANS},
}
SCHEDULE = {
    "cap_permille": integer(1, 1000, 1000),  # of the highest import without a battery
    "cap_W": number(0, 50e6, 0),  # instead of it
    "is_trading": flag(True),
    "reserve_permille": integer(50, 900, 150),
    "high_permille": integer(100, 1000, 900),
    "efficiency": number(0.1, 1, 0.86),
    "wear_per_kWh": number(0, 1, 0.01),
    "saving_permille": integer(0, 900, 0),  # least saving by a kWh of the grid
    "is_load_known": flag(False),  # otherwise the same slot of yesterday
    "forecast_error_permille": integer(0, 500, 0),  # rms of each slot
    "notice_min": integer(0, 1440, 0),  # the load of so many minutes ahead is known
}
FIGURE = {
    "name": text(),
    "text": text(),
    "asked": number(-1e12, 1e12, None),
    "way": choice(("least", "most"), "least"),
    "unit": text(""),
    "status": choice(STATUS),
}
TOP = {
    "name": text(),
    "text": text(),
    "start": passing(_is_day, "a day, 2026-06-01"),
    "zone": text("UTC"),  # of `start` and of local times in a file of prices
    "days": integer(1, 366),
    "seed": integer(0, 2**31 - 1, 1),
    "soc_permille": integer(50, 950, 500),
    "outage_s": integer(0, 86_400, 0),  # once, at a random moment after the first day
    "battery": table(BATTERY),
    "plant": table(default={}),
    "site": table(),
    "tariff": table(tariff.FIELDS),
    "prices": table(PRICES),
    "schedule": table(SCHEDULE, {}),
    "figure": tables(FIGURE),
    "sizing": texts([]),
    "variant": table(default={}),
}


class Spec(NamedTuple):
    """A checked system; `site` are the tables of a site's file (hil/site/SITE.md)."""

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
    can_form: bool
    plant: dict[str, float]
    site: dict[str, Any]
    tariff: dict[str, Any]
    prices: dict[str, Any]
    schedule: dict[str, Any]
    figures: list[dict[str, Any]]
    sizing: list[str]


def variants(name: str) -> list[str]:
    """The variants of a system's file."""
    return list(_content(name).get("variant", {}))


def load(name: str, variant: str = "") -> Spec:
    """The system of a name. variant: of its file, changes that are laid over it."""
    content, file = _content(name), f"{name}.toml"
    variants = content.get("variant", {})
    if variant and variant not in variants:
        known = ", ".join(variants) or "none"
        not_allowed(file, ("variant",), variant, known, variants)
    return of_table(_over(content, variants[variant]) if variant else content, file)


def _content(name: str) -> dict[str, Any]:
    return tables_of(str(FOLDER / f"{name}.toml"), "a system", name=f"{name}.toml")


def _over(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _over(table[key], each) if isinstance(each, dict) and key in table else each
        for key, each in changes.items()
    }
    return table | both


def of_table(content: dict[str, Any], file: str) -> Spec:
    """The checked system. Raises ConfigError."""
    top = read(file, (), content, TOP)
    _check(file, top)
    battery = top["battery"]
    import_W = round(top["site"].get("connection", {}).get("import_W", 500_000))
    devices = _devices(top["site"], battery["heater_W"])
    size = Size(
        *[battery[key] for key in ("units", "racks_per_unit", "rated_W", "energy_Wh")],
        import_W,
        battery["export_W"],
        battery["control"],
        devices,
    )
    alike = {key: top[key] for key in Spec._fields if key in top and key != "start"}
    return Spec(
        **alike,
        start=datetime.fromisoformat(top["start"]),
        size=size,
        cabinets=battery["cabinets"],
        can_form=battery["can_form"],
        figures=top["figure"],
    )


def _check(file: str, top: dict[str, Any]) -> None:
    """Refuse values that contradict each other."""
    battery, schedule, hours = top["battery"], top["schedule"], top["tariff"]["demand_hours"]
    units, high = battery["units"], schedule["high_permille"]
    if battery["units"] % battery["cabinets"]:
        allowed = f"a divisor of units = {units}"
        not_allowed(file, ("battery", "cabinets"), battery["cabinets"], allowed)
    if schedule["reserve_permille"] >= high:
        path = "schedule", "reserve_permille"
        not_allowed(file, path, schedule[path[1]], f"below high_permille = {high}")
    if hours and hours[0] >= hours[1]:
        not_allowed(file, ("tariff", "demand_hours"), hours, "[first, end], on one day")
    try:
        times.zone_of(top["zone"])
    except SeriesError as error:
        raise ConfigError(f"{file}: {error}") from None
    plant_config.checked(top["plant"], file, "plant")


def _devices(site: dict[str, Any], heater_W: int) -> dict[str, dict[str, Any]]:
    """The site devices that the controller commands: PV, generator set and heater, where the
    system has them.
    """
    found = {}
    for role, profile in (("pv", "sunspec_pv.toml"), ("genset", "dse_genset")):
        if role in site:
            rated_W = round(site[role]["rated_W"])
            found[role] = {"role": role, "profile": profile, "rated_W": rated_W}
    if heater_W:
        found["heater"] = {"role": "heater", "profile": "heater_contact", "rated_W": heater_W}
    return found
