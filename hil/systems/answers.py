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
    annual = document.get("year")
    if annual is None:
        is_dearer, text = cost.sentences(document["cost"])
        season = f"{counted(result.spec.days, 'day')} from {result.spec.start:%-d %B}"
        return [
            judged(not is_dearer, f"In {season}: {text}"),
            "One season is not a year: --year plays a week of each, --sweep half the battery.",
        ]
    lines = [judged(*year.verdict(annual)), *year.smoothing(annual), *_half(annual)]
    return [*lines, f"Hidden by four weeks: {'; '.join(annual['hides'])}."]


def seasons(annual: Document) -> list[list[str]]:
    """Rows of SEASON, one for the week of each season. annual: result of year.document."""
    return [
        [
            name.capitalize(),
            *[f"{season[key]:,.0f} {annual['currency']}" for key in ("without_battery", "bill")],
            f"{number(100 * season['saved'] / season['without_battery'])} %",
            f"{season['peak_kW']:,.0f} kW instead of {season['peak_without_kW']:,.0f}",
        ]
        for name, season in annual["seasons"].items()
    ]


def _half(annual: Document) -> list[str]:
    halves = [outcome for outcome in annual["sweep"] if outcome["factor"] == HALF]
    return [
        f"Half the battery ({outcome['battery']}) {_yearly(outcome)}; this one {_yearly(annual)}."
        for outcome in halves
    ]


def _yearly(outcome: Document) -> str:
    word = "saves" if outcome["net"] > 0 else "costs"
    return f"{word} {abs(outcome['net']):,.0f} {outcome['currency']} a year"


def outage(result: Result) -> list[Cell]:
    """Sources that feed the load without the grid, and figures of outages with the kernel."""
    size, genset = result.spec.size, result.spec.site.get("genset")
    cells = []
    if not size.can_form:
        cells.append("The battery carries no island: without the grid the site is dark.")
    if genset:
        settings = {**GENSET, **genset}
        litres, load_kW = settings["tank_l"] * settings["fuel_permille"] / 1000, _mean_kW(result)
        hours = litres / (settings["fuel_l_per_kWh"] * min(load_kW, settings["rated_W"] / 1000))
        power = f"{settings['rated_W'] / 1000:,.0f} kW"
        cells.append(f"A generator set of {power} takes over; its fuel lasts {hours:.0f} h.")
    return [*cells, *[_played(minute, result) for minute in result.minutes if minute["is_outage"]]]


def _mean_kW(result: Result) -> float:
    return float(result.load_W.mean()) / 1000


def _played(played: Document, result: Result) -> Cell:
    """The answer about one outage that was simulated with the safety kernel."""
    warned_h = result.spec.warned_ahead_h or 0
    warning = f"with {warned_h:g} h of warning" if warned_h else "without a warning"
    shed = max([open_ for _, open_ in played["stages"]], default=0)
    engine = played["engine_s"]
    parts = [
        f"With the kernel, {played['for_s']:,} s without the grid, {warning}, at a charge of "
        f"{played['soc']:.0%} and {played['load_W'] / 1000:,.0f} kW: the critical load had power "
        f"for {played['carried_s']:,.0f} s",
        *([f"{shed} stages of the load were shed"] if shed else []),
        *([f"the set carried after {engine:.0f} s"] if engine is not None else []),
        *played["faults"],
    ]
    return judged(not played["faults"], f"{'; '.join(parts)}.")


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
