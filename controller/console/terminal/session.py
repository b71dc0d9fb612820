"""One person at one terminal: which page, which question is open, who is logged in; keys in,
effects through `actions`.

It knows no terminal and reads no clock, so a test needs only keys.
"""

from functools import partial

from controller.console.terminal import keys, users, words
from controller.console.terminal.users import UserError
from controller.recorder import csv_files
from controller.system.utc import UTC_US_MAX

MESSAGE_US, QUESTION_US = 20_000_000, 60_000_000
WHAT = {"e": "events", "s": "seconds", "c": "capture"}
# page and what to do there, of keys that act on what a page shows
SHOWN = dict.fromkeys("RA", ("alarms", "the alarms")) | {"V": ("approval", "what has changed")}
ACTIONS = ("E", "T", "G", "S", "K", *SHOWN)
# {key: (question, past participle, name in Actions)}
CONFIRMED = {
    "G": ("Start: it closes once the checklist is complete", "started", "start"),
    "S": ("Stop: it ramps to zero, opens, and rests", "stopped", "stop"),
}


class Question:
    """A line being typed; `then(answer, now_us)` gets it."""

    def __init__(
        self, text: str, then, now_us: int, is_hidden: bool = False, characters_max: int = 64
    ):
        self.text, self.then, self.asked_us = text, then, now_us
        self.is_hidden, self.characters_max, self.typed = is_hidden, characters_max, ""

    def shown(self) -> str:
        """The question with what was typed."""
        return f"{self.text} {'*' * len(self.typed) if self.is_hidden else self.typed}"

    def edit(self, key: str) -> None:
        """One key of the answer."""
        if key == keys.ERASE:
            self.typed = self.typed[:-1]
        elif len(self.typed) < self.characters_max:
            self.typed += key


class Session:
    """`press` each key, `step` at least once a second. wants_end: the person wants to leave;
    is_redraw: draw anew.

    `seen` is set from outside to what the page shows: alarms (view.Seen), or the code of changes.
    """

    def __init__(self, view, actions, actor, failures, state_directory, where, idle_us):
        self._view, self._actions, self._actor, self._failures = view, actions, actor, failures
        self._state_directory, self._where, self._idle_us = state_directory, where, idle_us
        self.page, self.part = "status", 0
        self.question = self.seen = self.who = None
        self.is_break_glass = self.wants_end = self.is_redraw = False
        self._message, self._message_us, self._key_us = "", 0, 0

    # -- what is shown

    def message(self, now_us: int) -> str:
        """The line for questions and answers."""
        if self.question is not None:
            return self.question.shown()
        return self._message if now_us - self._message_us < MESSAGE_US else ""

    def acting(self, now_us: int) -> str:
        """Who acts, for the line above the keys."""
        if self.who is None:
            other = self._actor.other()
            return f"ACTS{other}" if other else "Logged in: nobody (view)"
        left_s = max(0, self._idle_us - (now_us - self._key_us)) // 1_000_000
        return f"{'BREAK-GLASS ' if self.is_break_glass else 'Logged in: '}{self.who} ({left_s} s)"

    def extra(self) -> list:
        """Lines for the end of the page."""
        if self.page == "alarms":
            line = self._actions.acknowledged(self._view.alarm)
            return [line] if line and max(self._view.alarm[::2]) >= 0 else []
        return self._actions.exported() if self.page == "export" else []

    def say(self, text: str, now_us: int) -> None:
        """Show this for a while."""
        self._message, self._message_us = text, now_us

    # -- time

    def step(self, now_us: int) -> None:
        """End idle logins, break-glass without its key, and old questions."""
        if self.question is not None and now_us - self.question.asked_us >= QUESTION_US:
            self.question = None
        if self.who is not None and now_us - self._key_us >= self._idle_us:
            self.log_out(now_us, "nobody pressed a key for long")
        elif self.is_break_glass and self._view.is_key_out is False:
            self.log_out(now_us, "the key is back in RUN")

    def log_out(self, now_us: int, why: str) -> None:
        """The login ends."""
        if self.who is not None:
            noted = self._actions.note(now_us, "OUT", self.who, f"logged out: {why}")
            self.say(f"{self.who} is logged out: {why}.{noted}", now_us)
        self._actor.give_back()
        self.who, self.is_break_glass, self.question = None, False, None

    # -- keys

    def press(self, key: str, now_us: int) -> None:
        """One key."""
        self.step(now_us)  # a console that stood still: what has timed out does not come back
        self._key_us = now_us
        if key == keys.REDRAW:
            self.is_redraw = True
        elif self.question is not None:
            self._answer(key, now_us)
        elif key in words.PAGES:
            self.is_redraw = self.page == words.PAGES[key]
            self._turn_to(words.PAGES[key])
        elif key in " nNbB":
            self.part += -1 if key in "bB" else 1
        else:
            self._command(key.upper(), now_us)

    def _turn_to(self, page):
        self.page, self.part, self.seen = page, 0, None

    def _command(self, key, now_us):
        if key in ("Q", keys.INTERRUPT):
            self.log_out(now_us, "left")
            self.wants_end = True
        elif key == "L":
            self._login(now_us)
        elif key in SHOWN and self.page != SHOWN[key][0]:
            self._turn_to(SHOWN[key][0])
            self.say(f"Look at {SHOWN[key][1]}, then press the key again.", now_us)
        elif key in ACTIONS:
            self._act(key, now_us)

    def _answer(self, key, now_us):
        question = self.question
        if key in (keys.CANCEL, keys.INTERRUPT):
            self.question = None
            self.say("Nothing done.", now_us)
        elif key == keys.ENTER:
            self.question = None
            question.then(question.typed, now_us)
        else:
            question.edit(key)

    # -- login

    def _login(self, now_us):
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

    def _taken(self, now_us):
        self.say(f"One acts at a time: ACTS{self._actor.other()}. You may look.", now_us)

    def _named(self, name, now_us):
        text = "Password:"
        if self._view.is_key_out:
            text = "Password (key is out of RUN: Enter alone is break-glass, recorded):"
        if not name:
            self.say("Nothing done.", now_us)
        elif not users.NAME.fullmatch(name):
            self.say("A name is 1 .. 16 of a-z, 0-9 and _, a letter first.", now_us)
        else:
            self.question = Question(text, partial(self._identified, name), now_us, is_hidden=True)

    def _identified(self, name, password, now_us):
        is_break_glass = not password and bool(self._view.is_key_out)
        if not password and not is_break_glass:
            line = "No password, and the key is not known to be out of RUN: no login."
            return self.say(line, now_us)
        if not self._failures.begin(now_us):  # the question was open while another try failed
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

    def _failed(self, name, now_us):
        noted = self._actions.note(
            now_us, "FAIL", name, f"login failed, number {self._failures.count}"
        )
        wait_s = _seconds(self._failures.wait_us(now_us))
        self.say(f"Wrong name or password; the next try in {wait_s} s.{noted}", now_us)

    # -- actions

    def _act(self, key, now_us):
        if self.who is None:
            self.say("Log in first: press L.", now_us)
        elif key == "E":
            self._ask_export(now_us)
        elif key == "T":
            self.say(self._actions.lamp_test(now_us, self.who), now_us)
        elif key in CONFIRMED:
            text, what, name = CONFIRMED[key]
            self._ask_yes(text, what, getattr(self._actions, name), now_us)
        elif key == "K":
            self._ask_lock_out(self._view.locked_out_by, now_us)
        elif self.seen is None:
            self.say("Nothing of it on the page shown.", now_us)
        elif key == "V":
            text = "Approve these changes, the key out of RUN"
            self._ask_yes(text, "approved", self._actions.approve, now_us, self.seen)
        elif key == "A":
            self.say(self._actions.acknowledge(now_us, self.who, self.seen), now_us)
        else:
            self._ask_reset(self.seen, now_us)

    def _ask_reset(self, seen, now_us):
        with_key = bool(self._view.is_key_out)
        how = "key reset" if with_key else f"remote reset, {seen.left} left"
        self._ask_yes(
            f"{how} of {seen.words[:42]}", "reset", self._actions.reset, now_us, seen, with_key
        )

    def _ask_lock_out(self, by, now_us):
        """Lock out, or end the lock-out that was shown when the key was pressed."""
        text, what = "Lock out: it stops, opens, and stays so", "locked out"
        if by is not None:
            text, what = f"End the lock-out by {by}: it rests until started", "changed"
        self._ask_yes(text, what, self._actions.lock_out, now_us, by is None)

    def _ask_yes(self, text, what, act, now_us, *details):
        """Ask; after a typed yes of somebody still logged in show act(now_us, who, *details)."""
        then = partial(self._confirmed, what, act, details)
        self.question = Question(f"{text}: type yes", then, now_us, characters_max=3)

    def _confirmed(self, what, act, details, typed, now_us):
        if typed.lower() != "yes":
            self.say(f"Nothing {what}.", now_us)
        elif self.who is None:
            self.say(f"Not {what}: the login has ended.", now_us)
        else:
            self.say(act(now_us, self.who, *details), now_us)

    def _ask_export(self, now_us):
        if self.page != "export":
            self._turn_to("export")
        text = "Export (e)vents, (s)econds or (c)aptures:"
        self.question = Question(text, self._ask_day, now_us, characters_max=1)

    def _ask_day(self, typed, now_us):
        what = WHAT.get(typed.lower())
        if what is None:
            return self.say("Nothing exported: allowed is e, s or c.", now_us)
        text, then = "From which day (2026-03-14, Enter: all):", partial(self._export, what)
        self.question = Question(text, then, now_us, characters_max=19)
        return None

    def _export(self, what, since, now_us):
        if since and not _is_moment(since):
            return self.say("Nothing exported: a day is written 2026-03-14.", now_us)
        if self.who is None:
            return self.say("Not exported: the login has ended.", now_us)
        return self.say(self._actions.export(now_us, self.who, what, since), now_us)


def _seconds(time_us):
    return -(-time_us // 1_000_000)


def _is_moment(text):
    """True when an export can begin there."""
    try:
        return 0 <= csv_files.moment_us(text) < UTC_US_MAX
    except (ValueError, OverflowError):
        return False
