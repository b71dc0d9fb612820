"""Keeps the proofs of the claims: verdict and figures of each run, in a short document.

A run that misses a promise or violates a limit proves nothing. A run also needs minutes that were
played with the safety kernel, because nothing trips without it.
"""

import hashlib
import json
import math
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from hil.runner import code
from hil.runner.options import WrongOptionError
from hil.systems import spec, verdict
from hil.systems.verdict import Document

RESULTS = Path(__file__).parent / "results" / "claims.json"
PROOF = re.compile(r"([\w/]+) (\w+)")
KEPT = "reached", "asked", "way", "optimum", "status", "is_met"
DIGITS = 12  # length of a digest
ROOM = "hil/systems"  # the code that makes the runs
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

    def words(self, runs: Document) -> str:
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
    """The short document that the repository keeps."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8")))


def code_of(run: str) -> str:
    """Digest of the code and of the system's file of a run."""
    name, _, variant = run.partition("/")
    made_by = code.digest(ROOM), spec.load(name, variant)
    return hashlib.sha256(repr(made_by).encode()).hexdigest()[:DIGITS]


def kept(documents: Any, wanted: Mapping[str, Collection[str]], commit: str) -> Document:
    """The short document of `hil run all --json`. wanted: figures of each run.

    WrongOptionError: the documents are not those of `hil run`.
    """
    try:
        runs = {
            run_of(document): _kept(document, wanted.get(run_of(document), ()))
            for document in documents
        }
    except (KeyError, TypeError, AttributeError):
        raise WrongOptionError(f"--results: {ALLOWED}") from None
    return {"commit": commit, "runs": runs}


def run_of(document: Document) -> str:
    """The name of a run: system, or system/variant."""
    return "/".join([part for part in (document["system"], document["variant"]) if part])


def _kept(document: Document, wanted: Collection[str]) -> Document:
    sound_s = [minute["for_s"] for minute in document["minutes"] if not minute["faults"]]
    return {
        **{key: document.get(key) for key in ("days", "code")},
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
