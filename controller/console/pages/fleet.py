"""The text of `firebreak fleet`: a line for each cabinet, the worst first; then what is wrong."""

from controller.console.pages.text import WIDTH, cut, kilowatt, scaled, wrapped
from controller.dispatch.site_facts import listed
from controller.rows import danger
from controller.state.base import Facts
from controller.state.record import utc_text
from controller.system.paths import printable

NAME_MAX = 16
TABLE_LINES_MIN = 3  # these lines of the table always stay
MARGIN = 2
HEADS = f"{'STATE':<13} SHARE kW LEFT IMPORT kW BATTERY kW CHARGE ALARMS"
LAST = "STATE in capitals: not heard now; its values are the last known."
LEGEND = "BATTERY above 0: it gives. SHARE: the most it may import; LEFT -: its fallback."


def lines(facts: Facts, height: int | None = None) -> list[str]:
    """The page. height: lines of a screen; a longer table is cut at its better end."""
    cabinets = facts["cabinets"]
    width = max(len("CABINET"), *[min(len(name), NAME_MAX) for name in cabinets])
    rows = [_row(name, cabinet, width) for name, cabinet in cabinets.items()]
    below = [*_below(facts), *([LAST] if facts["silent"] else []), LEGEND]
    head = [*_head(facts), "-" * WIDTH, f"{'CABINET':<{width}} {HEADS}"]
    room = (
        len(rows) if height is None else max(TABLE_LINES_MIN, height - len(head) - len(below) - 1)
    )
    if len(rows) > room:
        rest = f"... {len(rows) - room} more"
        rows = [*rows[:room], rest]
    return [printable(line).rstrip() for line in (*head, *rows, *below)]


def _head(facts: Facts) -> list[str]:
    count = len(facts["cabinets"])
    total = kilowatt(facts["import_W"])
    if facts["import_W"] is None and facts["import_known"]:
        total = f"{kilowatt(facts['import_known_W'])} of {facts['import_known']} cabinets"
    sums = f"{count} cabinets on {kilowatt(facts['connection_W'])} kW: import {total}"
    if facts["dispatcher"]["is_live"]:
        sums += f", load short {kilowatt(facts['load_short_W'])}"
        sums += f", held back {kilowatt(facts['held_back_W'])}"
    sums += " kW"
    return [*wrapped(sums, MARGIN), *wrapped(_dispatcher(facts["dispatcher"]), MARGIN)]


def _dispatcher(dispatcher: Facts) -> str:
    if dispatcher["is_live"]:
        return f"dispatcher alive, epoch {dispatcher['epoch']}"
    since = "it has left no state on the broker"
    if dispatcher["silent_s"] is not None:
        since = f"for {dispatcher['silent_s']} s"
    elif dispatcher["last_utc_us"] is not None:
        since = f"since {utc_text(dispatcher['last_utc_us'])} by its clock"
    elif dispatcher["epoch"] is not None:
        since = "its last state has no time"
    return f"DISPATCHER SILENT, {since}: within 64 s each cabinet has its fallback"


def _row(name: str, cabinet: Facts, width: int) -> str:
    left = f"{cabinet['left_s']} s" if cabinet["left_s"] else "-"
    state = cabinet["state"] if cabinet["is_live"] else cabinet["silence"].upper()
    charge = scaled(cabinet["soc_permille"], 10, 0)
    alarms = "-" if cabinet["alarms"] is None else str(cabinet["alarms"])
    return cut(
        f"{cut(name, width):<{width}} {state:<13.13} {kilowatt(cabinet['share_W'], 8)} {left:>4} "
        f"{kilowatt(cabinet['import_W'], 9)} {kilowatt(cabinet['battery_W'], 10)} "
        f"{charge if charge == '-' else charge + ' %':>6} {alarms:>6}"
    )


def _below(facts: Facts) -> list[str]:
    lines = []
    for row in facts["alarms"]:
        names = [
            f"{name} (the worst of {count})" if (count or 0) > 1 else name
            for name, count in row["cabinets"].items()
        ]
        sentence = f"{row['label']} {listed(names)}: {row['words']} {row['remedy']}"
        order = danger.FIRST[row["danger_level"]]
        lines += wrapped(f"!!! {order} {sentence}" if order else sentence, MARGIN)
    for remark in facts["wrong"]:
        lines += wrapped(f"WRONG: {remark}{'' if remark.endswith('?') else '.'}", MARGIN)
    for remark in facts["notes"]:
        lines += wrapped(f"Note: {remark}.", MARGIN)
    return ["", *lines, ""] if lines else [""]
