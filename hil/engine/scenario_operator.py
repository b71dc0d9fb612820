"""Carries out a scenario's actions on the controller: stall, spoiled store, commands, hints."""

import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

from controller.core.base import hint_codes
from controller.hints.client import HintClient
from controller.journal import snapshot
from controller.journal.ring import JournalError
from controller.run import operator_client, operator_commands
from controller.store import two_copies
from hil.engine import run_directory


class ScenarioOperator:
    """Base of hil.engine.rig.Rig. `_do_X` does what a message X of the plant process asks for."""

    controller: subprocess.Popen[bytes] | None = None
    directory: str
    keys: dict[str, bytes]  # {source of hints: its key}

    def _running(self) -> subprocess.Popen[bytes]:
        """The controller that was started last."""
        assert self.controller is not None
        return self.controller

    def _do_stall(self, message: dict) -> None:
        self._running().send_signal(signal.SIGSTOP)
        try:
            time.sleep(message["duration_ms"] / 1000)
        finally:
            self._running().send_signal(signal.SIGCONT)

    def _do_store_other_image(self, message: dict) -> None:
        store = two_copies.Store(os.path.join(self.directory, "state"))
        record = store.load().record
        assert record is not None, "commission() has written one"
        store.save(replace(record, approved=run_directory.OTHER_IMAGE))

    def _do_spoil_store(self, message: dict) -> None:
        for name in two_copies.COPIES:
            pathlib.Path(self.directory, "state", name).write_bytes(b"spoiled")

    def _do_reset(self, message: dict) -> None:
        kinds = {"key": operator_commands.KEY_RESET, "remote": operator_commands.REMOTE_RESET}
        journal = os.path.join(self.directory, "journal")

        def reset(path: str) -> None:  # resets only the causes that the operator sees now
            causes = snapshot.read(journal).causes
            operator_client.reset(path, kinds[message["by"]], *causes)

        self._command(reset)

    def _do_run_request(self, message: dict) -> None:
        request = operator_commands.RUN if message["on"] else operator_commands.STOP
        self._command(lambda path: operator_client.ask(path, request))

    def _do_hint(self, message: dict) -> None:
        source = message["source"]
        try:
            with HintClient(self.directory) as client:
                answer = client.say(source, self.keys[source], *message["order"])
        except (OSError, KeyError) as error:
            print(f"rig: hint of {source}: not sent: {error}", file=sys.stderr)
            return
        if answer is not None and not hint_codes.taken(answer[1].code):
            text = hint_codes.text(answer[1].code)[1]
            print(f"rig: hint of {source}: refused: {text}", file=sys.stderr)

    def _command(self, give: Callable[[str], object]) -> None:
        try:
            give(os.path.join(self.directory, "command.sock"))
        except (OSError, JournalError) as error:
            print(f"rig: the controller did not take the command: {error}", file=sys.stderr)
