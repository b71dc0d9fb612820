"""Answers for a whole fleet: may a job that raises the load run on the shared connection?

    free       connection, less the load of all cabinets with their batteries at 0; without a
               dispatcher only the sum of the fallbacks, because no cabinet gets more
    a battery  gives at most held_15min_high_W, and at most its load above its fallback, because
               no share is below the fallback; to a longer job its energy above the reserve
    margin     free + what the batteries give - the job

The sum uses only what the cabinets report, and asks none of them. A "yes" should be right and a
"no" may be too strict, so an unknown value gives nothing, and an unknown load no answer.
"""

from collections.abc import Iterable
from typing import NamedTuple

from controller.dispatch.report import Facts
from controller.dispatch.site_facts import import_W, listed, live

YES, NO, NOT_KNOWN = "yes", "no", "not known"
PERMILLE, HOUR_S = 1000, 3600
HELD_S = 900  # held_15min_high_W is held for so long
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


class _Load(NamedTuple):
    """whole_W: import of all with the batteries at 0. own_W: of each cabinet, what its share is
    compared with. unknown: what is not known, in words.
    """

    whole_W: int
    own_W: dict[str, int]
    unknown: list[str]


def answer(facts: Facts, job: Job) -> Facts:
    """{answer, power_W, at_s, for_s, unknown: [words], leaves_out: [sentences]}. Unless the load is
    unknown also import_W_max, load_W, free_W, given_W, margin_W (below 0: missing),
    margin_without_largest_W, and cabinets: {name: {gives_W, limit}}. facts: of site_facts.
    """
    cabinets: dict[str, Facts] = facts["cabinets"]
    load = (_common if facts["is_common"] else _own)(cabinets, job)
    found = {"answer": NOT_KNOWN, **job._asdict(), "unknown": load.unknown}
    found["leaves_out"] = list(_leaves_out(facts, job))
    if load.unknown:
        return found
    given = {name: _given(each, load.own_W[name], job) for name, each in cabinets.items()}
    given_W = [each["gives_W"] for each in given.values()]
    limit_W = facts["connection_W"]
    if not facts["dispatcher"]["is_live"]:
        limit_W = sum([each["fallback_W"] for each in cabinets.values()])
    free_W = limit_W - load.whole_W
    margin_W = free_W + sum(given_W) - job.power_W
    return {
        **found,
        "answer": YES if margin_W >= 0 else NO,
        "import_W_max": limit_W,
        "load_W": load.whole_W,
        "free_W": free_W,
        "given_W": sum(given_W),
        "margin_W": margin_W,
        "margin_without_largest_W": margin_W - max(given_W),
        "cabinets": given,
    }


def _own(cabinets: dict[str, Facts], job: Job) -> _Load:
    """The load of cabinets with meters of their own. A silent one counts with the most that it may
    import. The job counts at none of them, because the question does not say where it runs.
    """
    own_W: dict[str, int] = {}
    unknown = []
    for name, each in cabinets.items():
        if not each["is_live"] and each["hold_W"] is not None:
            own_W[name] = max(each["hold_W"], each["fallback_W"])
        elif not each["is_live"] or each["grid_W"] is None or each["battery_W"] is None:
            unknown.append(f"the import of {name}")
        else:
            own_W[name] = each["grid_W"] + each["battery_W"]
    return _Load(sum(own_W.values()), own_W, unknown)


def _common(cabinets: dict[str, Facts], job: Job) -> _Load:
    """A common load, by the load meter and by the grid meter with all batteries; the higher one
    counts, since a silent battery that gives hides load from the grid meter.
    """
    loads_W = [each["load_W"] for each in live(cabinets) if each["load_W"] is not None]
    seen_W, batteries_W = import_W(cabinets, True), [e["battery_W"] or 0 for e in live(cabinets)]
    if not loads_W:
        return _Load(0, {}, ["the common load"])
    whole_W = max(*loads_W, seen_W + sum(batteries_W) if seen_W is not None else 0)
    metered_W = max(loads_W) + job.power_W
    own_W = {name: metered_W * each["load_permille"] // PERMILLE for name, each in cabinets.items()}
    return _Load(whole_W, own_W, [])


def _given(each: Facts, load_W: int, job: Job) -> Facts:
    """Power that a battery gives to the job, and the limit that decides."""
    if not each["is_live"]:
        return {"gives_W": 0, "limit": SILENCE[each["silence"]]}
    if each["problem"]:
        return {"gives_W": 0, "limit": "it gets no share"}
    limits = {
        "the power that it holds for 15 min": each["held_15min_high_W"] or 0,
        "its load above its fallback": load_W - each["fallback_W"],
    }
    if job.for_s > HELD_S:
        spent_Wh = max(0, each["battery_W"] or 0) * job.at_s // HOUR_S
        left_Wh = max(0, (each["remaining_Wh"] or 0) - spent_Wh)
        limits["the energy above its reserve"] = left_Wh * HOUR_S // job.for_s
    limit = min(limits, key=lambda name: limits[name])
    return {"gives_W": max(0, limits[limit]), "limit": limit}


def _leaves_out(facts: Facts, job: Job) -> Iterable[str]:
    """Sentences about things that the answer does not look at."""
    yield (
        "The answer adds the cabinets' reports and asks none of them; `firebreak ask` at a cabinet "
        "looks at its temperatures, announced steps and plan too."
    )
    yield "The load goes on as it is now, and each battery can give what it can give now."
    if not facts["is_common"]:
        yield "The battery of the cabinet where the job runs may give more than is counted here."
    if job.for_s > HELD_S:
        yield "Cells may become warm in a job of more than 15 min, and then give less."
    if facts["silent"]:
        yield (
            f"Silent cabinets give nothing; with a load of its own, each counts with the most that "
            f"it may import: {listed(facts['silent'])}."
        )
    if not facts["dispatcher"]["is_live"]:
        yield "The dispatcher is silent: when it is back, the whole connection counts."
