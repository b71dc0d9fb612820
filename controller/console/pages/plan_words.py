"""Makes sentences from plan.json, the file of the planner. They say what the battery does next,
what it saves, and how old the plan is.

An unknown number is called unknown or left out. It never counts as 0. Times are local times of the
site.
"""

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from controller.state.plan_file import Plan
from controller.system.worded import counted

QUARTER = timedelta(minutes=15)
W_PER_KW, H_PER_SLOT, WH_PER_KWH = 1000.0, 0.25, 1000.0
IDLE_BELOW_W = 500.0  # below this power the battery counts as idle
LOWERED_PEAK_W_MIN = 1000.0  # a sentence names no smaller effect on the highest import
IDLE_QUARTERS_MAX = 2  # idle quarters of an hour that do not end a span
CHARGES, DISCHARGES, IDLE = "-+."
SPANS_MAX = 4  # spans that a sentence names
ENERGY_PART_MIN = 0.1  # of the largest span; a sentence leaves out smaller spans
CURRENCY_MAX = 8
HABITS = {"holds_cap": "holds the cap before all", "trades": "earns by prices below the cap",
            "told": "follows a plan of jobs", "energy_only": "earns by prices alone"}  # fmt: skip
Row = dict[str, Any]


class Span(NamedTuple):
    """Successive rows in which the battery does one thing: it charges, discharges or is idle."""

    begin: datetime
    end: datetime
    does: str
    rows: Sequence[Row]

    def mean(self, key: str) -> float | None:
        """Mean of the known values."""
        known = [row[key] for row in self.rows if row[key] is not None]
        return math.fsum(known) / len(known) if known else None


def time_of(row: Row, key: str = "at") -> datetime:
    """The time of a row, as the file states it."""
    return datetime.fromisoformat(row[key])


def ordered(rows: Sequence[Row]) -> list[Row]:
    """The rows, sorted by time."""
    return sorted(rows, key=time_of)


def spans(rows: Sequence[Row]) -> list[Span]:
    """The spans, in order of time. A span ends when the battery does something else."""
    merged, ordered_rows = list[Span](), ordered(rows)
    for row, does in zip(ordered_rows, _doing(ordered_rows)):
        begin, last = time_of(row), merged[-1] if merged else None
        if last and (last.does, last.end) == (does, begin):
            merged[-1] = Span(last.begin, begin + QUARTER, does, [*last.rows, row])
        else:
            merged.append(Span(begin, begin + QUARTER, does, [row]))
    return merged


def _doing(rows: Sequence[Row]) -> str:
    """A sign for each row: "-" charges, "+" discharges, "." is idle. An unknown power counts as
    idle. If a short idle time lies between two equal signs, it gets this sign too.
    """
    powers_W = [row["battery_W"] or 0.0 for row in rows]
    signs = "".join(
        IDLE if abs(power_W) < IDLE_BELOW_W else DISCHARGES if power_W > 0 else CHARGES
        for power_W in powers_W
    )
    for sign in (CHARGES, DISCHARGES):
        for count in range(1, IDLE_QUARTERS_MAX + 1):
            between = rf"(?<=[{sign}])\{IDLE}{{{count}}}(?=[{sign}])"
            signs = re.sub(between, sign * count, signs)
    return signs


def clock(time: datetime, now: datetime) -> str:
    """ "17:15", "tomorrow 02:00", "28 November 02:00"."""
    days = (time.date() - now.date()).days
    day = {0: "", 1: "tomorrow "}.get(days, f"{time.day} {time:%B} ")
    return f"{day}{time:%H:%M}"


def money(value: float | None, currency: str) -> str:
    """ "41 EUR", "1.20 EUR", "unknown"."""
    if value is None:
        return "unknown"
    digits = 0 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {currency[:CURRENCY_MAX]}"


def number(value: float | None, divisor: float, unit: str, digits: int = 1) -> str:
    """ "81.5 kW", "unknown"."""
    return "unknown" if value is None else f"{value / divisor:,.{digits}f} {unit}"


def kilowatt(power_W: float | None) -> str:
    """ "81.5 kW", "unknown"."""
    return number(power_W, W_PER_KW, "kW")


def today(plan: Plan) -> str:
    """The money that the battery saves today, and by how much it lowers the highest import."""
    return " ".join(filter(None, (saving(plan), peak(plan))))


def saving(plan: Plan) -> str:
    """ "Today the battery saves about 41 EUR by prices."."""
    rows = _of_today(plan)
    amount = saved(rows, plan["stored_Wh"])
    if amount is None:
        return "What the battery saves today is not known yet."
    begin, since = time_of(rows[0]), "Today"
    if begin.hour or begin.minute:
        since = f"From {clock(begin, time_of(plan))} on today"
    verb = "saves" if amount >= 0 else "costs"
    return f"{since} the battery {verb} about {money(abs(amount), plan['currency'])} by prices."


def peak(plan: Plan) -> str:
    """ "It lowers the highest import of this time from 160.0 to 104.4 kW.", or "" if not."""
    rows = _of_today(plan)
    without_W = max([row["load_W"] - row["pv_W"] for row in rows], default=0.0)
    grid_W = max([row["grid_W"] for row in rows], default=0.0)
    if without_W - grid_W < LOWERED_PEAK_W_MIN:
        return ""
    lowered = f"{without_W / W_PER_KW:,.1f} to {kilowatt(grid_W)}"
    return f"It lowers the highest import of this time from {lowered}."


def _of_today(plan: Plan) -> list[Row]:
    """The last quarters of today, measured or planned, back to the first unknown one or a gap."""
    slots = ordered(plan["slots"])
    first = time_of(slots[0]) if slots else None
    measured = [row for row in ordered(plan["actual"]) if first is None or time_of(row) < first]
    day, quarters = time_of(plan).date(), list[Row]()
    needed = "load_W", "pv_W", "grid_W", "price_per_kWh", "stored_Wh"
    for row in reversed([*measured, *slots]):
        if time_of(row).date() == day:
            has_gap = quarters and time_of(quarters[-1]) - time_of(row) != QUARTER
            if has_gap or not _is_known(row, *needed):
                break
            quarters.append(row)
    return quarters[::-1]


def _is_known(row: Row, *keys: str) -> bool:
    return None not in [row[key] for key in keys]


def saved(rows: Sequence[Row], stored_Wh: float | None) -> float | None:
    """Money that the battery saves on the import, or None if it is unknown. Energy that is left in
    the battery counts at the mean price. stored_Wh: stored energy when the first row begins.
    """
    if rows and "planned_grid_W" in rows[0]:  # a measured row: its energy at the start is unknown
        stored_Wh, rows = rows[0]["stored_Wh"], rows[1:]
    if not rows or stored_Wh is None:
        return None
    saved_rates = [
        row["price_per_kWh"] * (max(0.0, row["load_W"] - row["pv_W"]) - max(0.0, row["grid_W"]))
        for row in rows
    ]
    mean = math.fsum(row["price_per_kWh"] for row in rows) / len(rows)
    gained_kWh = (rows[-1]["stored_Wh"] - stored_Wh) / WH_PER_KWH
    return math.fsum(saved_rates) * H_PER_SLOT / W_PER_KW + gained_kWh * mean


def next_spans(plan: Plan) -> str:
    """ "It charges from 02:00 to 04:15 and discharges from 17:00 to 20:30."."""
    now = time_of(plan)
    upcoming = [span for span in spans(plan["slots"]) if span.does != IDLE and span.end > now]
    power_sum_W_min = ENERGY_PART_MIN * max(map(_power_sum_W, upcoming), default=0.0)
    ahead = [span for span in upcoming if _power_sum_W(span) >= power_sum_W_min]
    if not plan["slots"]:
        return "There is no plan yet."
    if not ahead:
        return "It neither charges nor discharges until the end of the plan."
    parts = []
    for index, span in enumerate(ahead[:SPANS_MAX]):
        verb = "charges" if span.does == CHARGES else "discharges"
        begin, end = "until ", clock(span.end, now)
        if span.begin > now:
            begin = f"from {clock(span.begin, now)} to "
            end = clock(span.end, max(now, span.begin))
        mean = span.mean("battery_W")
        power_text = f" with {kilowatt(abs(mean))}" if mean is not None else ""
        is_same = index and ahead[index - 1].does == span.does
        verb = "again" if is_same else verb
        parts.append(f"{verb} {begin}{end}{power_text}")
    *first, last = parts
    return f"It {', '.join(first)}{', then ' if first else ''}{last}."


def _power_sum_W(span: Span) -> float:
    return abs(math.fsum(row["battery_W"] or 0.0 for row in span.rows))


def month(plan: Plan) -> list[tuple[str, str]]:
    """(label, sentence) for each figure of the month so far, such as the cost and the peak."""
    facts, currency = plan["month"], plan["currency"]
    since, sentences = time_of(facts, "since"), dict[str, str]()
    if _is_known(facts, "cost", "cost_without"):
        cost, cost_without = facts["cost"], facts["cost_without"]
        sentences["Cost"] = (
            f"since {since.day} {since:%B}: {money(cost, currency)}, without battery "
            f"{money(cost_without, currency)}: {money(abs(cost_without - cost), currency)} "
            f"{'saved' if cost <= cost_without else 'more'}."
        )
    if _is_known(facts, "peak_W", "peak_without_W"):
        sentences["Peak"] = (
            f"highest billed import {kilowatt(facts['peak_W'])}, without battery "
            f"{kilowatt(facts['peak_without_W'])}."
        )
    if _is_known(facts, "share_permille", "share_days"):
        sentences["Share"] = (
            f"{facts['share_permille'] / 10:.0f} % of what a plan that knows the future saves, in "
            f"the last {counted(facts['share_days'], 'day')}."
        )
    if _is_known(facts, "forecast_error_W", "yesterday_error_W"):
        sentences["Error"] = (
            f"forecast of the load {kilowatt(facts['forecast_error_W'])} on average; yesterday's "
            f"load as a forecast {kilowatt(facts['yesterday_error_W'])}."
        )
    if facts["yielded_kWh"] and _is_known(facts, "yielded_h"):
        sentences["Later"] = (
            f"{facts['yielded_kWh']:,.0f} kWh that the load gets later: it was lowered on request "
            f"in {facts['yielded_h']:.1f} h."
        )
    if _is_known(facts, "CO2_kg", "CO2_without_kg"):
        sentences["CO2"] = (
            f"{facts['CO2_kg']:,.0f} kg of the import, without battery "
            f"{facts['CO2_without_kg']:,.0f} kg."
        )
    return list(sentences.items())


def shadows(plan: Plan) -> list[tuple[str, str, str]]:
    """(name, cost, difference to the real cost) of each shadow. A shadow is another way to run the
    battery in the hours of this month, computed for comparison.
    """
    shadow_rows, currency = plan["month"]["shadows"], plan["currency"]
    real_cost = next((shadow["cost"] for shadow in shadow_rows if shadow["name"] == "as run"), None)
    rows = []
    for shadow in shadow_rows:
        cost = shadow["cost"]
        more = ""
        if None not in (cost, real_cost) and shadow["name"] != "as run":
            difference = cost - real_cost
            more = f"{difference:+,.{0 if abs(difference) >= 10 else 2}f}"
        rows.append((shadow["name"].replace("_", " "), money(cost, currency), more))
    return rows


def state(plan: Plan) -> list[tuple[str, str]]:
    """(label, sentence) about the plan itself: its age, its cap, the stored energy, and the
    schedule that the planner has sent.
    """
    now = time_of(plan)
    made_text = "none is made yet, next try at"
    if plan["made_at"]:
        made_text = f"made at {clock(time_of(plan, 'made_at'), now)}, next at"
    made_text += f" {clock(time_of(plan, 'next_at'), now)}"
    if habit := HABITS.get(plan["habit"] or ""):
        made_text += f"; it {habit}"
    stored, full = [number(plan[key], WH_PER_KWH, "kWh", 0) for key in ("stored_Wh", "full_Wh")]
    cap = f"import at most {kilowatt(plan['cap_W'])}; {stored} of {full} are stored."
    lines = [("Plan", f"{made_text}."), ("Cap", cap)]
    sent = plan["sent"]
    if sent:
        text = f"{sent['text']} ({sent['code']})" if sent["text"] else sent["code"]
        lines.append(("Sent", f"at {clock(time_of(sent), now)}: {text}"))
    if text := differs(plan):
        lines.append(("Actual", text))
    return lines


def differs(plan: Plan) -> str:
    """How far today's import was from the plan. "" if this is unknown."""
    day = time_of(plan).date()
    errors_W = {
        time_of(row): abs(row["grid_W"] - row["planned_grid_W"])
        for row in ordered(plan["actual"])
        if _is_known(row, "grid_W", "planned_grid_W") and time_of(row).date() == day
    }
    if not errors_W:
        return ""
    worst = max(errors_W, key=lambda moment: errors_W[moment])
    mean, most = kilowatt(math.fsum(errors_W.values()) / len(errors_W)), kilowatt(errors_W[worst])
    return f"today's import was {mean} off the plan, at most {most} at {worst:%H:%M}."
