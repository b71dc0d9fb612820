"""Facts about proof tests: armed rows come from the journal's header, tests from the ledger."""

import contextlib
import os
from typing import SupportsInt

from controller.state import joining
from controller.state.base import Facts
from controller.store import proof_lines, proof_state, proof_tests, replacements, sign_tests
from controller.system import utc
from controller.system.paths import plain


class Ledger:
    """The ledger, parsed only after a change: a page reads it each second, and each record takes
    70 us.
    """

    def __init__(self, state_directory: str):
        self._directory = state_directory
        self._file_state: tuple[int, ...] = ()
        self._content: proof_lines.Found | None = None

    def read(self) -> proof_lines.Found:
        """The content now. Raises OSError."""
        file_state: tuple[int, ...] = ()
        with contextlib.suppress(FileNotFoundError):
            now = os.stat(proof_tests.path_of(self._directory))
            file_state = now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns
        if self._content is None or file_state != self._file_state:
            self._content, self._file_state = proof_tests.read(self._directory), file_state
        return self._content


def facts(
    header: Facts, ledger: Ledger, moment: SupportsInt, clock: str, ramp: joining.Ramp
) -> Facts | None:
    """{rows, signs, summary, replacing, join, wrong, clock}, None for a controller without proof
    tests.

    signs: {unit, state, date} of sign_tests.units; summary: the next due test; replacing: devices
    that are being replaced; wrong: lines about the ledger; clock: where today's date comes from. If
    the clock is unknown, an overdue test may look as if it had time left.
    """
    planned = header.get("proof_tests")
    if planned is None:
        return None
    try:
        content = ledger.read()
    except OSError as error:
        wrong = [plain(error, proof_tests.FILE)]
        nothing: Facts = {"rows": [], "signs": [], "replacing": [], "join": None}
        return nothing | {"summary": "proof tests unknown", "wrong": wrong, "clock": clock}
    rows = proof_state.rows(planned, content.records, (moment, clock))
    summary = "proof-test ledger damaged" if content.breaks else proof_state.summary(rows)
    has_problem = content.breaks or proof_state.wrong(rows)
    if clock == utc.UNKNOWN and summary and not has_problem:
        summary += ", clock unknown"
    replacing = replacements.open_of(content.records)
    if replacing:
        summary = f"{', '.join(replacing)} is being replaced"
    units = sign_tests.units(codes(header), content.records)
    return {
        "rows": rows,
        "signs": [{key: unit[key] for key in ("unit", "state", "date")} for unit in units],
        "replacing": [replacements.words(record) for record in replacing.values()],
        "summary": summary,
        "wrong": content.lines,
        "clock": clock,
        "join": joining.facts(header, content.records, ramp),
    }


def codes(header: Facts) -> list[str]:
    """The code of each unit's devices for sign_tests, from the header of a journal."""
    devices = [
        (device["name"], device["role"], device["index"]) for device in header.get("devices", [])
    ]
    return sign_tests.codes(header["safety_image"], header.get("device_crcs", {}), devices)
