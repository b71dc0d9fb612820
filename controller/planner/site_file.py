"""Reads planner.toml, the planner's own file: site, battery, tariff and feeds."""

import math
import os
import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, NamedTuple

from controller.forms.field import Form, choice, integer, matching, number, passing, table, text
from controller.forms.reading import check_tables, read, read_variant, tables_of
from controller.forms.refusal import ConfigError, not_allowed, refuse
from controller.planner import tariff
from controller.planner.cap import Agreed
from controller.planner.exact import J_PER_WH, Store
from controller.planner.feeds.points import Feed, unit_of
from controller.planner.planning import HARD_PART, Site
from controller.planner.reserve import Hours
from controller.series import money, times
from controller.series.meaning import BEGIN, END
from controller.series.refusal import SeriesError
from controller.system import child

HOUR_S = 3600.0
WEAR_OF_EURO = 0.01  # wear_per_kWh, in a currency as large as the euro
POWER_W, ENERGY_WH = (1.0, 100e6), (1000.0, 500e6)
KINDS = {  # {kind: (default of max_age_h, allowed units)}; day-ahead prices come once a day
    "prices": (36.0, "EUR/MWh, EUR/kWh or ct/kWh"),
    "load": (2.0, "W, kW or MW"),
    "pv": (24.0, "W, kW or MW"),
    "weather": (24.0, "W/m2 or kW/m2"),
    "air": (24.0, "degC or K"),
    "carbon": (36.0, "g/kWh or kg/MWh"),
    "jobs": (24.0, "W, kW or MW"),
    "warnings": (168.0, "h"),
}
KINDS_OF = {
    "jobs": ("jobs",),
    "csv": tuple(KINDS),
    "entsoe_xml": ("prices",),
    "recorder": ("load", "pv"),
}
SITE = {
    "zone": text(),
    "latitude_deg": number(-90, 90, None),
    "longitude_deg": number(-180, 180, None),
    "import_W_max": number(*POWER_W, None),
    "export_W_max": number(0, POWER_W[1]),
    "pv_rated_W": number(0, POWER_W[1], 0.0),
    "cooling_W_per_K": number(0, POWER_W[1], 0.0),
    "cooling_from_degC": number(-50, 50, 15.0),
}
BATTERY = {
    "cabinet": text(""),
    "energy_Wh": number(*ENERGY_WH, None),
    "power_W": number(*POWER_W, None),
    "round_trip_permille": integer(500, 1000, 880),
    "idle_W": number(0, 1e6, 0.0),
    "reserve_permille": integer(100, 900, 150),  # the least is planning.HARD_PART
    "high_permille": integer(100, 1000, 900),
    "wear_per_kWh": number(*tariff.MONEY, None),
}
RESERVE = {  # 48 h: beyond it, neither a battery nor a forecast is good enough
    "always_h": number(0, 48, 0.0),
    "warned_h": number(0, 48, 4.0),
}
LOAD = {  # as agreed with a scheduler; start_soc_permille as load_cap has it in site.toml
    "yields_W": number(0, POWER_W[1], 0.0),
    "yields_h_per_month": number(0, 744, 20.0),
    "start_soc_permille": integer(0, 1000, 200),
}
COMMON = {"kind": choice(tuple(KINDS)), "max_age_h": number(0.25, 8760, None)}
TIME_IS = {"time_is": choice(("", BEGIN, END), "")}
WAY = {"list": text(""), "time": text(), "value": text(), "unit": text(), **TIME_IS}
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
TIME_FORM, TIME = re.compile(r"[%\w:.+-]{1,40}"), re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?")


def _is_url(value: Any) -> bool:
    from controller.planner.feeds import fetch  # here, because urllib needs 8 MiB

    return isinstance(value, str) and fetch.is_allowed(value)


WEB = {
    "url": passing(_is_url, "https://..., or http:// to localhost or a private address"),
    "key_file": text(""),
    "time_form": matching(TIME_FORM, "a form as %Y%m%d%H%M", "%Y%m%d%H%M"),
    "timeout_s": number(1, 60, 10.0),
    "every_min": number(5, 1440, 30.0),
}
FORMATS: Mapping[str, Form] = {
    "csv": {"path": text(), "column": text(""), "unit": text(""), "only": text(""), **TIME_IS},
    "json": {"path": text(), **WAY},
    "http_json": {**WEB, **WAY},
    "entsoe_xml": {**WEB, "path": text(""), "url": WEB["url"]._replace(default=None)},
    "recorder": {"path": text()},
    "jobs": {
        "path": text(),
        "base_W": number(0, POWER_W[1]),
        "begin": matching(TIME, "a time as 2026-11-26T00:00", ""),
    },
}


class Planner(NamedTuple):
    """The whole file. place: latitude and longitude, deg; feeds: in the order of the file."""

    site: Site
    zone: tzinfo
    place: tuple[float, float] | None
    pv_rated_W: float
    cooling_W_per_K: float
    cooling_from_degC: float
    feeds: tuple[Feed, ...]


def load(path: str) -> Planner:
    """The checked file. ConfigError: one line with file, key and what is allowed."""
    form = {"site": table(SITE), "battery": table(BATTERY), "load": table(LOAD, {})}
    form |= {"reserve": table(RESERVE, {}), "tariff": table(tariff.FIELDS)}
    tables = read(path, (), tables_of(path, "a planner.toml"), {**form, "feed": table(default={})})
    tariff.check(path, tables["tariff"])
    site = tables["site"]
    try:
        zone = times.zone_of(site["zone"])
    except SeriesError as error:
        refuse(path, ("site", "zone"), str(error))
    place = site["latitude_deg"], site["longitude_deg"]
    if place.count(None) == 1:
        refuse(path, ("site",), "has one of latitude_deg and longitude_deg", "both or none")
    check_tables(path, ("feed",), tables["feed"])
    currency, rows = tables["tariff"]["currency"], tables["feed"].items()
    feeds = tuple([_feed(path, name, settings, zone, currency) for name, settings in rows])
    if "load" not in [feed.kind for feed in feeds]:
        refuse(path, ("feed",), "has no load", 'at least one feed with kind = "load"')
    return Planner(
        site=_site(path, tables),
        zone=zone,
        place=None if None in place else place,
        pv_rated_W=site["pv_rated_W"],
        cooling_W_per_K=site["cooling_W_per_K"],
        cooling_from_degC=site["cooling_from_degC"],
        feeds=feeds,
    )


def _site(path: str, tables: dict[str, Any]) -> Site:
    """The site, with low_J as its present energy. No plan uses the part of a frequency response."""
    settings, import_W = tables["battery"], tables["site"]["import_W_max"]
    energy_Wh, power_W = settings["energy_Wh"], settings["power_W"]
    low_permille, high_permille = settings["reserve_permille"], settings["high_permille"]
    kept_permille = 0.0
    if settings["cabinet"]:
        if energy_Wh is not None or power_W is not None:
            refuse(path, ("battery",), "has cabinet beside energy_Wh or power_W", "one of the two")
        limits = _of_cabinet(path, settings["cabinet"])
        energy_Wh, power_W, most_W, kept_permille, most_permille = limits
        import_W = most_W if import_W is None else min(import_W, most_W)
        low_permille = max(low_permille, kept_permille)
        high_permille = min(high_permille, most_permille)
    battery = ("battery", "energy_Wh", energy_Wh), ("battery", "power_W", power_W)
    for *key, value in (*battery, ("site", "import_W_max", import_W)):
        if value is None:
            refuse(path, tuple(key), "is missing", "a number, or cabinet = a cabinet.toml")
    if low_permille >= high_permille:
        allowed = f"below high_permille = {high_permille}"
        not_allowed(path, ("battery", "reserve_permille"), low_permille, allowed)
    full_J = energy_Wh * J_PER_WH
    bounds_J = full_J * low_permille / 1000, full_J * high_permille / 1000
    one_way = math.sqrt(settings["round_trip_permille"] / 1000)
    wear = settings["wear_per_kWh"]
    if wear is None:
        wear = WEAR_OF_EURO * min(money.scales(tables["tariff"]["currency"]), default=1.0)
    more = one_way, wear, settings["idle_W"]
    yields_W, hours, start_permille = tables["load"].values()
    return Site(
        Store(*bounds_J, bounds_J[0], power_W, power_W, *more),
        full_J,
        import_W,
        export_W=tables["site"]["export_W_max"],
        tariff=tables["tariff"],
        yields=Agreed(yields_W, hours, start_permille / 1000),
        hours=Hours(**tables["reserve"]),
        least_part=max(HARD_PART, kept_permille / 1000),
    )


def _of_cabinet(path: str, cabinet: str) -> list[float]:
    """Energy and power that a cabinet's configuration leaves to a plan, the import of its site, and
    the lowest and highest charge, permille.
    """
    outcome = child.result(lambda: _in_child(_beside(path, cabinet)))
    if isinstance(outcome, str):
        refuse(path, ("battery", "cabinet"), outcome)
    return list(outcome)


def _in_child(path: str) -> list[float] | str:
    """The values, or why they are unknown. A child process reads them, because this takes 12
    MiB.
    """
    from controller.config import configuration
    from controller.core.policies import droop

    try:
        config = configuration.load(path)
    except ConfigError as error:
        return str(error)
    rated_W = sum([unit_table["rated_W"] for unit_table in config.unit_tables])
    control = config.control
    power_W = max(0, rated_W - control["droop_W_max"])
    ends = control["energy_Wh"], power_W, control["grid_import_W_max"]
    return [*ends, *droop.kept_permille(control)]


def _beside(path: str, name: str) -> str:
    """A path named in the file. It is relative to the folder of the file."""
    return os.path.join(os.path.dirname(path), name) if name else ""


def _feed(path: str, name: str, settings: Any, zone: tzinfo, currency: str) -> Feed:
    key = "feed", name
    if not NAME.fullmatch(name):
        refuse(path, key, "is no name", "a small letter, then up to 31 of a-z, 0-9 and _")
    fields = read_variant(path, key, settings, "format", FORMATS, COMMON)
    kind, format_name, url = fields["kind"], fields["format"], fields.get("url")
    max_age_h, units = KINDS[kind]
    kinds = KINDS_OF.get(format_name, [feed_kind for feed_kind in KINDS if feed_kind != "jobs"])
    if kind not in kinds:
        not_allowed(path, (*key, "kind"), kind, f"{', '.join(kinds)} for format {format_name}")
    unit = fields.get("unit", "")
    if (unit or format_name.endswith("json")) and unit_of(kind, unit) is None:
        not_allowed(path, (*key, "unit"), unit, units)
    if bool(url) == bool(fields.get("path")):
        refuse(path, key, "has no source or two", "one of path and url")
    if url and ("{key}" in url) != bool(fields["key_file"]):
        refuse(path, (*key, "key_file"), "and {key} in url need each other", "both or none")
    for path_key in {"path", "key_file"} & fields.keys():
        fields[path_key] = _beside(path, fields[path_key])
    age_h = max_age_h if fields["max_age_h"] is None else fields["max_age_h"]
    return Feed(
        name,
        kind,
        format=format_name,
        max_age_s=age_h * HOUR_S,
        zone=zone,
        currency=currency,
        keys=fields,
    )
