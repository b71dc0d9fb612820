"""Answers for a whole fleet: may a job that raises the load run on the shared connection?

    reserved           For each cabinet, the larger of its fallback and of its load less what its
                       battery gives. If it is silent or gets no share: all that it may import.
    with a dispatcher  The sum of what is reserved must fit the connection. An unused fallback stays
                       with its cabinet; everything else can be lent within one renewal.
    without one        The job must also fit the fallback of its cabinet; a common job, each one.

If each cabinet has its own load, the job runs at one cabinet: the named one, or the one where most
is left. A "no" may be too strict, but a "yes" must be right. So an unknown power of a battery
counts as 0, and with an unknown load there is no answer.
"""

from collections.abc import Iterable
from typing import NamedTuple

from controller.dispatch.facts import HELD_S
from controller.dispatch.report import POWER_W_MAX
from controller.dispatch.site_facts import import_W, listed, live
from controller.forms.message import Facts

YES, NO, NOT_KNOWN = "yes", "no", "not known"
PERMILLE, HOUR_S = 1000, 3600
SILENCE = {
    "offline": "it is offline",
    "not heard": "it is not heard",
    "silent": "it is silent",
    "no controller": "it has no live controller",
}


class Job(NamedTuple):
    """A rise of the load: power_W from at_s on, for for_s."""

    power_W: int
    at_s: int
    for_s: int


class _Part(NamedTuple):
    """A cabinet. load_W: its import with the battery at 0. least_W: the least that is reserved.
    high_W: what the battery can give, bound by `limit`. bound_W: the most that can be lent to it.
    """

    load_W: int
    least_W: int
    high_W: int
    limit: str
    bound_W: int

    @property
    def reserved_W(self) -> int:
        """Import that no other cabinet may use."""
        return max(self.least_W, self.load_W - self.high_W)

    def shown(self) -> Facts:
        """The power that the battery gives, and its limit."""
        gives_W = max(self.least_W, self.load_W) - self.reserved_W
        limit = "its load above its fallback" if gives_W < self.high_W else self.limit
        return {"gives_W": gives_W, "limit": limit, "reserved_W": self.reserved_W}


def answer(facts: Facts, job: Job, name: str = "") -> Facts:
    """{answer, power_W, at_s, for_s, unknown: [texts], leaves_out: [sentences]}. If the load is
    known, also cabinet (where the job runs; "" for a common one), is_lent, import_W_max,
    reserved_W, given_W, margin_W (below 0: missing), margin_without_largest_W, and cabinets: {name:
    _Part.shown}. facts: of site_facts. name: of a cabinet.
    """
    cabinets, is_common = facts["cabinets"], facts["is_common"]
    dispatcher = facts["dispatcher"]
    lends_in_s, shared_W = dispatcher["lends_in_s"], dispatcher["connection_W"]
    is_known = dispatcher["is_live"] and None not in (lends_in_s, shared_W)
    is_lent = is_known and job.at_s >= lends_in_s
    loads_W, beside_W, unknown = (_common if is_common else _own)(facts, job)
    reply = {"answer": NOT_KNOWN, **job._asdict(), "unknown": unknown}
    reply["leaves_out"] = list(_leaves_out(facts, job, is_lent))
    if unknown:
        return reply
    parts = {
        cabinet_name: _part(cabinets[cabinet_name], load, job, is_lent)
        for cabinet_name, load in loads_W.items()
    }
    connection_W = facts["connection_W"]
    most_W = (min(connection_W, shared_W) if is_lent else connection_W) - beside_W
    reply |= {"is_lent": is_lent, "import_W_max": most_W}
    return reply | _sums(parts, most_W, 0 if is_common else job.power_W, name)


def _sums(parts: dict[str, _Part], most_W: int, rise_W: int, name: str) -> Facts:
    """The sums of an answer. rise_W: rise of the load at one cabinet. 0: a common job, which the
    loads contain.
    """
    margins_W = _margins_W(parts, rise_W, most_W)
    if rise_W:
        name = name or max(margins_W, key=lambda cabinet_name: margins_W[cabinet_name])
        parts[name] = parts[name]._replace(load_W=parts[name].load_W + rise_W)
    margin_W = margins_W[name] if name else min(margins_W.values())
    shown = {cabinet_name: part.shown() for cabinet_name, part in parts.items()}
    largest = max(shown, key=lambda cabinet_name: shown[cabinet_name]["gives_W"])
    failed = _margins_W({**parts, largest: parts[largest]._replace(high_W=0)}, 0, most_W)
    return {
        "answer": YES if margin_W >= 0 else NO,
        "cabinet": name,
        "reserved_W": sum(row["reserved_W"] for row in shown.values()),
        "given_W": sum(row["gives_W"] for row in shown.values()),
        "margin_W": margin_W,
        "margin_without_largest_W": failed[name] if name else min(failed.values()),
        "cabinets": shown,
    }


def _margins_W(parts: dict[str, _Part], rise_W: int, most_W: int) -> dict[str, int]:
    """{cabinet: power that is left if the load rises there}."""
    left_W, margins_W = most_W - sum(part.reserved_W for part in parts.values()), {}
    for name, part in parts.items():
        risen = part._replace(load_W=part.load_W + rise_W)
        bound_W = part.bound_W - risen.load_W + risen.high_W
        margins_W[name] = min(bound_W, left_W + part.reserved_W - risen.reserved_W)
    return margins_W


def _own(facts: Facts, job: Job) -> tuple[dict[str, int], int, list[str]]:
    """(load of each cabinet without the job, import beside all cabinets, unknown values). The least
    dangerous cabinet comes first. A silent cabinet counts with its last known load.
    """
    loads_W, unknown = {}, []
    rows = sorted(facts["cabinets"].items(), key=lambda row: row[1]["danger_level"])
    for name, cabinet in rows:
        known_W = [
            cabinet["load_part_W"],
            *([] if cabinet["is_live"] else [cabinet["last_load_W"]]),
        ]
        is_unsaid = facts["dispatcher"]["is_live"] and known_W[-1] is None
        known_W = [load_W for load_W in known_W if load_W is not None]
        loads_W[name] = max(known_W, default=0)
        unknown += [f"the import of {name}"] if is_unsaid or not known_W else []
    return loads_W, 0, unknown


def _common(facts: Facts, job: Job) -> tuple[dict[str, int], int, list[str]]:
    """The same for a common load, which contains the job, by the load meters. Import that they do
    not see is beside the cabinets.
    """
    cabinets = facts["cabinets"]
    loads_W = [cabinet["load_W"] for cabinet in live(cabinets) if cabinet["load_W"] is not None]
    if not loads_W:
        return {}, 0, ["the common load"]
    batteries_W = {
        name: cabinet["battery_W"] for name, cabinet in cabinets.items() if cabinet["is_live"]
    }
    seen_W, load_W, beside_W = import_W(cabinets, True), max(loads_W) + job.power_W, 0
    if seen_W is not None:
        if unknown := [name for name, battery_W in batteries_W.items() if battery_W is None]:
            return {}, 0, [f"the power of the battery of {name}" for name in unknown]
        beside_W = max(0, seen_W + sum(batteries_W.values()) - max(loads_W))
    parts_W = {
        name: -(-load_W * cabinet["load_permille"] // PERMILLE)
        for name, cabinet in cabinets.items()
    }
    return parts_W, beside_W, []


def _part(cabinet: Facts, load_W: int, job: Job, is_lent: bool) -> _Part:
    """A cabinet with its load. Its battery counts only while the cabinet can be lent to."""
    fallback_W, is_able = cabinet["fallback_W"], cabinet["is_live"] and not cabinet["problem"]
    limits = {
        "the power that it holds for 15 min": cabinet["held_15min_high_W"] or 0,
        "the power that its limits leave": cabinet["discharge_W_max"] or 0,
    }
    if job.for_s > HELD_S:
        spent_W = cabinet["battery_W"]
        spent_W = cabinet["discharge_W_max"] or 0 if spent_W is None else max(0, spent_W)
        spent_Wh = spent_W * job.at_s // HOUR_S
        left_Wh = max(0, (cabinet["remaining_Wh"] or 0) - spent_Wh)
        limits["the energy above its reserve"] = left_Wh * HOUR_S // job.for_s
    limit = min(limits, key=lambda name: limits[name])
    if is_able:
        bound_W = POWER_W_MAX * PERMILLE if is_lent else fallback_W
        return _Part(load_W, fallback_W, max(0, limits[limit]), limit, bound_W)
    hold_W = POWER_W_MAX if is_lent else 0  # of a cabinet of which the dispatcher says nothing
    least_W = max(fallback_W, hold_W if cabinet["hold_W"] is None else cabinet["hold_W"])
    limit = SILENCE.get(cabinet["silence"], "it gets no share")
    bound_W = fallback_W if not (is_lent and cabinet["load_permille"]) else POWER_W_MAX * PERMILLE
    return _Part(load_W, least_W, 0, limit, bound_W)


def _leaves_out(facts: Facts, job: Job, is_lent: bool) -> Iterable[str]:
    """Sentences about things that the answer does not look at."""
    yield (
        "The answer adds the cabinets' reports and asks none of them; `firebreak ask` at a cabinet "
        "looks at its temperatures, announced steps and plan too."
    )
    if is_lent:
        yield "Until the shares have risen, for seconds, cabinets may import more than theirs."
    yield "The load goes on as it is now, and each battery can give what it can give now."
    if job.for_s > HELD_S:
        yield "Cells may become warm in a job of more than 15 min, and then give less."
    if facts["is_common"] and facts["import_W"] is None:
        yield "No grid meter reports, so import that the load meters do not see is left out."
    if facts["silent"]:
        yield (
            f"Silent cabinets give nothing; each counts with the most that it may import, or its "
            f"last known load: {listed(facts['silent'])}."
        )
    if not is_lent:
        yield (
            "No dispatcher lends at that time (it is silent, or in its first 64 s), so each "
            "cabinet has only its fallback."
        )
