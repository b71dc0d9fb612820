"""Proofs of the claims: the figures of all runs, kept as a short document, and bounds of them.

A figure of a run that violates a limit proves nothing, nor does one of a run without minutes with
the kernel: chain-only mode trips nothing.
"""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hil.runner.options import WrongOptionError
from hil.systems.page import number

RESULTS = Path(__file__).parent / "results" / "claims.json"
BOUND = re.compile(r"([\w/]+) (\w+) (>=|<=) (-?[\d.]+)")
KEPT = "reached", "asked", "optimum", "status", "is_met"
# figures that come from the minutes with the kernel
OF_MINUTES = "kernel_min", "outages", "outages_carried", "set_s"
ALLOWED = "allowed is a file of `hil run all --json`"


class Bound(NamedTuple):
    """A figure and its limit. run: system, or system/variant."""

    run: str
    figure: str
    way: str
    limit: float

    def missed(self, runs: Mapping[str, Any], apart: Collection[str] = ()) -> str:
        """Why the runs do not prove it; "": they do. apart: begins of violations that have nothing
        to do with it.
        """
        run = runs.get(self.run)
        if run is None:
            return f"no results of {self.run}"
        wrong = [each for each in run["violations"] if not each.startswith(tuple(apart))]
        if wrong:
            return f"{self.run} violates a limit: {wrong[0]}"
        if not run["figures"]["kernel_min"]["reached"]:
            return f"{self.run} has no minutes with the kernel"
        reached = run["figures"].get(self.figure, {}).get("reached")
        if reached is None:
            return f"{self.run} has no figure {self.figure}"
        is_met = reached >= self.limit if self.way == ">=" else reached <= self.limit
        asked = f"{self.way} {number(self.limit)}"
        return "" if is_met else f"{self.run}: {self.figure} {number(reached)}, asked {asked}"

    def words(self, runs: Mapping[str, Any]) -> str:
        """The figure as a reader sees it, with its limit."""
        reached = runs[self.run]["figures"][self.figure]["reached"]
        return f"{self.figure} {number(reached)} {self.way} {number(self.limit)}"


def bound_of(text: str) -> Bound | None:
    """The bound of a line `berlin/storm carried_h >= 3`; None: another text."""
    found = BOUND.fullmatch(text)
    if found is None:
        return None
    run, figure, way, limit = found.groups()
    return Bound(run, figure, way, float(limit))


def stored() -> dict[str, Any]:
    """The short document of the tree."""
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def kept(documents: Any, wanted: Mapping[str, Collection[str]], commit: str) -> dict[str, Any]:
    """The short document of `hil run all --json`. wanted: figures of each run.

    WrongOptionError: the documents are of something else.
    """
    try:
        runs = {_run_of(each): _kept(each, wanted.get(_run_of(each), ())) for each in documents}
    except (KeyError, TypeError, AttributeError):
        raise WrongOptionError(f"--results: {ALLOWED}") from None
    return {"commit": commit, "runs": runs}


def _run_of(document: Mapping[str, Any]) -> str:
    return "/".join([each for each in (document["system"], document["variant"]) if each])


def _kept(document: Mapping[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    found = {each["name"]: each for each in document["figures"]}
    figures = {
        name: {key: _short(found[name][key]) for key in KEPT if found[name][key] is not None}
        for name in found
        if name in wanted
    }
    return {
        **{key: document[key] for key in ("days", "seed", "mode")},
        "violations": document["violations"],
        "figures": figures | _of_minutes(document["minutes"], wanted),
    }


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _of_minutes(minutes: Any, wanted: Collection[str]) -> dict[str, Any]:
    """Figures of the minutes with the kernel: those without a fault, the outages, the set."""
    outages = [each for each in minutes if each["is_outage"]]
    carried = [each for each in outages if not each["critical_kWh"] and not each["faults"]]
    set_s = [each["engine_s"] for each in outages if each["engine_s"] is not None]
    values = {
        "kernel_min": sum([each["for_s"] for each in minutes if not each["faults"]]) / 60,
        "outages": len(outages),
        "outages_carried": len(carried),
        "set_s": max(set_s, default=None),
    }
    return {
        name: {"reached": each}
        for name, each in values.items()
        if each is not None and (name in wanted or name == "kernel_min")
    }
