"""Makes the answers for a facility manager: a year's saving, half the battery, an outage."""

from controller.documents.document import Cell, judged
from controller.system.worded import counted
from hil.site.genset import DEFAULTS as GENSET
from hil.systems import cost, round_trip, year
from hil.systems.figures import number
from hil.systems.member import SOC_FORMS
from hil.systems.run import Result
from hil.systems.verdict import Document

SEASON = "season", "no battery", "with the battery", "saved", "highest import"
CHARGES = 0.2, 0.4, 0.6, 0.8, 0.97
HALF = 0.5


def money(result: Result, document: Document) -> list[Cell]:
    """The saving of a year, also with half the battery. Without --year, the saving of the run."""
    found = document.get("year")
    if found is None:
        is_dearer, text = cost.words(document["cost"])
        season = f"{counted(result.spec.days, 'day')} from {result.spec.start:%-d %B}"
        return [
            judged(not is_dearer, f"In {season}: {text}"),
            "One season is not a year: --year plays a week of each, --sweep half the battery.",
        ]
    lines = [judged(*year.verdict(found)), *year.smoothing(found), *_half(found)]
    return [*lines, f"Hidden by four weeks: {'; '.join(found['hides'])}."]


def seasons(found: Document) -> list[list[str]]:
    """Rows of SEASON, one for the week of each season. found: result of year.document."""
    return [
        [
            name.capitalize(),
            *[f"{each[key]:,.0f} {found['currency']}" for key in ("without_battery", "bill")],
            f"{number(100 * each['saved'] / each['without_battery'])} %",
            f"{each['peak_kW']:,.0f} kW instead of {each['peak_without_kW']:,.0f}",
        ]
        for name, each in found["seasons"].items()
    ]


def _half(found: Document) -> list[str]:
    other = [each for each in found["sweep"] if each["factor"] == HALF]
    return [
        f"Half the battery ({each['battery']}) {_yearly(each)}; this one {_yearly(found)}."
        for each in other
    ]


def _yearly(found: Document) -> str:
    word = "saves" if found["net"] > 0 else "costs"
    return f"{word} {abs(found['net']):,.0f} {found['currency']} a year"


def outage(result: Result) -> list[Cell]:
    """Sources that feed the load without the grid, and figures of outages with the kernel."""
    size, genset = result.spec.size, result.spec.site.get("genset")
    found = []
    if not size.can_form:
        found.append("The battery carries no island: without the grid the site is dark.")
    if genset:
        given = {**GENSET, **genset}
        litres, load_kW = given["tank_l"] * given["fuel_permille"] / 1000, _mean_kW(result)
        hours = litres / (given["fuel_l_per_kWh"] * min(load_kW, given["rated_W"] / 1000))
        power = f"{given['rated_W'] / 1000:,.0f} kW"
        found.append(f"A generator set of {power} takes over; its fuel lasts {hours:.0f} h.")
    return [*found, *[_played(minute, result) for minute in result.minutes if minute["is_outage"]]]


def _mean_kW(result: Result) -> float:
    return float(result.load_W.mean()) / 1000


def _played(found: Document, result: Result) -> Cell:
    """The answer about one outage that was simulated with the safety kernel."""
    warned_h = result.spec.warned_ahead_h or 0
    warning = f"with {warned_h:g} h of warning" if warned_h else "without a warning"
    shed = max([open_ for _, open_ in found["stages"]], default=0)
    engine = found["engine_s"]
    parts = [
        f"With the kernel, {found['for_s']:,} s without the grid, {warning}, at a charge of "
        f"{found['soc']:.0%} and {found['load_W'] / 1000:,.0f} kW: the critical load had power for "
        f"{found['carried_s']:,.0f} s",
        *([f"{shed} stages of the load were shed"] if shed else []),
        *([f"the set carried after {engine:.0f} s"] if engine is not None else []),
        *found["faults"],
    ]
    return judged(not found["faults"], f"{'; '.join(parts)}.")


def hours(result: Result) -> tuple[tuple[str, ...], list[list[str]]]:
    """(head, rows): the hours that an island lasts from each state of charge. They are computed
    from the energy above SOC_FORMS, less losses and without PV. Empty if the battery forms no
    island.
    """
    spec = result.spec
    if not spec.size.can_form:
        return (), []
    loads_kW = {
        "the mean load": _mean_kW(result),
        "the highest load": float(result.load_W.max()) / 1000,
    }
    if spec.critical_W:
        loads_kW["the critical load, the rest shed"] = spec.critical_W / 1000
    power_kW = spec.size.power_W / 1000
    whole_kWh = spec.size.energy_Wh / 1000 * round_trip.efficiency(spec.size, spec.plant) ** 0.5
    rows = []
    for charge in CHARGES:
        kWh = (charge - SOC_FORMS) * whole_kWh
        carried = [
            f"{kWh / kW:.1f} h" if kW <= power_kW else "not carried" for kW in loads_kW.values()
        ]
        rows.append([f"{100 * charge:.0f} % charged", f"{kWh:,.0f} kWh", *carried])
    return ("", "usable", *[f"{name}, {kW:,.0f} kW" for name, kW in loads_kW.items()]), rows
