"""`run --year` plays a week of each season and computes a year; `--sweep` varies the battery.

The default run of a system has one season, and other seasons save less. Here each week has its own
sun, air, working days, and random load, clouds and prices. The year is 13 times their sum. A
capacity tag is set in the summer week and paid in all weeks.
"""

import argparse
import math
from datetime import datetime, timedelta
from typing import Any

from controller.planner.tariff import J_PER_KWH
from hil.plant import pcs
from hil.runner.cases import Runner
from hil.systems import cost, optimum, plays, resized, run
from hil.systems.figures import bills
from hil.systems.run import Result
from hil.systems.series import KWH_PER_W_SLOT, SLOT_S, SLOTS_PER_DAY, Series
from hil.systems.spec import Inputs, Spec
from hil.systems.swing_figures import swings
from hil.systems.verdict import Document

SEASONS = {"winter": (1, 12), "spring": (4, 13), "summer": (7, 13), "autumn": (10, 12)}
DAYS, YEAR_DAYS, LIFE_YEARS = 7, 365.25, 10
START_SLOTS = 4
SIZES = 0.25, 0.5, 1.0, 1.5, 2.0  # factors on the battery's size, for --sweep
# Price of a large installed battery in 2025, money per kWh (assumed). Other currencies are not
# judged.
PRICES = {"EUR": 250, "USD": 250, "CNY": 800}
# Four bills: with and without battery; bare: without battery and PV; best: perfect foresight.
BILLS = "with", "without", "bare", "best"


def weeks(spec: Spec) -> dict[str, Spec]:
    """The system in a week of each season of its year; without its outages and events."""
    days = min(DAYS, spec.days)
    return {
        season: spec.from_day(
            datetime(spec.start.year, *day), days, spec.seed * len(SEASONS) + number
        )
        for number, (season, day) in enumerate(SEASONS.items())
    }


def week(season: str, whole: Result) -> Document:
    """Money and energy of a week. kept: worth of the energy that the battery gained, at the mean
    price.
    """
    result = settled(whole)
    spec = result.spec
    given_kWh = float(result.battery_W.clip(min=0).sum()) * KWH_PER_W_SLOT
    named_bills = dict(zip(BILLS, [*bills(result), optimum.bill(result)]))
    days = len(result.soc) / SLOTS_PER_DAY
    return {
        "season": season,
        "days": days,
        **{
            name: bill and {**bill._asdict(), "peak_W": bill.peak_W, "total": bill.total}
            for name, bill in named_bills.items()
        },
        "kept": result.gained_Wh / 1000 * result.mean_price,
        "wear": given_kWh * spec.schedule["wear_per_kWh"],
        "given_kWh": given_kWh,
        "lost_kWh": cost.of(whole)["lost_kWh"],
        "auxiliaries_kWh": whole.account["auxiliaries"] / J_PER_KWH,
        "swings": (swings(result)[0] or 0.0) * spec.days / 90,
    }


def settled(whole: Result) -> Result:
    """The run without its first hour. Load tracking begins with the grid at the load of one second,
    which may be a peak. Weighted to a year, four such peaks would count as 52.
    """
    spec, cut = whole.spec, START_SLOTS
    arrays = "grid_W", "battery_W", "pv_W", "genset_W", "load_W", "soc", "spread_K"
    cut_arrays: dict[str, Any] = {name: getattr(whole, name)[cut:] for name in arrays}
    start = spec.start + timedelta(seconds=cut * SLOT_S)
    return whole._replace(
        spec=spec._replace(start=start, soc_permille=round(1000 * float(whole.soc[cut - 1]))),
        series=Series(*[column[cut:] for column in whole.series]),
        seconds_W=whole.seconds_W[:, cut * SLOT_S :],
        battery_1s_W=whole.battery_1s_W[cut * SLOT_S :],
        **cut_arrays,
    )


def document(spec: Spec, weeks: list[Document]) -> Document:
    """The weeks and the year as plain data."""
    weight = YEAR_DAYS / len(SEASONS) / weeks[0]["days"]
    year = _sums(weeks, weight, weight * len(SEASONS))
    energy_kWh, price = spec.size.energy_Wh / 1000, PRICES.get(spec.tariff["currency"], 0)
    net = year["saved"] - year["wear"]
    worth = net * LIFE_YEARS / energy_kWh
    return {
        "name": spec.name,
        "size": resized.sizes_text(spec),
        "battery": resized.battery(spec),
        "energy_kWh": energy_kWh,
        "currency": spec.tariff["currency"],
        "weeks": weeks,
        "seasons": {week["season"]: _sums([week], 1.0, 1.0) for week in weeks},
        "year": year,
        "net": net,
        "worth_per_kWh": worth,
        "price_per_kWh": price,
        "pays": net > 0 and worth >= price,
        "fixed_kWh": spec.size.units * pcs.losses_W(0.0, spec.size.rated_W) / 1000 * YEAR_DAYS * 24,
        "is_smoothing": not spec.schedule["is_trading"],
        "hides": hides(spec),
    }


def _sums(weeks: list[Document], weight: float, of_tags: float) -> Document:
    """Money and energy of these weeks. saved: by the battery; best: by perfect foresight."""

    def paid(name: str, *parts: str) -> float:
        factors = {"energy": weight, "demand": weight, "tags": of_tags}
        return math.fsum([factors[part] * week[name][part] for week in weeks for part in parts])

    parts = "energy", "demand", "tags"
    alike = ("kept", "wear", "given_kWh", "lost_kWh", "auxiliaries_kWh", "swings")
    sums = {key: weight * math.fsum([week[key] for week in weeks]) for key in alike}
    drawn = weight * math.fsum([min(0.0, week["kept"]) for week in weeks])
    without, peaks_kW = paid("without", *parts), [max(week[name]["peak_W"] for week in weeks) / 1000
                                                  for name in BILLS[:2]]  # fmt: skip
    has_best = all(week["best"] for week in weeks)
    return {
        **sums,
        "bare": paid("bare", *parts),
        "bill": paid("with", *parts) - sums["kept"],
        "without_battery": without,
        "saved": without - paid("with", *parts) + sums["kept"],
        "best": without - paid("best", *parts) + drawn if has_best else None,
        "energy_saved": paid("without", "energy") - paid("with", "energy") + sums["kept"],
        "peak_saved": paid("without", *parts[1:]) - paid("with", *parts[1:]),
        "peak_kW": peaks_kW[0],
        "peak_without_kW": peaks_kW[1],
    }


def hides(spec: Spec) -> list[str]:
    """Sentences about effects that the four weeks of this system cannot show."""
    prices, hours = spec.prices, "its own noise, but the dearest and the cheapest days are missing"
    of_prices = {
        "built_in": f"prices: the same mean in each season, a low noon from April on; {hours}",
        "time_of_use": "prices: by time of use, exact in each season",
    }[prices["kind"]]
    if prices["day"]:
        of_prices = "prices: the hours of one month in all seasons, as if winter had summer's peaks"
    hidden = [of_prices]
    if not spec.site.get("weather", {}).get("season_K"):
        hidden.append("air: as warm in winter as in summer, so cooling costs too much")
    hidden.append(
        "peaks: of a week; a month has the highest of four, and a battery is judged by it"
    )
    if spec.tariff["tag_per_kW_year"]:
        hidden.append("tags: set in the summer week, by its working days, for the whole year")
    return [
        *hidden,
        "outages, cold snaps, holidays, ageing of the cells and interest on their price",
    ]


COLUMNS = "  {:<10}{:>14}{:>14}{:>12}{:>8}{:>12}{:>10}{:>10}{:>12}{:>12}"
HEAD = ("season", "no battery", "with it", "saved", "%", "optimum", "share %", "wear", "peak kW",
        "without")  # fmt: skip


def lines(document: Document) -> list[str]:
    """The seasons as a table, and the year in sentences."""
    currency = document["currency"]
    return [
        "",
        f"{document['name']}: a year from four weeks, {document['size']}, {currency}, {run.MODE}",
        COLUMNS.format(*HEAD),
        *[_line(season, sums) for season, sums in document["seasons"].items()],
        _line("year", document["year"]),
        *[f"  {sentence}" for sentence in (verdict(document)[1], *smoothing(document))],
        *([] if document["year"]["best"] is not None else [f"  {optimum.MISSING}"]),
        "  optimum: perfect foresight at the best efficiency, so it cannot be reached",
        *[f"  hidden: {sentence}" for sentence in document["hides"]],
    ]


def _line(name: str, sums: Document) -> str:
    without, best = sums["without_battery"], sums["best"]
    part = 100 * sums["saved"] / without if without else 0.0
    money = [f"{sums[key]:,.0f}" for key in ("without_battery", "bill", "saved")]
    most = "-" if best is None else f"{round(best):,}"
    peaks = [f"{sums[key]:,.0f}" for key in ("peak_kW", "peak_without_kW")]
    values = [*money, f"{part:.1f}", most, _share(sums), f"{sums['wear']:,.0f}", *peaks]
    return COLUMNS.format(name, *values)


def _share(sums: Document) -> str:
    """The saving, in percent of the saving by perfect foresight."""
    best = sums["best"] or 0
    return f"{100 * sums['saved'] / best:.0f}" if best > 0 else "-"


def verdict(document: Document) -> tuple[bool, str]:
    """(True if the battery pays, the year in a sentence)."""
    net, currency, price = (document[key] for key in ("net", "currency", "price_per_kWh"))
    if not net > 0:
        return False, (
            f"THE BATTERY DOES NOT PAY BY ITS BILL: it costs {abs(net):,.0f} {currency} a year, "
            f"wear included."
        )
    saves = f"it saves {net:,.0f} {currency} a year, wear included"
    worth = f"{LIFE_YEARS} years bring {document['worth_per_kWh']:,.0f} {currency} per kWh of it"
    costs = f", and it costs about {price} (assumed, without interest)" if price else ""
    word = "THE BATTERY PAYS" if document["pays"] else "THE BATTERY DOES NOT PAY BY ITS BILL"
    return document["pays"], f"{word}: {saves}; {worth}{costs}."


def smoothing(document: Document) -> list[str]:
    """The cost of load tracking if the battery does nothing else, compared with the same site
    without a battery.
    """
    if not document["is_smoothing"]:
        return []
    year, currency = document["year"], document["currency"]
    energy, peak = (0.0 - year[key] for key in ("energy_saved", "peak_saved"))
    total, count = energy + peak + year["wear"], year["swings"]
    fixed = f"{document['fixed_kWh']:,.0f} at any power, even 0 W"
    lost = f"{year['lost_kWh']:,.0f} kWh of losses ({fixed})"
    cents = f"{100 * total / count:.2g}" if count else "-"
    return [
        f"Smoothing costs {total:,.0f} {currency} a year, {cents} cents for each of {count:,.0f} "
        f"tracked swings: "
        f"{energy:,.0f} for {lost} and {year['auxiliaries_kWh']:,.0f} kWh of auxiliaries, "
        f"{peak:,.0f} for the peak, {year['wear']:,.0f} for wear."
    ]


def played(
    jobs: list[plays.Job], inputs: Inputs, arguments: argparse.Namespace
) -> dict[str, Document]:
    """Play and print the seasons of each system, with --sweep at each size. {name: document}."""
    sizes = SIZES if arguments.sweep else (1.0,)
    chosen = {
        (name, size): resized.scaled(plays.chosen(name, "", inputs), size)
        for name in dict.fromkeys([name for name, _ in jobs])
        for size in sizes
    }
    parts = [(*key, *of_week) for key, spec in chosen.items() for of_week in weeks(spec).items()]
    with Runner(arguments) as runner:
        played_weeks = runner.play(
            parts, lambda part: week(part[2], run.run(part[3], inputs)), name=_name
        )
    count = len(SEASONS)
    years = {
        key: document(spec, played_weeks[number * count : (number + 1) * count])
        for number, (key, spec) in enumerate(chosen.items())
    }
    documents = {}
    for name, size in years:
        if size == 1.0:
            documents[name] = years[name, size] | {
                "sweep": [{"factor": size} | years[name, size] for size in sizes]
            }
            print("\n".join([*lines(documents[name]), *sweep_lines(documents[name])]))
    return documents


def pays(documents: dict[str, Document]) -> bool:
    """True if each battery pays by its bill."""
    return all([document["pays"] for document in documents.values()])


def _name(part: tuple[str, float, str, Spec]) -> str:
    name, size, season, _ = part
    return f"{name}, {size:g} times, {season}"


SWEPT = "  {:<30}{:>12}{:>14}{:>14}{:>12}{:>16}"


def sweep_lines(document: Document) -> list[str]:
    """A line for each size of the battery, with the saving of a year."""
    if len(document["sweep"]) < 2:
        return []
    head = ("battery", "saved", "less wear", "optimum", "share %", "10 years per kWh")
    return [SWEPT.format(*head), *[_swept(outcome) for outcome in document["sweep"]]]


def _swept(outcome: Document) -> str:
    year = outcome["year"]
    best = "-" if year["best"] is None else f"{year['best']:,.0f}"
    values = f"{year['saved']:,.0f}", f"{outcome['net']:,.0f}", best, _share(year)
    size = f"{outcome['factor']:g} x, {outcome['battery']}"
    return SWEPT.format(size, *values, f"{outcome['worth_per_kWh']:,.0f}")
