"""Keeps the proofs of the claims: verdict and figures of each run, in a short document.

A run that misses a promise or violates a limit proves nothing. A run also needs minutes that were
played with the safety kernel, because nothing trips without it.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hil.runner import evidence, executed
from hil.runner.evidence import Evidence
from hil.runner.options import WrongOptionError
from hil.systems import verdict
from hil.systems.verdict import Document

RESULTS = Path(__file__).parent / "results" / "claims.json"
PROOF = re.compile(r"([\w/]+) (\w+)")
KEPT = "reached", "asked", "way", "optimum", "status", "is_met"
EVIDENCE = RESULTS.with_name("evidence.json")
DIGITS = 12  # length of a digest
ALLOWED = "allowed is a file of `hil run all --json`"


class Proof(NamedTuple):
    """A promise of a run that proves a claim. run: system, or system/variant."""

    run: str
    figure: str

    def wrong(self, runs: Document) -> list[str]:
        """Reasons why the runs do not prove the promise; empty if they prove it."""
        run = runs.get(self.run)
        if run is None:
            return [f"no results of {self.run}"]
        is_judged = run["figures"].get(self.figure, {}).get("is_met") is not None
        lacks = {
            wrong(run): True,
            f"does not judge {self.figure}": not is_judged,
            "has no minutes with the kernel": not run["kernel_min"],
        }
        return [f"{self.run} {reason}" for reason, is_so in lacks.items() if reason and is_so]

    def text(self, runs: Document) -> str:
        """The figure as a reader sees it."""
        return f"{self.figure} {verdict.against(runs[self.run]['figures'][self.figure])}"


def wrong(run: Document) -> str:
    """Missed promises and the first violation of a kept run; "": none."""
    texts, more = [*run["missed"], *run["violations"][:1]], len(run["violations"]) - 1
    return "; ".join([*texts, *([f"{more} more violations"] if more > 0 else [])])


def proof_of(text: str) -> Proof | None:
    """The proof in a line such as `berlin/storm carried_h`; None for another text."""
    match = PROOF.fullmatch(text)
    return Proof(*match.groups()) if match else None


def stored() -> Document:
    """The short document that the repository keeps, with the evidence of its runs."""
    with executed.apart():  # no run depends on them
        document = dict(json.loads(RESULTS.read_text(encoding="utf-8")))
        return document | {"evidence": json.loads(EVIDENCE.read_text(encoding="utf-8"))}


def stale(results: Document) -> list[str]:
    """The runs whose code or data have changed since."""
    return [
        run
        for place, (run, document) in enumerate(results["runs"].items())
        if evidence.digest_of(_evidence(results["evidence"], place))[:DIGITS] != document["code"]
    ]


# The code and files on which the runs depend, with each name once: {runs as bits of a hexadecimal
# number: {module: its functions, with spaces; None: all}}. The module FILES has the files.
Packed = dict[str, dict[str, str | None]]
FILES = "files"


def packed(evidence_of_runs: list[Evidence]) -> Packed:
    """The evidence of all runs in one table."""
    runs: dict[tuple[str, str | None], int] = {}
    for place, run in enumerate(evidence_of_runs):
        names = {
            (module, name) for module, text in run["functions"].items() for name in _names(text)
        }
        for key in names | {(FILES, file) for file in run["files"]}:
            runs[key] = runs.get(key, 0) | 1 << place
    table: dict[str, dict[str, list[str | None]]] = {}
    for (module, name), bits in sorted(runs.items(), key=str):
        table.setdefault(f"{bits:x}", {}).setdefault(module, []).append(name)
    return {
        bits: {
            module: None if None in names else " ".join(map(str, names)).strip()
            for module, names in modules.items()
        }
        for bits, modules in table.items()
    }


def _names(text: str | None) -> list[str | None]:
    """The names in a text; "" stands for the module itself."""
    return [None] if text is None else ["", *text.split()]


def _evidence(table: Packed, place: int) -> Evidence:
    """The evidence of the run at this place."""
    functions: dict[str, str | None] = {}
    for bits, modules in table.items():
        for module, text in modules.items() if int(bits, 16) >> place & 1 else ():
            before = functions.get(module, "")
            functions[module] = None if None in (before, text) else f"{before} {text}".strip()
    return {"files": (functions.pop(FILES, "") or "").split(), "functions": functions}


def kept(documents: Any, wanted: Mapping[str, Collection[str]], commit: str) -> Document:
    """The short document of `hil run all --json`. wanted: figures of each run.

    WrongOptionError: the documents are not those of `hil run`.
    """
    try:
        runs = {
            (run := run_of(document["system"], document["variant"])): _kept(
                document, wanted.get(run, ())
            )
            for document in documents
        }
        table = packed([document["code"] for document in documents])
    except (KeyError, TypeError, AttributeError):
        raise WrongOptionError(f"--results: {ALLOWED}") from None
    return {"commit": commit, "runs": runs, "evidence": table}


def updated(results: Document, newer: Document) -> Document:
    """Results with those of the newer runs in place of the same runs."""
    runs, evidence_of = {}, {}
    for part in (results, newer):
        for place, (run, document) in enumerate(part["runs"].items()):
            runs[run], evidence_of[run] = document, _evidence(part["evidence"], place)
    table = packed(list(evidence_of.values()))
    return {"commit": newer["commit"], "runs": runs, "evidence": table}


def run_of(name: str, variant: str) -> str:
    """The name of a run: system, or system/variant."""
    return f"{name}/{variant}" if variant else name


def _kept(document: Document, wanted: Collection[str]) -> Document:
    sound_s = [minute["for_s"] for minute in document["minutes"] if not minute["faults"]]
    return {
        "days": document.get("days"),
        "code": document["code"]["digest"][:DIGITS],
        "missed": verdict.missed(document),
        "violations": document["violations"],
        "kernel_min": math.fsum(sound_s) / 60,
        "figures": {
            figure["name"]: {key: _short(figure[key]) for key in KEPT if figure[key] is not None}
            for figure in document["figures"]
            if figure["name"] in wanted
        },
    }


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
