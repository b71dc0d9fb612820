"""The TOML file of a system: sizes, series, tariff, schedule, and the figures that are asked of it.

A wrong key or value is refused in one line.
"""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from controller.series import times
from controller.series.refusal import SeriesError
from drivers import toml_text
from hil.fields import (
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
)
from hil.plant import config as plant_config
from hil.site.description import check_lists
from hil.systems import tariff
from hil.systems.sized import Size

FOLDER = Path(__file__).parent
NAMES = ("munich", "berlin", "norway", "nordic", "north_america", "shanghai")
STATUS = ("measured", "projected", "unreachable")

TOP = {
    "name": Entry(TEXT, REQUIRED),
    "text": Entry(TEXT, REQUIRED),
    "start": Entry(TEXT, REQUIRED),
    "zone": Entry(TEXT, "UTC"),  # of `start` and of local times in a file of prices
    "days": Entry(INTEGER, REQUIRED, 1, 366),
    "seed": Entry(INTEGER, 1, 0, 2**31 - 1),
    "soc_permille": Entry(INTEGER, 500, 50, 950),
    "outage_s": Entry(INTEGER, 0, 0, 86_400),  # once, at a random moment after the first day
    "battery": Entry(TABLE, REQUIRED),
    "plant": Entry(TABLE, {}),
    "site": Entry(TABLE, REQUIRED),
    "tariff": Entry(TABLE, REQUIRED),
    "prices": Entry(TABLE, REQUIRED),
    "schedule": Entry(TABLE, {}),
    "figure": Entry(TABLES, REQUIRED),
    "sizing": Entry(LIST, []),
    "variant": Entry(TABLE, {}),
}
BATTERY = {
    "units": Entry(INTEGER, REQUIRED, 1, 16),
    "cabinets": Entry(INTEGER, 1, 1, 16),  # each with a controller, units and a share of its own
    "racks_per_unit": Entry(INTEGER, 1, 1, 16),
    "rated_W": Entry(INTEGER, REQUIRED, 1000, 4_000_000),
    "energy_Wh": Entry(INTEGER, REQUIRED, 1000, 100_000_000),
    "export_W": Entry(INTEGER, 0, 0, 100_000_000),
    "can_form": Entry("true or false", False),
    "heater_W": Entry(INTEGER, 0, 0, 10_000_000),  # of the cabinets; 0: none
    "control": Entry(TABLE, {}),
}
SPANS = "valley_hours", "peak_hours", "summer_peak_hours"
HOURS = (0, 24), (0, 24)  # first, end
DEMAND, MONTHS = {"demand_per_kW_month": [tariff.MONEY]}, 12
PRICES = {
    "kind": Entry(TEXT, "built_in", choices=("built_in", "time_of_use")),
    "day": Entry(LIST, []),  # built_in: mean of each hour, money per MWh
    **{name: Entry(NUMBER, 0.0, -10, 10) for name in ("valley", "flat", "peak")},
    **{name: Entry(LIST, []) for name in SPANS},
}
SCHEDULE = {
    "cap_permille": Entry(INTEGER, 1000, 1, 1000),  # of the highest import without a battery
    "cap_W": Entry(NUMBER, 0, 0, 50e6),  # instead of it
    "is_trading": Entry("true or false", True),
    "reserve_permille": Entry(INTEGER, 150, 50, 900),
    "high_permille": Entry(INTEGER, 900, 100, 1000),
    "efficiency": Entry(NUMBER, 0.86, 0.1, 1),
    "wear_per_kWh": Entry(NUMBER, 0.01, 0, 1),
    "saving_permille": Entry(INTEGER, 0, 0, 900),  # least saving by a kWh of the grid
    "is_load_known": Entry("true or false", False),  # otherwise the same slot of yesterday
    "forecast_error_permille": Entry(INTEGER, 0, 0, 500),  # rms of each slot
    "notice_min": Entry(INTEGER, 0, 0, 1440),  # the load of so many minutes ahead is known
}
FIGURE = {
    "name": Entry(TEXT, REQUIRED),
    "text": Entry(TEXT, REQUIRED),
    "asked": Entry(NUMBER, None, -1e12, 1e12),
    "way": Entry(TEXT, "least", choices=("least", "most")),
    "unit": Entry(TEXT, ""),
    "status": Entry(TEXT, REQUIRED, choices=STATUS),
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
    table = toml_text.read(FOLDER / f"{name}.toml")
    return list(table.get("variant", {}))


def load(name: str, variant: str = "") -> Spec:
    """The system of a name. variant: of its file, changes that are laid over it."""
    path = FOLDER / f"{name}.toml"
    table = toml_text.read(path)
    variants = table.get("variant", {})
    if variant and variant not in variants:
        known = ", ".join(variants) or "none"
        raise ScenarioError(f"{path.name}: variant {variant}: allowed are {known}")
    return of_table(_over(table, variants[variant]) if variant else table, path.name)


def _over(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _over(table[key], each) if isinstance(each, dict) and key in table else each
        for key, each in changes.items()
    }
    return table | both


def of_table(table: dict[str, Any], name: str) -> Spec:
    """ScenarioError: one line."""
    top = checked(table, TOP, name)
    battery = checked(top["battery"], BATTERY, f"{name}: battery")
    if battery["units"] % battery["cabinets"]:
        raise ScenarioError(
            f"{name}: battery: cabinets = {battery['cabinets']}: allowed is a divisor of units = "
            f"{battery['units']}"
        )
    start = _start(top["start"], top["zone"], name)
    _check_plant(top["plant"], name)
    import_W = round(top["site"].get("connection", {}).get("import_W", 500_000))
    devices = _devices(top["site"], battery["heater_W"])
    size = Size(
        *[battery[key] for key in ("units", "racks_per_unit", "rated_W", "energy_Wh")],
        import_W,
        battery["export_W"],
        battery["control"],
        devices,
    )
    return Spec(
        **{key: top[key] for key in ("name", "text", "zone", "days", "seed", "site")},
        **{key: top[key] for key in ("plant", "sizing", "outage_s", "soc_permille")},
        start=start,
        size=size,
        cabinets=battery["cabinets"],
        can_form=battery["can_form"],
        tariff=_tariff(top["tariff"], f"{name}: tariff"),
        prices=_prices(top["prices"], f"{name}: prices"),
        schedule=_schedule(top["schedule"], f"{name}: schedule"),
        figures=[
            checked(each, FIGURE, f"{name}: figure {number}")
            for number, each in enumerate(top["figure"], 1)
        ],
    )


def _start(text: str, zone: str, name: str) -> datetime:
    """The local time at which the run begins."""
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        start = None
    if start is None or start.tzinfo:
        raise ScenarioError(f"{name}: start = {text!r}: allowed is a day, 2026-06-01")
    try:
        times.zone_of(zone)
    except SeriesError as error:
        raise ScenarioError(f"{name}: {error}") from None
    return start


def _check_plant(table: dict[str, Any], name: str) -> None:
    try:
        plant_config.checked(table)
    except (TypeError, ValueError) as error:
        raise ScenarioError(f"{name}: {error}") from None


def _schedule(table: dict[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = checked(table, SCHEDULE, where)
    reserve, high = found["reserve_permille"], found["high_permille"]
    if reserve >= high:
        raise ScenarioError(
            f"{where}: reserve_permille = {reserve}: allowed is below high_permille = {high}"
        )
    return found


def _tariff(table: dict[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = checked(table, tariff.FIELDS, where)
    hours, demand = found["demand_hours"], found["demand_per_kW_month"]
    check_lists({"demand_hours": [hours] * bool(hours)}, {"demand_hours": HOURS}, where)
    check_lists({"demand_per_kW_month": [[each] for each in demand]}, DEMAND, where)
    if hours and hours[0] >= hours[1]:
        raise ScenarioError(f"{where}: demand_hours = {hours}: allowed is [first, end], on one day")
    if len(demand) not in (1, MONTHS):
        raise ScenarioError(f"{where}: demand_per_kW_month: allowed are 1 or {MONTHS} numbers")
    return found


def _prices(table: dict[str, Any], where: str) -> dict[str, Any]:
    found: dict[str, Any] = checked(table, PRICES, where)
    check_lists(found, dict.fromkeys(SPANS, HOURS), where)
    check_lists({"day": [[each] for each in found["day"]]}, {"day": [(-1000, 10_000)]}, where)
    if len(found["day"]) not in (0, HOURS[1][1]):
        raise ScenarioError(f"{where}: day: allowed are {HOURS[1][1]} numbers")
    return found


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
