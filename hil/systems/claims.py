"""`python -m hil claims` lists the claims of five source texts, with proofs and states.

A claim of `claims.toml` works if its tests exist (tests/hil/systems/test_claims.py) and each run
that it names is as promised (verdict.py). If the claim names no variant, no run of its systems may
violate a limit. A claim is stale if the code was changed after its runs.
"""

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from controller.forms import field as forms
from controller.forms.reading import read, tables_of
from controller.forms.refusal import not_allowed, refuse
from controller.system import cli, worded
from hil.results import files
from hil.runner import options, report
from hil.systems import command, figures, proofs, spec, verdict
from hil.systems.verdict import Document

FILE = Path(__file__).parent / "claims.toml"
README = FILE.with_name("README.md")
SOURCES = {
    "munich": "Munich: load tracking",
    "berlin": "Berlin and Norway: nodes with PV",
    "nordic": "Nordic laboratory",
    "north_america": "North America, 20 MW",
    "shanghai": "Shanghai: pods",
}
SYSTEMS = {"berlin": ("berlin", "norway")}
HEAD = """# The claims of the five sources

This page is made of `claims.toml` and of the verdicts of `hil run all`
(`results/claims.json`, commit {commit}). A claim works if the runs that it names keep all their
promises, violate nothing and have minutes with the kernel, and if the tests that `claims.toml`
names exist. It is stale if code of these runs has changed since. `hil X` stands for
`.venv/bin/python -m hil X`; berlin/storm is variant storm of `hil run berlin`.
Of {count}: {states}."""
STATES = "works", "stale", "fails", "unreachable", "context", "partly", "missing"
CLAIM = {
    "claim": forms.text(),
    "words": forms.text(""),  # how to see the claim; if only a part exists, which part
    "figures": forms.passing(
        lambda value: forms.is_list(value, proofs.proof_of),
        'a list of promises like "berlin/storm carried_h"',
        [],
    ),
    # violations that begin with one of these texts do not count: the claim does not name their runs
    "apart": forms.texts([]),
    "tests": forms.texts([]),  # "FILE::test_name", FILE below tests/
    "lacks": forms.text(""),
    "unreachable": forms.text(""),  # arithmetic that shows why it cannot be reached
    "context": forms.text(""),  # who does this work, because the project does not
}
ROW = {key: forms.text() for key in ("run", "figure", "promise", "unit")}
TOP = {**{name: forms.table() for name in SOURCES}, "row": forms.tables(ROW)}
FALL = "falls by"  # words of a promise about a decrease; the table words a negative one as a rise
COLUMNS = "run", "promise", "asked", "reached", "best possible", "exit code"


class Claim(NamedTuple):
    """A claim of a source with its proof."""

    claim: str
    words: str
    figures: list[proofs.Proof]
    apart: list[str]
    tests: list[str]
    lacks: str
    unreachable: str
    context: str

    def judged(self, source: str, runs: Document, stale: set[str]) -> tuple[str, str]:
        """(state, last column of the page). source: a key of SOURCES."""
        if self.unreachable or self.context:
            state = "unreachable" if self.unreachable else "context"
            return state, self.unreachable or self.context
        if self.lacks:
            return "partly" if self.words else "missing", _joined(self.words, self.lacks)
        wrong = [line for figure in self.figures for line in figure.wrong(runs)]
        wrong += self._violated({source, *SYSTEMS.get(source, ())}, runs)
        if wrong:
            return "fails", _joined(self.words, *dict.fromkeys(wrong))
        texts: dict[str, list[str]] = {}
        for figure in self.figures:
            texts.setdefault(figure.run, []).append(figure.text(runs))
        shown = [f"{run}: {', '.join(run_texts)}" for run, run_texts in texts.items()]
        count = len(self.tests)
        tests = worded.counted(count, "test") if count else ""
        state = "works" if stale.isdisjoint(texts) else "stale"
        return state, _joined(self.words, *shown, tests)

    def _violated(self, systems: Collection[str], runs: Document) -> list[str]:
        """[the first violation in a run of the claim's systems]; [] for a claim that names a
        variant.
        """
        if any("/" in figure.run for figure in self.figures):
            return []
        systems = {*systems, *[figure.run for figure in self.figures]}
        return [
            f"{name} {line}"
            for name, run in runs.items()
            if name.partition("/")[0] in systems
            for line in run["violations"]
            if not line.startswith(tuple(self.apart))
        ][:1]


def _joined(*parts: str) -> str:
    return "; ".join([part for part in parts if part])


def load() -> tuple[dict[str, dict[int, Claim]], list[dict[str, str]]]:
    """(claims of each source by number, rows of the table). Raises ConfigError."""
    top = read(FILE.name, (), tables_of(str(FILE), "claims", name=FILE.name), TOP)
    claims = {
        source: {int(key): _claim((source, key), fields) for key, fields in top[source].items()}
        for source in SOURCES
    }
    return claims, top["row"]


def _claim(path: tuple[str, str], table: Any) -> Claim:
    if not path[1].isdecimal():
        not_allowed(FILE.name, path, path[1], "the number of a claim")
    fields = read(FILE.name, path, table, CLAIM)
    fields["figures"] = [proofs.proof_of(promise) for promise in fields["figures"]]
    is_proven = bool(fields["figures"] or fields["tests"])
    kinds = is_proven + sum([bool(fields[key]) for key in ("lacks", "unreachable", "context")])
    if kinds != 1:
        refuse(FILE.name, path, f"has {kinds} of these", "one: proof, lacks, unreachable, context")
    return Claim(**fields)


def wanted() -> dict[str, set[str]]:
    """The figures of each run that the claims and the table use."""
    claims, rows = load()
    by_run: dict[str, set[str]] = {}
    for claim in [claim for source in claims.values() for claim in source.values()]:
        for proof in claim.figures:
            by_run.setdefault(proof.run, set()).add(proof.figure)
    for row in rows:
        by_run.setdefault(row["run"], set()).add(row["figure"])
    return by_run


def page(results: Document) -> Iterator[str]:
    """The lines of the page."""
    runs, stale = results["runs"], set(proofs.stale(results))
    judged = {
        source: [
            (number, claim.claim, *claim.judged(source, runs, stale))
            for number, claim in claims.items()
        ]
        for source, claims in load()[0].items()
    }
    count = Counter([row[2] for rows in judged.values() for row in rows])
    states = ", ".join([f"{count[state]} {state}" for state in STATES])
    yield HEAD.format(commit=results["commit"], count=count.total(), states=states)
    for source, rows in judged.items():
        yield from ("", f"## {SOURCES[source]}", "")
        cells = [(str(row[0]), *row[1:]) for row in rows]
        yield from report.table(("", "claim", "state", "proof, or what lacks"), cells)


def table(results: Document) -> list[str]:
    """The table of hil/systems/README.md: a row for each promise, missed ones in bold."""
    return report.table(COLUMNS, [_cells(row, results["runs"]) for row in load()[1]])


def _cells(row: Mapping[str, str], runs: Document) -> tuple[str, ...]:
    run = runs.get(row["run"], {"figures": {}, "missed": [], "violations": []})
    figure, unit = run["figures"].get(row["figure"], {}), row["unit"]
    reached = f"{figures.reached(figure)} {unit}" if figure else "-"
    if FALL in row["promise"] and figure.get("reached", 0) < 0:
        reached = f"it rises by {reached[1:]}"
    if verdict.is_missed(figure):
        reached = f"**{reached}**"
    asked, best = [
        "-" if figure.get(key) is None else f"{figures.number(figure[key])} {unit}"
        for key in ("asked", "optimum")
    ]
    code = "1" if proofs.wrong(run) else "0"
    return f"`{row['run']}`", row["promise"], asked, reached, best, code


def main(arguments: Namespace) -> int:
    """Print the page or the table, and write them. Returns the exit code."""
    results = _results(arguments)
    if arguments.play:
        results = _played(results, arguments.commit)
    lines = list(page(results))
    print("\n".join(table(results) if arguments.table else lines))
    if arguments.write or arguments.play:
        _write(results)
    is_wrong = any(f"| {state} |" in line for line in lines for state in ("fails", "stale"))
    return report.NOT_MET if is_wrong else report.MET


def _results(arguments: Namespace) -> Document:
    if not arguments.results:
        return proofs.stored()
    documents: list[Any] = []
    for path in arguments.results:
        try:
            parsed = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            parsed = None
        if not isinstance(parsed, list):
            raise options.WrongOptionError(f"--results {path}: {proofs.ALLOWED}")
        documents += parsed
    return proofs.kept(documents, wanted(), arguments.commit)


def _played(results: Document, commit: str) -> Document:
    """The results, after the runs that are missing or stale were played."""
    jobs = spec.runs()
    valid = set(results["runs"]) - set(proofs.stale(results))
    left = [job for job in jobs if proofs.run_of(*job) not in valid]
    print(f"claims: {len(jobs) - len(left)} of {len(jobs)} runs are valid", file=sys.stderr)
    if not left:
        return results
    newer = proofs.kept(command.documents_of(left), wanted(), commit)
    return proofs.updated(results, newer)


def _write(results: Document) -> None:
    if not README.is_file():
        raise options.WrongOptionError(f"--write: allowed is a tree of the project, with {README}")
    runs = [f' "{name}": {json.dumps(run)}' for name, run in results["runs"].items()]
    head = f'{{"commit": {json.dumps(results["commit"])}, "runs": {{\n'
    text = README.read_text(encoding="utf-8")
    old = "\n".join(in_readme(text))
    with files.naming(str(README)):
        proofs.RESULTS.write_text(head + ",\n".join(runs) + "\n}}\n", encoding="ascii")
        proofs.EVIDENCE.write_text(cli.as_json(results["evidence"]) + "\n", encoding="ascii")
        README.write_text(text.replace(old, "\n".join(table(results))), encoding="utf-8")


def in_readme(text: str) -> list[str]:
    """The lines of the table in hil/systems/README.md."""
    lines = text.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith(f"| {COLUMNS[0]} |"))
    return lines[first : lines.index("", first)]


OPTIONS = {
    "--results": options.value(str, "FILE", "of `hil run --json` (the kept figures)")
    | {"nargs": "+"},
    "--commit": options.value(str, "ID", "of the tree that made these results", "unknown"),
    "--play": options.flag("play the runs that are stale or missing, and write as --write"),
    "--table": options.flag("the table of hil/systems/README.md, instead of the page"),
    "--write": options.flag(
        "also write results/claims.json and the table of hil/systems/README.md"
    ),
}
add = options.command("claims", "the claims of the sources and their proofs", main, OPTIONS)
