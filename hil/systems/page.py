"""Makes the HTML page of a command's runs: answers for a manager, energy, bill, promises."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from controller.documents import html_page
from controller.documents.document import (
    CARDS,
    Block,
    Cell,
    Heading,
    Picture,
    Table,
    Text,
    judged,
    section as titled,
    texts,
)
from controller.system.worded import counted
from hil.results import site_page
from hil.results.page import NOTE
from hil.results.plot import BATTERY
from hil.site.parts import FEEDING
from hil.systems import answers, cost, drawings, figures, run, verdict
from hil.systems.run import Result
from hil.systems.series import SLOT_S
from hil.systems.verdict import Document

MWH_PER_J, MWH_PER_W = 1 / 3.6e9, SLOT_S / 3.6e9
UNUSED = ("PV, unused", drawings.GENSET)
CAME_IN = {
    **{name: site_page.CAME_IN[name] for name in ("imported", *FEEDING)},
    "unused_in": UNUSED,
    "spent": ("Battery, from its charge", BATTERY),
}
WENT_OUT = {
    **{name: site_page.WENT_OUT[name] for name in ("load", "other", "auxiliaries", "exported")},
    "lost": ("Battery, losses", BATTERY),
    "unused": UNUSED,
    "gained": ("Battery, into its charge", BATTERY),
}
KEPT = {True: "kept", False: "not kept", None: ""}
OVERVIEW = ("system", "promises missed", "violations", "bill with the battery")
SWEPT = ("battery", "saved", "less wear", "10 years, per kWh")
PROMISED = ("promise", "asked", "reached", "bound", "without", "unit", "")
UNBROKEN = "No limit of the connection or reserve was violated."
MINUTES = "Best: the battery calmed the grid most. Worst: the grid moved most. Means of 1 s."
BY_ARITHMETIC = (
    "By arithmetic: energy above 3 % of charge less losses, no sun. A battery that keeps its "
    "reserve has at least that charge."
)
COLUMNS = (
    "Bound: the most that physics, arithmetic or perfect foresight allows at this size. Without: "
    "the same site with no PV and no battery, if the line names no other case. Projected: the "
    "figure depends on prices, load and weather that are assumed."
)
BILL = ("energy", "demand charge", "tags", "total", "highest billed import")


def html(sections: Sequence[tuple[Document, str]]) -> str:
    """The page. sections: (document, `section`) of each run."""
    rows = [(document["name"], *_verdict_cells(document)) for document, _ in sections]
    overview = [Table(OVERVIEW, rows, kind=CARDS)] if len(rows) > 1 else []
    bodies = [html_page.body(overview), *[body for _, body in sections]]
    return html_page.around("\n".join(bodies), html_page.PHONE, "Systems")


def _verdict_cells(document: Document) -> list[Cell]:
    wrong = verdict.missed(document), document["violations"]
    paid = document["cost"]
    more = round(paid["bill"] - paid["without_battery"]) + 0.0  # no "-0"
    return [
        *[judged(not faults, str(len(faults) or "none")) for faults in wrong],
        judged(more <= 0, f"{more:+,.0f} {paid['currency']}"),
    ]


def section(result: Result, document: Document) -> str:
    """One run as a part of the page. document: result of command.document."""
    energy_MWh, broken = balance(result), [judged(False, line) for line in document["violations"]]
    sides = [_side(energy_MWh, side) for side in (CAME_IN, WENT_OUT)]
    promises = [_row(figure) for figure in document["figures"]]
    bill_head = result.spec.tariff["currency"], *BILL
    blocks = [
        Heading(1, document["name"]),
        Text(document["text"]),
        *_texts("What does it save in a year?", answers.money(result, document)),
        *_seasons(document),
        *_sweep(document),
        *_texts("What happens without the grid?", answers.outage(result)),
        *_hours(result),
        Heading(2, "The day with the highest import"),
        *[Picture(drawings.day(result, size), kind) for kind, size in drawings.SIZES.items()],
        *[Picture(svg, "half", title) for title, svg in drawings.minutes(result)],
        Text(MINUTES, NOTE),
        Heading(2, "Energy, MWh"),
        Picture(site_page.flows(energy_MWh, CAME_IN, WENT_OUT), "wide"),
        *[Table(("MWh", name), side, kind="phone") for name, side in zip(("in", "out"), sides)],
        *_texts("Promised and kept", _summary(document)),
        Text(_about(document), NOTE),
        Table(PROMISED, promises, kind=CARDS),
        Text(COLUMNS, NOTE),
        *texts(broken or [judged(True, UNBROKEN)]),
        *titled("The worst moments", Table((), _worst(result), kind=CARDS)),
        *titled("The bill", Table(bill_head, _bill(result), kind=CARDS)),
        *_texts("What the size allows", document["sizing"]),
    ]
    return html_page.body(blocks)


def _texts(title: str, lines: Sequence[Cell]) -> list[Block]:
    return [Heading(2, title), *texts(lines)]


def _seasons(document: Document) -> list[Block]:
    annual = document.get("year")
    return [Table(answers.SEASON, answers.seasons(annual), kind=CARDS)] if annual else []


def _sweep(document: Document) -> list[Block]:
    swept = document.get("year", {}).get("sweep", [])
    if len(swept) < 2:
        return []
    return [
        Picture(drawings.sweep(document["year"]), "half"),
        Table(SWEPT, [_size(outcome) for outcome in swept], kind=CARDS),
    ]


def _hours(result: Result) -> list[Block]:
    head, rows = answers.hours(result)
    return [Table(head, rows, kind=CARDS), Text(BY_ARITHMETIC, NOTE)] if rows else []


def _about(run: Document) -> str:
    parts = [
        f"{counted(run['days'], 'day')} of {run['season']} from {run['start']}, "
        f'seed {run["seed"]}. Figures without another mode come from the mode "{run["mode"]}".',
        "Each unit stands for several real ones (aggregate)." * run["aggregate"],
        f"State of charge {run['soc_begin']:.0%} at first, {run['soc_end']:.0%} at last.",
    ]
    return " ".join(filter(None, parts))


def _summary(document: Document) -> list[Cell]:
    """The promises and the bill of the run. A higher bill comes first if all promises are kept."""
    is_kept, promised = not verdict.wrong(document), verdict.sentences(document)
    is_dearer, paid = cost.sentences(document["cost"])
    lines = [judged(is_kept, promised), judged(not is_dearer, paid)]
    return lines[::-1] if is_kept and is_dearer else lines


def _row(figure: Document) -> list[Cell]:
    text = KEPT[figure["is_met"]]
    if verdict.is_unreachable(figure):
        text = "cannot be kept at this size"
    status = text or figure["status"]
    if figure["mode"] != run.MODE:
        status += f" ({figure['mode']})"
    return [figure["text"], *numbers(figure), figure["unit"], judged(figure["is_met"], status)]


def numbers(figure: Document) -> list[str]:
    """Asked, reached, bound, without battery. In a figure "less ...", -3.4 reads "3.4 more"."""
    known = [figure[key] for key in ("asked", "reached", "optimum", "baseline")]
    texts = [figures.number(amount) for amount in known]
    texts[1] = figures.reached(figure)
    is_less = figure["text"].startswith("less ")
    if is_less and known[1] is not None and known[1] < 0 and texts[1] != "0":
        texts[1] = f"{figures.number(-known[1])} more"
    if known[3] is not None and figure["baseline_unit"]:
        texts[3] += f" {figure['baseline_unit']}"
    return texts


def _worst(result: Result) -> list[tuple[str, str, str]]:
    """(name, value, time) of extremes: load and grid power in a second, lowest charge of a slot."""
    load_W, grid_W = result.seconds_W
    steps_W = np.abs(np.diff(grid_W))
    extremes = [
        ("highest load", int(load_W.argmax()), f"{load_W.max() / 1000:,.0f} kW"),
        ("highest import", int(grid_W.argmax()), f"{grid_W.max() / 1000:,.0f} kW"),
        ("lowest import (below 0: export)", int(grid_W.argmin()), f"{grid_W.min() / 1000:,.0f} kW"),
        ("largest step of the grid's power within a second", int(steps_W.argmax()) + 1,
         f"{steps_W.max() / 1000:,.0f} kW"),
        ("lowest charge", (int(result.soc.argmin()) + 1) * SLOT_S, f"{result.soc.min():.1%}"),
    ]  # fmt: skip
    begin = result.spec.start
    return [
        (name, text, f"{begin + timedelta(seconds=second):%a %d %B %H:%M:%S}")
        for name, second, text in extremes
    ]


def _bill(result: Result) -> list[list[str]]:
    names = ("with the system", "without the battery", "without battery and PV")
    return [
        [name, *[f"{amount:,.0f}" for amount in (bill.energy, bill.demand, bill.tags, bill.total)]]
        + [f"{bill.peak_W / 1000:,.0f} kW"]
        for name, bill in zip(names, figures.bills(result))
    ]


def balance(result: Result) -> dict[str, float]:
    """Energies of the run, MWh. The sum that came in equals the sum that went out. The losses of
    the battery and the change of its charge are parts of the sums.
    """
    energy_MWh = {name: J * MWH_PER_J for name, J in result.account.items()}
    gained = result.gained_Wh / 1e6
    unused = max(0.0, float((result.series.pv_W - result.pv_W).sum()) * MWH_PER_W)
    lost = energy_MWh["charged"] - energy_MWh["discharged"] - gained
    return energy_MWh | {
        **{"unused_in": unused, "unused": unused, "lost": lost},
        **{"spent": max(0.0, -gained), "gained": max(0.0, gained)},
    }


def _side(energy_MWh: dict[str, float], names: dict[str, tuple[str, str]]) -> list[list[str]]:
    """The energies of one side as a table, for a phone."""
    return [
        [label, f"{energy_MWh[name]:,.2f}"]
        for name, (label, _) in names.items()
        if energy_MWh[name] > 0
    ]


def _size(outcome: Document) -> list[Cell]:
    return [
        outcome["battery"],
        f"{outcome['year']['saved']:,.0f}",
        judged(outcome["pays"], f"{outcome['net']:,.0f}"),
        f"{outcome['worth_per_kWh']:,.0f}",
    ]
