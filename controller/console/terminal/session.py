"""Keeps the state of one person at one terminal: the page, the open question and the login. It
takes keys and acts through `actions`. It has no terminal and no clock, so tests can feed it with
keys.
"""

from collections.abc import Callable, Generator

from controller.console import users
from controller.console.login import ActorLock, Failures
from controller.console.terminal import keys, words
from controller.console.terminal.actions import Actions
from controller.console.terminal.question import Question
from controller.console.terminal.view import ShownAlarms, View
from controller.console.users import UserError
from controller.recorder import csv_files
from controller.system.utc import UTC_US_MAX

MESSAGE_US, QUESTION_US = 20_000_000, 60_000_000
EXPORT_KINDS = {"e": "events", "s": "seconds", "c": "capture"}
# {key that acts on the contents of a page: (the page, its contents in words)}
PAGE_KEYS: dict[str, tuple[str, str]] = dict.fromkeys("RA", ("alarms", "the alarms")) | {
    "V": ("approval", "the changes")
}
ACTIONS = ("E", "T", "G", "S", "K", *PAGE_KEYS)
# The work that a key starts. It yields questions, gets answers, and returns a message.
Flow = Generator[Question, str, str | None]
# {key: (question, past participle, name in Actions)}
CONFIRMED = {
    "G": ("Start: it closes once the checklist is complete", "started", "start"),
    "S": ("Stop: it ramps to zero, opens, and stays in standby", "stopped", "stop"),
}


class Session:
    """Call `press` for each key, and `step` at least once a second. wants_end: the person wants to
    leave. is_redraw: the whole screen must be drawn.

    seen: the alarms, or the code of the changes, on the page that the terminal has received. The
    Console sets this field.
    """

    def __init__(
        self,
        view: View,
        actions: Actions,
        actor: ActorLock,
        failures: Failures,
        state_directory: str,
        where: str,
        idle_us: int,
    ):
        self._view, self._actions, self._actor, self._failures = view, actions, actor, failures
        self._state_directory, self._where, self._idle_us = state_directory, where, idle_us
        self.page, self.part = "status", 0
        self.question: Question | None = None
        self._flow: Flow = self._command("")
        self.seen: ShownAlarms | int | None = None
        self.who: str | None = None
        self.is_break_glass = self.wants_end = self.is_redraw = False
        self._message, self._message_us, self._key_us = "", 0, 0

    # -- the screen

    def message(self, now_us: int) -> str:
        """The open question with the typed answer, or the last message while it is new."""
        if self.question is not None:
            return self.question.shown()
        return self._message if now_us - self._message_us < MESSAGE_US else ""

    def acting(self, now_us: int) -> str:
        """Words about the person who acts, for the line above the list of keys."""
        if self.who is None:
            holder = self._actor.other()
            return f"ACTS{holder}" if holder else "Not logged in (view only)"
        left_s = max(0, self._idle_us - (now_us - self._key_us)) // 1_000_000
        return f"{'BREAK-GLASS ' if self.is_break_glass else 'Logged in: '}{self.who} ({left_s} s)"

    def extra(self) -> list[str]:
        """Lines for the end of the page."""
        if self.page == "alarms":
            alarm = self._view.alarm
            line = self._actions.acknowledged(alarm)
            first_outs = alarm[::2] if alarm else ()  # first-outs of both channels
            return [line] if line and max(first_outs, default=-1) >= 0 else []
        return self._actions.exported() if self.page == "export" else []

    def say(self, text: str, now_us: int) -> None:
        """Show this text for MESSAGE_US."""
        self._message, self._message_us = text, now_us

    # -- time

    def step(self, now_us: int) -> None:
        """End a question that is too old and a login that is idle. Also end break-glass (a login by
        the key switch) if the key is in RUN again.
        """
        if self.question is not None and now_us - self.question.asked_us >= QUESTION_US:
            self.question = None
        if self.who is not None and now_us - self._key_us >= self._idle_us:
            self.log_out(now_us, "no key pressed for long")
        elif self.is_break_glass and self._view.is_key_out is False:
            self.log_out(now_us, "the key is back in RUN")

    def log_out(self, now_us: int, why: str) -> None:
        """End the login."""
        if self.who is not None:
            noted = self._actions.note(now_us, "OUT", self.who, f"logged out: {why}")
            self.say(f"{self.who} is logged out: {why}.{noted}", now_us)
        self._actor.give_back()
        self.who, self.is_break_glass, self.question = None, False, None

    # -- keys

    def press(self, key: str, now_us: int) -> None:
        """Take one key."""
        self.step(now_us)  # first, because a login may have timed out while the process slept
        self._key_us = now_us
        if key == keys.REDRAW:
            self.is_redraw = True
        elif self.question is not None:
            self._answer(self.question, key)
        elif key.upper() in words.PAGE_OF_KEY:
            page = words.PAGE_OF_KEY[key.upper()]
            self.is_redraw = self.page == page
            self._turn_to(page)
        elif key in " nNbB":
            self.part += -1 if key in "bB" else 1
        else:
            self._flow = self._command(key.upper())
            self._go_on(None)

    def _turn_to(self, page: str) -> None:
        self.page, self.part, self.seen = page, 0, None

    def _answer(self, question: Question, key: str) -> None:
        if key in (keys.CANCEL, keys.INTERRUPT):
            self.question = None
            self.say("Nothing done.", self._key_us)
        elif key == keys.ENTER:
            self.question = None
            self._go_on(question.typed)
        else:
            question.edit(key)

    def _go_on(self, answer: str | None) -> None:
        """Continue the work of a key, with the answer to its question."""
        try:
            self.question = next(self._flow) if answer is None else self._flow.send(answer)
            self.question.asked_us = self._key_us
        except StopIteration as end:
            if end.value is not None:
                self.say(end.value, self._key_us)

    def _command(self, key: str) -> Flow:
        if key in ("Q", keys.INTERRUPT):
            self.log_out(self._key_us, "by key")
            self.wants_end = True
        elif key == "L":
            return (yield from self._login())
        elif key in PAGE_KEYS and self.page != PAGE_KEYS[key][0]:
            self._turn_to(PAGE_KEYS[key][0])
            return f"Look at {PAGE_KEYS[key][1]}, then press the key again."
        elif key in ACTIONS:
            if self.who is None:
                return "Log in first: press L."
            return (yield from self._act(key, self.who))
        return None

    # -- login

    def _login(self) -> Flow:
        if self.who is not None:
            self.log_out(self._key_us, "by key")
            return None
        if self._actor.other():
            return self._other_acts()
        name = yield Question("Name:", characters_max=16)
        if not name:
            return "Nothing done."
        if not users.NAME.fullmatch(name):
            return "A name is 1 .. 16 of a-z, 0-9 and _, a letter first."
        text = "Password:"
        if self._view.is_key_out:
            text = "Password (key is out of RUN: Enter alone is break-glass, recorded):"
        elif self._failures.wait_us(self._key_us, name):
            return f"{self._failures.refusal(self._key_us, name)}."
        return self._try_login(name, (yield Question(text, is_hidden=True)))

    def _other_acts(self) -> str:
        return f"One person acts at a time: ACTS{self._actor.other()}. You may look."

    def _try_login(self, name: str, password: str) -> str:
        now_us, is_break_glass = self._key_us, not password and bool(self._view.is_key_out)
        if not password and not is_break_glass:
            return "No password, and the key is not known to be out of RUN: no login."
        if not is_break_glass and not self._failures.begin(now_us, name):
            return f"{self._failures.refusal(now_us, name)}."
        try:
            is_right = is_break_glass or users.is_right(self._state_directory, name, password)
        except UserError as error:
            return f"No login: {error}"
        if not is_right:
            text = f"login failed, number {self._failures.count}"
            noted = self._actions.note(now_us, "FAIL", name, text)
            wait_s = -(-self._failures.wait_us(now_us, name) // 1_000_000)
            return f"Wrong name or password; the next try in {wait_s} s.{noted}"
        if not is_break_glass:
            self._failures.passed(now_us, name)
        if not self._actor.take(f"{' BY KEY' if is_break_glass else ''}: {name} at {self._where}"):
            return self._other_acts()
        self.who, self.is_break_glass = name, is_break_glass
        event, text, line = "LOGIN", "logged in", f"{name} is logged in."
        if is_break_glass:
            event, text = "GLASS", "logged in without a password, key out of RUN"
            line = f"BREAK-GLASS: {name} acts without a password until the key is back."
        return line + self._actions.note(now_us, event, name, text)

    # -- actions

    def _act(self, key: str, who: str) -> Flow:
        actions, seen = self._actions, self.seen
        if key == "E":
            return (yield from self._export())
        if key == "T":
            return actions.lamp_test(self._key_us, who)
        if key in CONFIRMED:
            text, participle, name = CONFIRMED[key]
            return (yield from self._if_yes(text, participle, getattr(actions, name)))
        if key == "K":
            return (yield from self._lock_out(self._view.locked_out_by))
        if seen is None:
            return "This page shows nothing of it."
        if not isinstance(seen, ShownAlarms):
            text = "Approve these changes, the key out of RUN"
            return (yield from self._if_yes(text, "approved", actions.approve, seen))
        if key == "A":
            return actions.acknowledge(self._key_us, who, seen)
        with_key = bool(self._view.is_key_out)
        how = "key reset" if with_key else f"remote reset, {seen.resets_left} left"
        text = f"{how} of {seen.text[:42]}"
        return (yield from self._if_yes(text, "reset", actions.reset, seen, with_key))

    def _lock_out(self, by: str | None) -> Flow:
        """Lock the cabinet out. If `by` has locked it out, end that lock-out instead."""
        text, participle = "Lock out: it stops, opens, and stays open", "locked out"
        if by is not None:
            text, participle = f"End the lock-out by {by}: then standby", "changed"
        return (yield from self._if_yes(text, participle, self._actions.lock_out, by is None))

    def _if_yes(
        self, text: str, participle: str, act: Callable[..., str], *details: object
    ) -> Flow:
        """Ask the person. After a typed yes, call act(now_us, who, *details) if the login has not
        ended.
        """
        typed = yield Question(f"{text}: type yes", characters_max=3)
        if typed.lower() != "yes":
            return f"Nothing {participle}."
        if self.who is None:
            return f"Not {participle}: the login has ended."
        return act(self._key_us, self.who, *details)

    def _export(self) -> Flow:
        if self.page != "export":
            self._turn_to("export")
        kind = yield Question("Export (e)vents, (s)econds or (c)aptures:", characters_max=1)
        if kind.lower() not in EXPORT_KINDS:
            return "Nothing exported: allowed is e, s or c."
        since = yield Question("From which day (2026-03-14, Enter: all):", characters_max=19)
        if since and not _is_moment(since):
            return "Nothing exported: a day is written 2026-03-14."
        if self.who is None:
            return "Not exported: the login has ended."
        return self._actions.export(self._key_us, self.who, EXPORT_KINDS[kind.lower()], since)


def _is_moment(text: str) -> bool:
    """True if the text is a time from which an export can begin."""
    try:
        return 0 <= csv_files.moment_us(text) < UTC_US_MAX
    except (ValueError, OverflowError):
        return False
