"""The results of a run, kept as they come: a file with one JSON line each.

    {"order": {"command": "nuisance", "seed": 1, ...}}
    {"case": "derated: training job", "result": {...}}
    {"case": "as built: training job", "error": "Traceback ..."}

Only a run with the same options (its order) goes on with the file. A case with an error is played
again. The last line may be torn, because the machine may have lost its supply while it was written.
"""

import argparse
import json
import os
import tempfile
from typing import Any, NoReturn

from hil.results import files
from hil.runner.options import WrongOptionError

BEGIN = '{"order": '
# These options change no result.
WITHOUT = {"run", "json", "html", "md", "png", "against", "measured", "processes", "resume", "dask"}


class Kept:
    """results: {case: its result}; without --resume, a temporary file until the run is over."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """arguments: the command's arguments."""
        self.results: dict[str, Any] = {}
        self._path, self._is_asked, self._has_errors = (
            arguments.resume,
            bool(arguments.resume),
            False,
        )
        if not self._is_asked:
            number, self._path = tempfile.mkstemp(
                ".jsonl", f"firebreak-{arguments.program.replace(' ', '-')}-"
            )
            os.close(number)
        order = {key: var for key, var in vars(arguments).items() if key not in WITHOUT}
        # Bytes beyond ASCII, which no run writes, must not raise here; the file is refused later.
        self._file = open(self._path, "a+", encoding="ascii", errors="surrogateescape")
        self._read(json.loads(json.dumps(order)))

    def _read(self, order: dict[str, Any]) -> None:
        self._file.seek(0)
        whole, _, torn = self._file.read().rpartition("\n")
        lines = [self._parsed(line) for line in whole.split("\n") if whole]
        begun = lines[0].get("order") if lines else order
        if not isinstance(begun, dict) or not lines and torn[: len(BEGIN)] != BEGIN[: len(torn)]:
            self._refuse()
        if begun != order:
            raise WrongOptionError(
                f"--resume {self._path}: was begun with other options; allowed is a new file, or "
                f"the options {_words(begun)}"
            )
        self._file.truncate(len(whole) + 1 if whole else 0)
        self.results = {line["case"]: line["result"] for line in lines if "result" in line}
        if not lines:
            self._write({"order": order})

    def _parsed(self, line: str) -> dict[str, Any]:
        try:
            parsed = json.loads(line)
        except ValueError:
            parsed = None
        is_ours = isinstance(parsed, dict) and (
            "order" in parsed or type(parsed.get("case")) is str
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
    def words(self) -> str:
        """The line for a run that ends early."""
        return f"{self.count} results are kept: go on with --resume {self._path}"

    def add(self, case: str, result: Any) -> Any:
        """Keep a result; returns it as it would be read again."""
        text = json.dumps(result)
        self._write({"case": case, "result": result})
        self.results[case] = json.loads(text)
        return self.results[case]

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
        if not self._is_asked and (is_over or not (self.results or self._has_errors)):
            os.unlink(self._path)


def _words(order: dict[str, Any]) -> str:
    """The options that were given, or that have a default."""
    options = [
        (key, setting)
        for key, setting in order.items()
        if setting is not None and setting is not False
    ]
    return ", ".join(
        [key if setting is True else f"{key} {_text(setting)}" for key, setting in options]
    )


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
