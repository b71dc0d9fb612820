"""The actions of a person who has logged in, and their record."""

import contextlib
import json
import os
import subprocess
import sys

from controller.console import run_words
from controller.core.image import PEER_EMPTY
from controller.run import operator_client, operator_commands
from controller.store import durable, spool
from controller.system import regular_file
from safety import latches

ACKNOWLEDGED = "acknowledged"
# codes of spool.CODES
NOTES = {
    operator_commands.RUN: "START",
    operator_commands.STOP: "STOP",
    operator_commands.LAMP_TEST: "LAMPS",
}
START = ": start it with G"
_BYTES_MAX = 1000
OUTPUT_BYTES_MAX = 2000


class Actions:
    """Of one console at one cabinet. Each returns one line for the person."""

    def __init__(self, run_directory: str, state_directory: str, export_directory: str, where: str):
        """where: the terminal's short name, for the record."""
        self._run_directory, self._state_directory = run_directory, state_directory
        self._export_directory, self._where = export_directory, where
        self._socket = os.path.join(run_directory, "command.sock")
        self._export = None

    def note(self, now_us: int, code: str, who: str, text: str) -> str:
        """Tell the recorder; returns "" or why that failed, for the end of a message."""
        try:
            spool.put(self._run_directory, now_us, code, f"{who} at {self._where}: {text}")
        except OSError as error:
            return f" NOT RECORDED: {error.strerror or error}"
        return ""

    def reset(self, now_us: int, who: str, seen, with_key: bool) -> str:
        """Reset the causes that the person saw; seen: view.Seen."""
        kind = operator_commands.KEY_RESET if with_key else operator_commands.REMOTE_RESET
        try:
            answer = operator_client.reset(self._socket, kind, *seen.causes)
            told, advice = answer.words(), _advice(answer)
        except OSError as error:
            told, advice = f"not sent, {error.strerror or error}", ""
        said = self.note(
            now_us,
            "RESET",
            who,
            f"{'key' if with_key else 'remote'} reset of "
            f"{seen.words} "
            f"({_numbers(*seen.causes)}): {told}",
        )
        return f"Reset: {told}{advice}.{said}"

    def lock_out(self, now_us: int, who: str, is_locked: bool) -> str:
        """Lock the cabinet out in this person's name, or end that."""
        told = _told(
            lambda: operator_client.lock_out(self._socket, who, is_locked),
            "" if is_locked else START,
        )
        what = "Lock-out" if is_locked else "End of the lock-out"
        return f"{what}: {told}.{self.note(now_us, 'LOCK' if is_locked else 'UNLOCK', who, told)}"

    def approve(self, now_us: int, who: str, code: int) -> str:
        """Approve what the page has shown, in this person's name."""
        told = _told(lambda: operator_client.approve(self._socket, who, code), START)
        return f"Approval: {told}.{self.note(now_us, 'APPROVE', who, f'{code:08X}: {told}')}"

    def start(self, now_us: int, who: str) -> str:
        """Let the cabinet run again."""

        def comes_to():
            sentence, now = run_words.of_start(self._run_directory)
            return sentence + (", see START on page 2" if now else "")

        return self._ask(now_us, who, "Start", operator_commands.RUN, comes_to)

    def stop(self, now_us: int, who: str) -> str:
        """A controlled stop, and rest."""
        return self._ask(
            now_us,
            who,
            "Stop",
            operator_commands.STOP,
            lambda: run_words.of_stop(self._run_directory),
        )

    def lamp_test(self, now_us, who):
        """Flash the lamps."""
        return self._ask(now_us, who, "Lamp test", operator_commands.LAMP_TEST)

    def _ask(self, now_us, who, name, what, comes_to=None):
        """Send a command and note it; comes_to(): the consequence of an accepted one."""
        try:
            answer = operator_client.ask(self._socket, what)
            told = operator_commands.words(answer)
            told += f": {comes_to()}" if comes_to and answer == operator_commands.ACCEPTED else ""
        except OSError as error:
            told = f"not sent, {error.strerror or error}"
        return f"{name}: {told}.{self.note(now_us, NOTES[what], who, told)}"

    def acknowledge(self, now_us: int, who: str, seen) -> str:
        """Show all consoles that this person has seen this alarm."""
        content = {"who": who, "where": self._where, "causes": seen.causes}
        said = self.note(now_us, "ACK", who, f"has seen {seen.words}")
        path = os.path.join(self._run_directory, spool.FOLDER, ACKNOWLEDGED)
        try:
            durable.put(path, ".new", [json.dumps(content).encode("ascii")], 0o600)
        except OSError as error:
            return f"Not acknowledged: {error.strerror}.{said}"
        return f"Acknowledged: {seen.words}.{said}"

    def acknowledged(self, alarm: tuple):
        """Who has acknowledged these causes, as a line, or None."""
        path = os.path.join(self._run_directory, spool.FOLDER, ACKNOWLEDGED)
        with (
            contextlib.suppress(OSError, ValueError, KeyError, TypeError),
            open(path, "rb", opener=regular_file.opener) as file,
        ):
            content = json.loads(file.read(_BYTES_MAX).decode("ascii"))
            if alarm == tuple(content["causes"]):
                return spool.plain(
                    f"ACK    {content['who']} at {content['where']} has seen this alarm."
                )
        return None

    def export(self, now_us, who, what, since):
        """Start writing files; in a process of its own, because a stick may be slow."""
        if self._export is not None and not self._export.has_ended():
            return "An export is still running."
        self.forget_export()
        words = [
            sys.executable,
            "-m",
            "controller",
            "export",
            "--what",
            what,
            "--out",
            self._export_directory,
            "--state-dir",
            self._state_directory,
            *([f"--from={since}"] if since else []),
        ]
        try:
            self._export = Export(words)
        except OSError as error:
            return f"Not exported: {error.strerror}."
        said = self.note(now_us, "FILES", who, f"export of {what} from {since or 'the beginning'}")
        return f"Exporting {what}: this page shows the result.{said}"

    def exported(self) -> list:
        """Lines about the export that runs or has ended, newest last."""
        return [] if self._export is None else self._export.lines()

    def forget_export(self) -> None:
        """End a running export and forget it."""
        if self._export is not None:
            self._export.stop()
        self._export = None


def _told(send, then):
    """What the controller answers to send(), and what to do after an accepted one."""
    try:
        answer = send()
    except (OSError, ValueError) as error:
        return f"not sent, {getattr(error, 'strerror', None) or error}"
    return operator_commands.words(answer) + (then if answer == operator_commands.ACCEPTED else "")


def _numbers(first_out, mask, peer_first_out, peer_mask):
    in_b = (
        (f"; B {peer_first_out}, {peer_mask:#x}")
        if (peer_first_out, peer_mask) != PEER_EMPTY
        else ""
    )
    return f"{first_out}, {mask:#x}{in_b}"


def _advice(answer):
    """What to do next; short for channel B, whose waits and tokens no page shows."""
    in_b = {
        latches.CHANGED: ": look at IN B again",
        latches.KEY_NEEDED: ": turn the key switch out of RUN",
    }
    here = {
        latches.CHANGED: ": the page has changed since, look again",
        latches.NOT_CLEAR_YET: ": see WAITS on this page",
        latches.NO_TOKENS: ": see RESETS for the next one",
        latches.KEY_NEEDED: ": turn the key switch out of RUN",
    }
    return in_b.get(answer.channel_b) or here.get(answer.here, "")


class Export:
    """A running `firebreak export`: its output is read without waiting."""

    def __init__(self, words):
        """Raises OSError."""
        self._process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.set_blocking(self._process.stdout.fileno(), False)
        self._said = b""

    def has_ended(self):
        """True when it has."""
        return self._process.poll() is not None

    def lines(self):
        """Its output so far, and its state."""
        with contextlib.suppress(OSError):
            self._said = (self._said + (self._process.stdout.read() or b""))[-OUTPUT_BYTES_MAX:]
        code = self._process.poll()
        end = "running ..." if code is None else "done" if code == 0 else f"NOT DONE ({code})"
        return [*self._said.decode("ascii", "replace").splitlines()[-8:], f"export: {end}"]

    def stop(self):
        """End it and forget it; a process that hangs on the stick is not waited for."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.stdout.close()
