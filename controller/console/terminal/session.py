"""One person at one terminal: which page, which question is open, who is logged in; keys in,
effects through `actions`.

It knows no terminal and reads no clock, so every rule can be tried with keys alone.
"""

from controller.console.terminal import keys, users, words
from controller.console.terminal.users import UserError
from controller.recorder import csv_files
from controller.state.record import UTC_US_MAX

NAME_CHARACTERS_MAX, TYPED_CHARACTERS_MAX = 16, 64
MESSAGE_US, QUESTION_US = 20_000_000, 60_000_000
WHAT = {"e": "events", "s": "seconds", "c": "capture"}


class Question:
    """A line being typed; `then(answer, now_us)` gets it."""

    def __init__(self, text, then, now_us, is_hidden=False, characters_max=TYPED_CHARACTERS_MAX):
        self.text, self.then, self.is_hidden, self.characters_max = (
            text,
            then,
            is_hidden,
            characters_max,
        )
        self.typed, self.asked_us = "", now_us

    def shown(self):
        """The question with what was typed."""
        return f"{self.text} {'*' * len(self.typed) if self.is_hidden else self.typed}"


class Session:
    """`press` each key, `step` at least once a second. wants_end: the person wants to leave;
    is_redraw: draw anew.

    `seen` is set from outside to what the page that is really shown says of alarms (view.Seen),
    None for any other.
    """

    def __init__(self, view, actions, actor, failures, state_directory, where, idle_us):
        self._view, self._actions, self._actor, self._failures = view, actions, actor, failures
        self._state_directory, self._where, self._idle_us = state_directory, where, idle_us
        self.page, self.part = "status", 0
        self.question = self.seen = self.who = None
        self.is_break_glass = self.wants_end = self.is_redraw = False
        self._message, self._message_us, self._key_us = "", 0, 0

    # -- what is shown

    def message(self, now_us):
        """The line for questions and answers."""
        if self.question is not None:
            return self.question.shown()
        return self._message if now_us - self._message_us < MESSAGE_US else ""

    def acting(self, now_us):
        """Who acts, for the line above the keys."""
        if self.who is None:
            other = self._actor.other()
            return f"ACTS{other}" if other else "Logged in: nobody (view)"
        left_s = max(0, self._idle_us - (now_us - self._key_us)) // 1_000_000
        return f"{'BREAK-GLASS ' if self.is_break_glass else 'Logged in: '}{self.who} ({left_s} s)"

    def extra(self):
        """Lines for the end of the page."""
        if self.page == "alarms":
            line = self._actions.acknowledged(self._view.alarm)
            return [line] if line and max(self._view.alarm[::2]) >= 0 else []
        return self._actions.exported() if self.page == "export" else []

    def say(self, text, now_us):
        """Show this for a while."""
        self._message, self._message_us = text, now_us

    # -- time

    def step(self, now_us):
        """What time does: idle logins end, break-glass ends with the key, questions are
        withdrawn.
        """
        if self.question is not None and now_us - self.question.asked_us >= QUESTION_US:
            self.question = None
        if self.who is None:
            return
        if now_us - self._key_us >= self._idle_us:
            self.log_out(now_us, "nobody pressed a key for long")
        elif self.is_break_glass and self._view.is_key_out is False:
            self.log_out(now_us, "the key is back in RUN")

    def log_out(self, now_us, why):
        """The login ends."""
        if self.who is not None:
            said = self._actions.note(now_us, "OUT", self.who, f"logged out: {why}")
            self.say(f"{self.who} is logged out: {why}.{said}", now_us)
        self._actor.give_back()
        self.who, self.is_break_glass, self.question = None, False, None

    # -- keys

    def press(self, key, now_us):
        """One key."""
        # a console that stood still: no key brings back a login or a question whose time is over
        self.step(now_us)
        self._key_us = now_us
        if key == keys.REDRAW:
            self.is_redraw = True
        elif self.question is not None:
            self._answer(key, now_us)
        elif key in words.PAGES:
            self.is_redraw = self.page == words.PAGES[key]
            self.page, self.part, self.seen = words.PAGES[key], 0, None
        elif key in (" ", "n", "N", "b", "B"):
            self.part += -1 if key in "bB" else 1
        else:
            self._command(key.upper(), now_us)

    def _command(self, key, now_us):
        if key in ("Q", keys.INTERRUPT):
            self.log_out(now_us, "left")
            self.wants_end = True
        elif key == "L":
            self._login(now_us)
        elif key in "RA" and self.page != "alarms":
            self.page, self.part, self.seen = "alarms", 0, None
            self.say("Look at what stands, then press the key again.", now_us)
        elif key in "RAETKGS":
            self._act(key, now_us)

    def _answer(self, key, now_us):
        question = self.question
        if key in (keys.CANCEL, keys.INTERRUPT):
            self.question = None
            self.say("Nothing done.", now_us)
        elif key == keys.ERASE:
            question.typed = question.typed[:-1]
        elif key == keys.ENTER:
            self.question = None
            question.then(question.typed, now_us)
        elif len(question.typed) < question.characters_max:
            question.typed += key

    def _ask(self, text, then, now_us, **options):
        self.question = Question(text, then, now_us, **options)

    # -- login

    def _login(self, now_us):
        wait_us = self._failures.wait_us(now_us)
        if self.who is not None:
            self.log_out(now_us, "by key")
        elif wait_us:
            self.say(
                f"{self._failures.count} failed logins here: wait {-(-wait_us // 1_000_000)} s.",
                now_us,
            )
        elif self._actor.other():
            self._taken(now_us)
        else:
            self._ask("Name:", self._named, now_us, characters_max=NAME_CHARACTERS_MAX)

    def _taken(self, now_us):
        self.say(f"One acts at a time: ACTS{self._actor.other()}. You may look.", now_us)

    def _named(self, name, now_us):
        if not name:
            self.say("Nothing done.", now_us)
        elif not users.NAME.fullmatch(name):
            self.say("A name is 1 .. 16 of a-z, 0-9 and _, a letter first.", now_us)
        elif self._view.is_key_out:
            self._ask(
                "Password (key is out of RUN: Enter alone is break-glass, recorded):",
                lambda typed, then_us: self._identified(name, typed, then_us),
                now_us,
                is_hidden=True,
            )
        else:
            self._ask(
                "Password:",
                lambda typed, then_us: self._identified(name, typed, then_us),
                now_us,
                is_hidden=True,
            )

    def _identified(self, name, password, now_us):
        is_break_glass = not password and bool(self._view.is_key_out)
        if not password and not is_break_glass:
            return self.say(
                "No password, and the key is not known to be out of RUN: no login.", now_us
            )
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
        if is_break_glass:
            said = self._actions.note(
                now_us, "GLASS", name, "logged in without a password, key out of RUN"
            )
            return self.say(
                f"BREAK-GLASS: {name} acts without a password until the key is back.{said}", now_us
            )
        said = self._actions.note(now_us, "LOGIN", name, "logged in")
        return self.say(f"{name} is logged in.{said}", now_us)

    def _failed(self, name, now_us):
        said = self._actions.note(
            now_us, "FAIL", name, f"login failed, number {self._failures.count}"
        )
        self.say(
            f"Wrong name or password; the next try in "
            f"{-(-self._failures.wait_us(now_us) // 1_000_000)} s.{said}",
            now_us,
        )

    # -- actions

    def _act(self, key, now_us):
        if self.who is None:
            self.say("Log in first: press L.", now_us)
        elif key == "E":
            self._ask_export(now_us)
        elif key == "T":
            self.say(self._actions.lamp_test(now_us, self.who), now_us)
        elif key == "G":
            self._ask_yes(
                "Start: it closes once the checklist is complete",
                "started",
                lambda then_us: self._actions.start(then_us, self.who),
                now_us,
            )
        elif key == "S":
            self._ask_yes(
                "Stop: it ramps to zero, opens, and rests",
                "stopped",
                lambda then_us: self._actions.stop(then_us, self.who),
                now_us,
            )
        elif key == "K":
            self._ask_lock_out(self._view.locked_out_by, now_us)
        elif self.page != "alarms":
            self.say("That belongs to page 2.", now_us)
        elif self.seen is None:
            self.say("Nothing stands on the page shown.", now_us)
        elif key == "A":
            self.say(self._actions.acknowledge(now_us, self.who, self.seen), now_us)
        else:
            self._ask_reset(self.seen, now_us)

    def _ask_reset(self, seen, now_us):
        with_key = bool(self._view.is_key_out)
        how = "key reset" if with_key else f"remote reset, {seen.left} left"

        self._ask_yes(
            f"{how} of {seen.words[:42]}",
            "reset",
            lambda then_us: self._actions.reset(then_us, self.who, seen, with_key),
            now_us,
        )

    def _ask_lock_out(self, by, now_us):
        """Lock out, or end what was seen to stand when the key was pressed."""
        if by is None:
            text, what = "Lock out: it stops, opens, and stays so", "locked out"
        else:
            text, what = f"End the lock-out by {by}: it rests until started", "changed"
        self._ask_yes(
            text,
            what,
            lambda then_us: self._actions.lock_out(then_us, self.who, by is None),
            now_us,
        )

    def _ask_yes(self, text, what, act, now_us):
        """Ask, and only after a typed word, and by somebody still logged in, act(now_us) and show
        what it says.
        """

        def then(typed, then_us):
            if typed.lower() != "yes":
                self.say(f"Nothing {what}.", then_us)
            elif self.who is None:
                self.say(f"Not {what}: the login has ended.", then_us)
            else:
                self.say(act(then_us), then_us)

        self._ask(f"{text}: type yes", then, now_us, characters_max=3)

    def _ask_export(self, now_us):
        if self.page != "export":
            self.page, self.part = "export", 0

        def what_chosen(typed, then_us):
            what = WHAT.get(typed.lower())
            if what is None:
                self.say("Nothing exported: allowed is e, s or c.", then_us)
            else:
                self._ask(
                    "From which day (2026-03-14, Enter: all):",
                    lambda since, last_us: self._export(what, since, last_us),
                    then_us,
                    characters_max=19,
                )

        self._ask(
            "Export (e)vents, (s)econds or (c)aptures:", what_chosen, now_us, characters_max=1
        )

    def _export(self, what, since, now_us):
        if since and not _is_moment(since):
            return self.say("Nothing exported: a day is written 2026-03-14.", now_us)
        if self.who is None:
            return self.say("Not exported: the login has ended.", now_us)
        return self.say(self._actions.export(now_us, self.who, what, since), now_us)


def _is_moment(text):
    """True when an export can begin there."""
    try:
        return 0 <= csv_files.moment_us(text) < UTC_US_MAX
    except (ValueError, OverflowError):
        return False
