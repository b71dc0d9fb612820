"""The results of a run, kept as they come: a file with one JSON line each.

    {"order": {"command": "nuisance", "seed": 1, ...}}
    {"evidence": {"digest": "5f0c...", ...}}
    {"case": "derated: training job", "result": {...}, "evidence": "5f0c..."}
    {"case": "as built: training job", "error": "Traceback ..."}

Only a run with the same options (its order) goes on with the file. A case with an error is played
again, and one whose code or data have changed (see evidence.py). The last line may be torn, because
the machine may have lost its supply while it was written. If the process watches what it executes,
the file is in the user's cache, one for each order, and the next run finds it. Otherwise, and
without --resume, it is a temporary file until the run is over.
"""

import argparse
import contextlib
import hashlib
import json
import os
import tempfile
from typing import Any, NoReturn

from hil.results import files
from hil.runner import evidence, executed
from hil.runner.evidence import Evidence
from hil.runner.executed import Used
from hil.runner.options import WrongOptionError

BEGIN = '{"order": '
ORDERS_MAX = 40  # files in the user's cache; the oldest ones go
# options that change no result
IRRELEVANT = {
    "run",
    "json",
    "html",
    "md",
    "png",
    "against",
    "measured",
    "processes",
    "resume",
    "dask",
}


class Kept:
    """results: {case: its result}; evidence: {case: what its result depends on, {}: not known}."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """arguments: the command's arguments."""
        self.results: dict[str, Any] = {}
        self.evidence: dict[str, Evidence] = {}
        self._written = set[str]()  # digests of the evidence in the file
        self.is_asked = bool(arguments.resume)
        self.is_stored = self._has_errors = False
        order = {key: var for key, var in vars(arguments).items() if key not in IRRELEVANT}
        name = f"firebreak-{arguments.program.replace(' ', '-')}-"
        self._path = arguments.resume or self._stored(name, order) or _temporary(name)
        # Bytes beyond ASCII, which no run writes, must not raise here; the file is refused later.
        self._file = open(self._path, "a+", encoding="ascii", errors="surrogateescape")
        order = json.loads(json.dumps(order))
        if self.is_stored:
            self._renew(order)
        else:
            self._take(self._lines(order))

    def _stored(self, name: str, order: dict[str, Any]) -> str:
        """The file of this order in the user's cache; "" if this process does not watch itself, or
        may not write there.
        """
        if not executed.has_begun():
            return ""
        folder = evidence.folder()
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            return ""
        files_by_age = sorted(folder.glob("firebreak-*.jsonl"), key=os.path.getmtime)
        for path in files_by_age[:-ORDERS_MAX]:
            path.unlink(missing_ok=True)
        self.is_stored = True
        # The names of files in the order may be relative.
        key = json.dumps([os.getcwd(), order], sort_keys=True)
        return str(folder / f"{name}{hashlib.sha256(key.encode()).hexdigest()[:12]}.jsonl")

    def _renew(self, order: dict[str, Any]) -> None:
        """Begin the stored file again with the results that are still valid."""
        try:
            self._take(self._lines(order))
        except (WrongOptionError, KeyError, AttributeError):  # damaged
            self.results.clear()
        self._file.truncate(0)
        self._write({"order": order})
        for case, outcome in self.results.items():
            self._write_case(case, outcome)

    def _lines(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """The lines of the file, which ends after them. Raises WrongOptionError."""
        self._file.seek(0)
        complete_text, _, torn_line = self._file.read().rpartition("\n")
        lines = [self._parsed(line) for line in complete_text.split("\n") if complete_text]
        stored_order = lines[0].get("order") if lines else order
        if (
            not isinstance(stored_order, dict)
            or not lines
            and torn_line[: len(BEGIN)] != BEGIN[: len(torn_line)]
        ):
            self._refuse()
        if stored_order != order:
            raise WrongOptionError(
                f"--resume {self._path}: was begun with other options; allowed is a new file, or "
                f"the options {_options_text(stored_order)}"
            )
        self._file.truncate(len(complete_text) + 1 if complete_text else 0)
        if not lines:
            self._write({"order": order})
        return lines

    def _take(self, lines: list[dict[str, Any]]) -> None:
        """Take the valid results. One without evidence is valid if a person names the file."""
        evidences = [line["evidence"] for line in lines if evidence.is_whole(line.get("evidence"))]
        evidence_by_digest = {kept["digest"]: kept for kept in evidences}
        valid = {digest for digest, kept in evidence_by_digest.items() if evidence.is_valid(kept)}
        for line in lines:
            digest = str(line.get("evidence", ""))
            if "result" in line and (digest in valid or not digest and self.is_asked):
                self.results[line["case"]] = line["result"]
                self.evidence[line["case"]] = evidence_by_digest.get(digest, {})

    def _parsed(self, line: str) -> dict[str, Any]:
        try:
            parsed = json.loads(line)
        except ValueError:
            parsed = None
        is_ours = isinstance(parsed, dict) and (
            "order" in parsed
            or type(parsed.get("case")) is str
            or evidence.is_whole(parsed.get("evidence"))
        )
        return parsed if is_ours else self._refuse()

    def _refuse(self) -> NoReturn:
        raise WrongOptionError(
            f"--resume {self._path}: allowed is a new file, or one that --resume has written"
        )

    @property
    def count(self) -> int:
        """How many results are in the file."""
        return len(self.results)

    @property
    def resume_text(self) -> str:
        """The line for a run that ends early."""
        option = f"go on with --resume {self._path}"
        way = "the same command goes on with them" if self.is_stored else option
        return f"{self.count} results are kept: {way}"

    def add(self, case: str, result: Any, used: Used | None) -> Any:
        """Keep a result; returns it as it would be read again. used: by its case."""
        text = json.dumps(result)
        self.evidence[case] = evidence.evidence(used) if used else {}
        self._write_case(case, result)
        self.results[case] = json.loads(text)
        return self.results[case]

    def _write_case(self, case: str, outcome: Any) -> None:
        """Write a result, and its evidence before the first one that has it."""
        kept = self.evidence[case]
        digest = kept.get("digest", "")
        if kept and digest not in self._written:
            self._written.add(digest)
            self._write({"evidence": kept})
        self._write({"case": case, "result": outcome, "evidence": digest})

    def fail(self, case: str, text: str) -> None:
        """Keep the traceback of a case, for a person."""
        self._has_errors = True
        self._write({"case": case, "error": text})

    def _write(self, line: dict[str, Any]) -> None:
        with files.naming(self._path):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def close(self, is_over: bool) -> None:
        """Close the file, and remove a useless temporary file. is_over: the run is complete."""
        self._file.close()
        if self.is_stored:
            evidence.save_units()
        is_useless = is_over and not self.is_stored or not (self.results or self._has_errors)
        if not self.is_asked and is_useless:
            os.unlink(self._path)


def _temporary(name: str) -> str:
    number, path = tempfile.mkstemp(".jsonl", name)
    os.close(number)
    return path


def _options_text(order: dict[str, Any]) -> str:
    """The options that were given, or that have a default."""
    options = []
    for key, setting in order.items():
        if isinstance(setting, list):
            setting = " ".join(map(str, setting))
        if setting is True:
            options.append(key)
        elif setting is not None and setting is not False:
            options.append(f"{key} {setting}")
    return ", ".join(options)
