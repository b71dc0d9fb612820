"""The actions of a person who has logged in at the console, such as a reset. Each action leaves a
note for the recorder.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import IO, cast

from controller.console import run_words
from controller.console.terminal.view import ShownAlarms
from controller.core.image import PEER_EMPTY
from controller.run import answer_words, operator_client, operator_commands
from controller.store import durable, spool
from controller.system import json_text, regular_file
from controller.system.paths import why
from safety import latches

ACKNOWLEDGED = "acknowledged"
START_WITH_G = ": start it with G"
ACKNOWLEDGEMENT_BYTES_MAX = 1000
OUTPUT_BYTES_MAX = 2000


class Actions:
    """The actions at one console. Most of them return one line for the person."""

    def __init__(self, run_directory: str, state_directory: str, export_directory: str, where: str):
        """where: the terminal's short name, for the record."""
        self._run_directory, self._state_directory = run_directory, state_directory
        self._export_directory, self._where = export_directory, where
        self._socket = os.path.join(run_directory, "command.sock")
        self._export: Export | None = None

    def note(self, now_us: int, code: str, who: str, text: str) -> str:
        """Leave a note for the recorder. Returns "", or a text about the failure, which the caller
        appends to its message.
        """
        try:
            spool.put(self._run_directory, now_us, code, f"{who} at {self._where}: {text}")
        except OSError as error:
            return f" NOT RECORDED: {error.strerror or error}"
        return ""

    def reset(self, now_us: int, who: str, seen: ShownAlarms, with_key: bool) -> str:
        """Reset the causes that the person saw."""
        kind = operator_commands.KEY_RESET if with_key else operator_commands.REMOTE_RESET
        try:
            answer = operator_client.reset(self._socket, kind, *seen.causes)
            outcome, advice = answer.words(), _advice(answer)
        except OSError as error:
            outcome, advice = f"not sent, {error.strerror or error}", ""
        way = "key" if with_key else "remote"
        text = f"{way} reset of {seen.text} ({_numbers(*seen.causes)}): {outcome}"
        return f"Reset: {outcome}{advice}.{self.note(now_us, 'RESET', who, text)}"

    def lock_out(self, now_us: int, who: str, is_locked: bool) -> str:
        """Lock the cabinet out in this person's name, or end the lock-out."""
        send = partial(operator_client.lock_out, self._socket, who, is_locked)
        if is_locked:
            return self._ask(now_us, who, "Lock-out", "LOCK", send)
        return self._ask(now_us, who, "End of the lock-out", "UNLOCK", send, lambda: START_WITH_G)

    def approve(self, now_us: int, who: str, code: int) -> str:
        """Approve the changes with this code in this person's name."""
        send = partial(operator_client.approve, self._socket, who, code)
        about = f"{code:08X}: "
        return self._ask(
            now_us, who, "Approval", "APPROVE", send, lambda: START_WITH_G, about=about
        )

    def start(self, now_us: int, who: str) -> str:
        """Start the cabinet."""

        def then() -> str:
            sentence, now = run_words.of_start(self._run_directory)
            return f": {sentence}{', see START on page 2' if now else ''}"

        send = partial(operator_client.ask, self._socket, operator_commands.RUN)
        return self._ask(now_us, who, "Start", "START", send, then)

    def stop(self, now_us: int, who: str) -> str:
        """Stop the cabinet in a controlled way. After the stop the cabinet is in standby."""
        send = partial(operator_client.ask, self._socket, operator_commands.STOP)
        then = partial(run_words.of_stop, self._run_directory)
        return self._ask(now_us, who, "Stop", "STOP", send, lambda: f": {then()}")

    def lamp_test(self, now_us: int, who: str) -> str:
        """Flash the lamps."""
        send = partial(operator_client.ask, self._socket, operator_commands.LAMP_TEST)
        return self._ask(now_us, who, "Lamp test", "LAMPS", send)

    def _ask(
        self,
        now_us: int,
        who: str,
        name: str,
        code: str,
        send: Callable[[], int | None],
        then: Callable[[], str] = lambda: "",
        about: str = "",
    ) -> str:
        """Send a command and note its answer. then(): what follows if it is accepted, in words."""
        try:
            answer = send()
            outcome = answer_words.text(answer)
            outcome += then() if answer == operator_commands.ACCEPTED else ""
        except (OSError, ValueError) as error:
            outcome = f"not sent, {why(error)}"
        return f"{name}: {outcome}.{self.note(now_us, code, who, about + outcome)}"

    def acknowledge(self, now_us: int, who: str, seen: ShownAlarms) -> str:
        """Show on all consoles that this person has seen this alarm."""
        content = {"who": who, "where": self._where, "causes": seen.causes}
        noted = self.note(now_us, "ACK", who, f"has seen {seen.text}")
        path = os.path.join(self._run_directory, spool.FOLDER, ACKNOWLEDGED)
        try:
            durable.put(path, ".new", [json.dumps(content).encode("ascii")], 0o600)
        except OSError as error:
            return f"Not acknowledged: {error.strerror}.{noted}"
        return f"Acknowledged: {seen.text}.{noted}"

    def acknowledged(self, alarm: tuple[int, ...] | None) -> str | None:
        """A line with the person who has acknowledged these causes, or None."""
        path = os.path.join(self._run_directory, spool.FOLDER, ACKNOWLEDGED)
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            content = json_text.loads(
                regular_file.read(path, ACKNOWLEDGEMENT_BYTES_MAX).decode("ascii")
            )
            if alarm == tuple(content["causes"]):
                return spool.plain(
                    f"ACK    {content['who']} at {content['where']} has seen this alarm."
                )
        return None

    def export(self, now_us: int, who: str, kind: str, since: str) -> str:
        """Start an export of this kind in a separate process, because a stick may be slow."""
        if self._export is not None and not self._export.has_ended():
            return "An export is still running."
        self.forget_export()
        command = [
            sys.executable,
            "-m",
            "controller",
            "record",
            "export",
            "--what",
            kind,
            "--out",
            self._export_directory,
            "--state-dir",
            self._state_directory,
            *([f"--from={since}"] if since else []),
        ]
        try:
            self._export = Export(command)
        except OSError as error:
            return f"Not exported: {error.strerror}."
        noted = self.note(now_us, "FILES", who, f"export of {kind} from {since or 'the beginning'}")
        return f"Exporting {kind}: this page shows the result.{noted}"

    def exported(self) -> list[str]:
        """Lines about the present or last export, newest last."""
        return [] if self._export is None else self._export.lines()

    def forget_export(self) -> None:
        """End a running export and forget it."""
        if self._export is not None:
            self._export.stop()
        self._export = None


def _numbers(first_out: int, mask: int, peer_first_out: int, peer_mask: int) -> str:
    in_b = f"; B {peer_first_out}, {peer_mask:#x}"
    is_empty = (peer_first_out, peer_mask) == PEER_EMPTY
    return f"{first_out}, {mask:#x}{'' if is_empty else in_b}"


def _advice(answer: operator_client.Answer) -> str:
    """Words about what to do after a refused reset. For channel B they name no line of a page,
    because no page shows why channel B refuses a reset.
    """
    in_b = {
        latches.CHANGED: ": look at IN B again",
        latches.KEY_NEEDED: ": turn the key switch out of RUN",
    }
    in_a = {
        latches.CHANGED: ": the page has changed since, look again",
        latches.NOT_CLEAR_YET: ": see WAITS on this page",
        latches.NO_TOKENS: ": see RESETS for the next one",
        latches.KEY_NEEDED: ": turn the key switch out of RUN",
    }
    return in_b.get(answer.channel_b) or in_a.get(answer.here or 0, "")


class Export:
    """A running `firebreak record export`. No method waits for it."""

    def __init__(self, command: list[str]):
        """Raises OSError."""
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._output = cast(IO[bytes], self._process.stdout)  # not None, because of PIPE
        os.set_blocking(self._output.fileno(), False)
        self._printed = b""

    def has_ended(self) -> bool:
        """True once the process has ended."""
        return self._process.poll() is not None

    def lines(self) -> list[str]:
        """The last lines of its output, and its state."""
        with contextlib.suppress(OSError):
            self._printed = (self._printed + (self._output.read() or b""))[-OUTPUT_BYTES_MAX:]
        code = self._process.poll()
        end = "running ..." if code is None else "done" if code == 0 else f"NOT DONE ({code})"
        return [*self._printed.decode("ascii", "replace").splitlines()[-8:], f"export: {end}"]

    def stop(self) -> None:
        """Kill the export. This does not wait, because the process may hang on a stick."""
        if self._process.poll() is None:
            self._process.kill()
        self._output.close()
