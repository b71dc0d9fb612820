"""One person at one terminal: the page, the open question, the login. Keys come in, effects go
through `actions`. The module has no terminal and no clock, so a test needs only keys.
"""

from collections.abc import Callable
from functools import partial

from controller.console import users
from controller.console.login import Actor, Failures
from controller.console.terminal import keys, words
from controller.console.terminal.actions import Actions
from controller.console.terminal.question import Question
from controller.console.terminal.view import Seen, View
from controller.console.users import UserError
from controller.recorder import csv_files
from controller.system.utc import UTC_US_MAX

MESSAGE_US, QUESTION_US = 20_000_000, 60_000_000
WHAT = {"e": "events", "s": "seconds", "c": "capture"}
# key that acts on the contents of a page: (that page, its contents)
SHOWN: dict[str, tuple[str, str]] = dict.fromkeys("RA", ("alarms", "the alarms")) | {
    "V": ("approval", "the changes")
}
ACTIONS = ("E", "T", "G", "S", "K", *SHOWN)
# {key: (question, past participle, name in Actions)}
CONFIRMED = {
    "G": ("Start: it closes once the checklist is complete", "started", "start"),
    "S": ("Stop: it ramps to zero, opens, and stays in standby", "stopped", "stop"),
}


class Session:
    """`press` each key, `step` at least once a second. wants_end: the person wants to leave;
    is_redraw: draw the whole screen.

    seen: alarms, or the code of changes, on the page that the terminal has received; the console
    sets it.
    """

    def __init__(
        self,
        view: View,
        actions: Actions,
        actor: Actor,
        failures: Failures,
        state_directory: str,
        where: str,
        idle_us: int,
    ) -> None:
        self._view, self._actions, self._actor, self._failures = view, actions, actor, failures
        self._state_directory, self._where, self._idle_us = state_directory, where, idle_us
        self.page, self.part = "status", 0
        self.question: Question | None = None
        self.seen: Seen | int | None = None
        self.who: str | None = None
        self.is_break_glass = self.wants_end = self.is_redraw = False
        self._message, self._message_us, self._key_us = "", 0, 0

    # -- the screen

    def message(self, now_us: int) -> str:
        """The line for questions and answers."""
        if self.question is not None:
            return self.question.shown()
        return self._message if now_us - self._message_us < MESSAGE_US else ""

    def acting(self, now_us: int) -> str:
        """The person who acts, for the line above the keys."""
        if self.who is None:
            other = self._actor.other()
            return f"ACTS{other}" if other else "Not logged in (view only)"
        left_s = max(0, self._idle_us - (now_us - self._key_us)) // 1_000_000
        return f"{'BREAK-GLASS ' if self.is_break_glass else 'Logged in: '}{self.who} ({left_s} s)"

    def extra(self) -> list[str]:
        """Lines for the end of the page."""
        if self.page == "alarms":
            alarm = self._view.alarm
            line = self._actions.acknowledged(alarm)
            first_outs = alarm[::2] if alarm else ()  # of both channels
            return [line] if line and max(first_outs, default=-1) >= 0 else []
        return self._actions.exported() if self.page == "export" else []

    def say(self, text: str, now_us: int) -> None:
        """Show this for a while."""
        self._message, self._message_us = text, now_us

    # -- time

    def step(self, now_us: int) -> None:
        """End idle logins, break-glass without the key, and old questions."""
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
        """One key."""
        self.step(now_us)  # first end what has timed out while the process did not run
        self._key_us = now_us
        if key == keys.REDRAW:
            self.is_redraw = True
        elif self.question is not None:
            self._answer(self.question, key, now_us)
        elif key.upper() in words.PAGES:
            page = words.PAGES[key.upper()]
            self.is_redraw = self.page == page
            self._turn_to(page)
        elif key in " nNbB":
            self.part += -1 if key in "bB" else 1
        else:
            self._command(key.upper(), now_us)

    def _turn_to(self, page: str) -> None:
        self.page, self.part, self.seen = page, 0, None

    def _command(self, key: str, now_us: int) -> None:
        if key in ("Q", keys.INTERRUPT):
            self.log_out(now_us, "by key")
            self.wants_end = True
        elif key == "L":
            self._login(now_us)
        elif key in SHOWN and self.page != SHOWN[key][0]:
            self._turn_to(SHOWN[key][0])
            self.say(f"Look at {SHOWN[key][1]}, then press the key again.", now_us)
        elif key in ACTIONS:
            self._act(key, now_us)

    def _answer(self, question: Question, key: str, now_us: int) -> None:
        if key in (keys.CANCEL, keys.INTERRUPT):
            self.question = None
            self.say("Nothing done.", now_us)
        elif key == keys.ENTER:
            self.question = None
            question.then(question.typed, now_us)
        else:
            question.edit(key)

    # -- login

    def _login(self, now_us: int) -> None:
        wait_us = self._failures.wait_us(now_us)
        if self.who is not None:
            self.log_out(now_us, "by key")
        elif wait_us:
            self.say(
                f"{self._failures.count} failed logins here: wait {_seconds(wait_us)} s.", now_us
            )
        elif self._actor.other():
            self._taken(now_us)
        else:
            self.question = Question("Name:", self._named, now_us, characters_max=16)

    def _taken(self, now_us: int) -> None:
        self.say(f"One person acts at a time: ACTS{self._actor.other()}. You may look.", now_us)

    def _named(self, name: str, now_us: int) -> None:
        text = "Password:"
        if self._view.is_key_out:
            text = "Password (key is out of RUN: Enter alone is break-glass, recorded):"
        if not name:
            self.say("Nothing done.", now_us)
        elif not users.NAME.fullmatch(name):
            self.say("A name is 1 .. 16 of a-z, 0-9 and _, a letter first.", now_us)
        else:
            self.question = Question(text, partial(self._identified, name), now_us, is_hidden=True)

    def _identified(self, name: str, password: str, now_us: int) -> None:
        is_break_glass = not password and bool(self._view.is_key_out)
        if not password and not is_break_glass:
            line = "No password, and the key is not known to be out of RUN: no login."
            return self.say(line, now_us)
        if not self._failures.begin(now_us):  # another try failed while this question was open
            return self.say("Wait: a login has just failed here.", now_us)
        try:
            is_right = is_break_glass or users.is_right(self._state_directory, name, password)
        except UserError as error:
            return self.say(f"No login: {error}", now_us)
        if not is_right:
            return self._failed(name, now_us)
        self._failures.passed()
        if not self._actor.take(f"{' BY KEY' if is_break_glass else ''}: {name} at {self._where}"):
            return self._taken(now_us)
        self.who, self.is_break_glass = name, is_break_glass
        event, text, line = "LOGIN", "logged in", f"{name} is logged in."
        if is_break_glass:
            event, text = "GLASS", "logged in without a password, key out of RUN"
            line = f"BREAK-GLASS: {name} acts without a password until the key is back."
        return self.say(line + self._actions.note(now_us, event, name, text), now_us)

    def _failed(self, name: str, now_us: int) -> None:
        noted = self._actions.note(
            now_us, "FAIL", name, f"login failed, number {self._failures.count}"
        )
        wait_s = _seconds(self._failures.wait_us(now_us))
        self.say(f"Wrong name or password; the next try in {wait_s} s.{noted}", now_us)

    # -- actions

    def _act(self, key: str, now_us: int) -> None:
        if self.who is None:
            self.say("Log in first: press L.", now_us)
        elif key == "E":
            self._ask_export(now_us)
        elif key == "T":
            self.say(self._actions.lamp_test(now_us, self.who), now_us)
        elif key in CONFIRMED:
            text, participle, name = CONFIRMED[key]
            self._ask_yes(text, participle, getattr(self._actions, name), now_us)
        elif key == "K":
            self._ask_lock_out(self._view.locked_out_by, now_us)
        elif self.seen is None:
            self.say("This page shows nothing of it.", now_us)
        elif key == "V":
            text = "Approve these changes, the key out of RUN"
            self._ask_yes(text, "approved", self._actions.approve, now_us, self.seen)
        elif key == "A" and isinstance(self.seen, Seen):
            self.say(self._actions.acknowledge(now_us, self.who, self.seen), now_us)
        elif isinstance(self.seen, Seen):
            self._ask_reset(self.seen, now_us)

    def _ask_reset(self, seen: Seen, now_us: int) -> None:
        with_key = bool(self._view.is_key_out)
        how = "key reset" if with_key else f"remote reset, {seen.left} left"
        self._ask_yes(
            f"{how} of {seen.words[:42]}", "reset", self._actions.reset, now_us, seen, with_key
        )

    def _ask_lock_out(self, by: str | None, now_us: int) -> None:
        """Lock out, or end the lock-out that the screen showed when the key was pressed."""
        text, participle = "Lock out: it stops, opens, and stays open", "locked out"
        if by is not None:
            text, participle = f"End the lock-out by {by}: then standby", "changed"
        self._ask_yes(text, participle, self._actions.lock_out, now_us, by is None)

    def _ask_yes(
        self, text: str, participle: str, act: Callable[..., str], now_us: int, *details: object
    ) -> None:
        """Ask; after a typed yes, and if the login still holds, show act(now_us, who, *details)."""
        then = partial(self._confirmed, participle, act, details)
        self.question = Question(f"{text}: type yes", then, now_us, characters_max=3)

    def _confirmed(
        self, participle: str, act: Callable[..., str], details: tuple, typed: str, now_us: int
    ) -> None:
        if typed.lower() != "yes":
            self.say(f"Nothing {participle}.", now_us)
        elif self.who is None:
            self.say(f"Not {participle}: the login has ended.", now_us)
        else:
            self.say(act(now_us, self.who, *details), now_us)

    def _ask_export(self, now_us: int) -> None:
        if self.page != "export":
            self._turn_to("export")
        text = "Export (e)vents, (s)econds or (c)aptures:"
        self.question = Question(text, self._ask_day, now_us, characters_max=1)

    def _ask_day(self, typed: str, now_us: int) -> None:
        what = WHAT.get(typed.lower())
        if what is None:
            return self.say("Nothing exported: allowed is e, s or c.", now_us)
        text, then = "From which day (2026-03-14, Enter: all):", partial(self._export, what)
        self.question = Question(text, then, now_us, characters_max=19)
        return None

    def _export(self, what: str, since: str, now_us: int) -> None:
        if since and not _is_moment(since):
            return self.say("Nothing exported: a day is written 2026-03-14.", now_us)
        if self.who is None:
            return self.say("Not exported: the login has ended.", now_us)
        return self.say(self._actions.export(now_us, self.who, what, since), now_us)


def _seconds(time_us: int) -> int:
    return -(-time_us // 1_000_000)


def _is_moment(text: str) -> bool:
    """True if an export can begin there."""
    try:
        return 0 <= csv_files.moment_us(text) < UTC_US_MAX
    except (ValueError, OverflowError):
        return False
