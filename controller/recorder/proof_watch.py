"""Makes an event when 60, 30, 7 or 0 days are left until a proof test is due.

It reads the ledger of proof tests once a minute. The record keeps the levels that were reported. If
there is no ledger, the first look writes the day of commissioning into a new one. While the day is
unknown, nothing is reported or written.

A device with a new serial number, but without a replacement in the ledger, is also an event. The
tests that depend on the device are then due again.
"""

import contextlib
import itertools
import os
from typing import SupportsInt

from controller.journal.ring import JournalError
from controller.recorder.events import NOTE, Events, event
from controller.recorder.follow import NAMES, Run
from controller.run import link_statistics, operator_client, sign_request
from controller.state.base import Facts
from controller.store import proof_lines, proof_state, proof_tests, replacements, sign_tests
from controller.system import utc
from controller.system.paths import plain
from controller.system.worded import plural

LOOK_US = 60_000_000
CODE = "PROOF"
RECORDER = "the recorder"
Exchange = tuple[str | None, str, Facts]  # serial number before, serial number now, place


class ProofWatch:
    """Finds the events. Call `look` often. state: for the next recorder, as JSON."""

    def __init__(self, state_directory: str, stored: Facts | None = None, run_directory: str = ""):
        """stored: from an earlier recorder. run_directory: has the serial numbers of devices."""
        self._directory = state_directory
        self._links = os.path.join(run_directory, "links.stats")
        self._commands = os.path.join(run_directory, "command.sock")
        self.state = stored if isinstance(stored, dict) else {}
        self._due_us: int | None = None
        self._hold_us = 0

    def hold(self, now_us: int, header: Facts | None) -> None:
        """Hold the start of each unit whose converter was exchanged, once in LOOK_US. This needs
        neither the time of the day nor a disk that takes anything.
        """
        if now_us >= self._hold_us and header and header.get("proof_tests"):
            self._hold_us = now_us + LOOK_US
            with contextlib.suppress(OSError):
                self._exchanged(header, proof_tests.read(self._directory))

    def look(
        self, now_us: int, label: tuple[SupportsInt, str, int | None], header: Facts | None
    ) -> Events:
        """Events since the last look, once in LOOK_US. label: (utc_us, source, uncertainty)."""
        self._due_us = now_us + LOOK_US if self._due_us is None else self._due_us
        header = header or {}
        planned = header.get("proof_tests")
        if now_us < self._due_us or not planned or label[1] == utc.UNKNOWN:
            return []
        self._due_us = now_us + LOOK_US
        try:
            before = content = proof_tests.read(self._directory)
            if not content.newest:
                cabinet = list(header["names"].values())[-1]
                proof_tests.Ledger(self._directory).commission(label[:2], cabinet, waits=False)
                content = proof_tests.read(self._directory)
            swapped = self._swapped(label[:2], header, content)
            content = proof_tests.read(self._directory) if swapped is not None else content
        except BlockingIOError:
            return []  # another process is just writing the ledger
        except (OSError, proof_tests.LedgerError) as error:
            return self._trouble(plain(error, proof_tests.path_of(self._directory)))
        rows = proof_state.rows(planned, content.records, label[:2])
        damage = f"the proof-test ledger is {content.lines[0]}" if content.breaks else ""
        wrong = self._lack_of(before) or damage
        self.state = {**self.state, "head": content.head}
        return [*self._trouble(wrong), *(swapped or []), *self._passed(rows)]

    def _exchanged(
        self, header: Facts, content: proof_lines.Found
    ) -> tuple[dict[str, Exchange], dict[str, list[tuple[str, str]]]]:
        """({device: (serial number before, now, its place)}, {device: its tests that are due}) of
        devices whose serial number differs from the ledger. The holds are asked for first.
        """
        being_replaced = replacements.open_of(content.records)
        swapped = {
            name: (before, serial, header["places"][name])
            for name, serial in self._serials(header).items()
            if serial != (before := replacements.serial_of(content.records, name))
            and name not in being_replaced
        }
        due = {
            name: replacements.tests_of(place["tests"]) if before is not None else []
            for name, (before, _, place) in swapped.items()
        }
        for kind, row in itertools.chain(*due.values()):
            if kind == proof_lines.SIGN:
                self._hold(sign_tests.unit_of(row))
        return swapped, due

    def _swapped(
        self, moment: proof_tests.Moment, header: Facts, content: proof_lines.Found
    ) -> Events | None:
        """Events of devices whose serial number differs from the ledger; None if none differs."""
        swapped, due = self._exchanged(header, content)
        ledger = proof_tests.Ledger(self._directory)
        for name, (_, serial, place) in swapped.items():
            for kind, row in due[name]:
                remark = replacements.due_remark(name, replacements.OTHER_SERIAL)
                ledger.add(moment, kind, row, RECORDER, remark, waits=False)
            identity = replacements.identity(place["profile"], serial)
            ledger.add(moment, proof_lines.SERIAL, name, RECORDER, identity, waits=False)
        lines = [
            f"{name} has another serial number, {before} -> {serial}, and no replacement is "
            "recorded: its proof tests are due again"
            for name, (before, serial, _) in swapped.items()
            if before is not None
        ]
        return [event(NOTE, line, code=CODE) for line in lines] if swapped else None

    def _hold(self, unit: int) -> None:
        """Tell the controller to hold the start of this unit until its sign test is done.

        A controller that does not run reads the ledger when it starts.
        """
        with contextlib.suppress(OSError):
            operator_client.sign(self._commands, unit, sign_request.DUE)

    def _serials(self, header: Facts) -> dict[str, str]:
        """{device: serial number} of the devices that report a serial number."""
        try:
            serials = (link_statistics.read(self._links) or {}).get("serials", {})
        except OSError:
            return {}
        names = {
            (device["bus"], device["address"]): device["name"]
            for device in header.get("devices", [])
            if device["name"] in header.get("places", {})
        }
        return {
            names[address]: serial
            for address, serial in serials.items()
            if serial and address in names
        }

    def _lack_of(self, content: proof_lines.Found) -> str:
        """A line if the newest record of the last look is missing now, or ""."""
        head = self.state.get("head")
        if head in [None, *[record.hash for record in content.records]]:
            return ""
        return f"the proof-test ledger lacks record {head}: it was taken away, replaced or changed"

    def _trouble(self, line: str) -> Events:
        """An event if the line is new and not empty."""
        before, self.state = self.state.get("trouble", ""), {**self.state, "trouble": line}
        return [event(NOTE, line, code=CODE)] if line and line != before else []

    def _passed(self, rows: list[Facts]) -> Events:
        """Events of tests whose level has risen since the last report for the same due day."""
        before = self.state.get("rows", {})
        new: dict[int, list[str]] = {}
        now = {row["row"]: [row["due"], row["level"]] for row in rows if row["level"]}
        self.state = {**self.state, "rows": now}
        for row in rows:
            due, level = before.get(row["row"], [row["due"], 0])
            if row["level"] > (level if due == row["due"] else 0):
                new.setdefault(row["level"], []).append(row["row"])
        return [event(NOTE, _text(*pair), code=CODE) for pair in sorted(new.items(), reverse=True)]


def _text(level: int, keys: list[str]) -> str:
    limit_d = proof_state.LIMITS_D[level - 1]
    when = f"due within {limit_d} d" if limit_d else "due now"
    return f"proof test {when}: {plural(len(keys), 'row')} {', '.join(keys)}"


def hold_once(run_directory: str, state_directory: str) -> None:
    """Do once what ProofWatch.hold does, for a recorder that cannot begin."""
    with contextlib.suppress(JournalError):
        run = Run(os.path.join(run_directory, NAMES[-1]))
        ProofWatch(state_directory, None, run_directory).hold(0, run.reader.header)
        run.close()
