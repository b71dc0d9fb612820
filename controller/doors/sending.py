"""Sends hints from a door to the loop: a hint as a dict becomes a signed datagram of its source.

The answer is that of the loop, with the fields of `firebreak hint --json`. `granted` is true if the
loop accepted the hint. A door adds nothing to a hint, and never repeats one by itself.
"""

import asyncio
from typing import Any

from controller.core.base import hint_codes as h
from controller.doors.quota import Recent
from controller.doors.settings import Source
from controller.forms.field import integer, number, passing
from controller.forms.reading import Values, read
from controller.forms.refusal import ConfigError, shown
from controller.hints import client, key_file, no_answer
from controller.hints.words import fields
from controller.system import json_text

NAMES = {**h.QUANTITIES, **h.NOTICES, 0: "heartbeat"}
POWER_W = integer(-1_000_000_000, 1_000_000_000)
HINT = {
    "quantity": passing(lambda value: value in NAMES.values(), ", ".join(NAMES.values())),
    "value_W": POWER_W._replace(default=0),  # this default is for a heartbeat only
    "valid_s": integer(1, 300),
    "start_in_s": number(0, 3600, 0),
    "is_exact": passing(lambda value: isinstance(value, bool), "true or false", False),
}
REMEDIES = {  # what to do at the box if its doors.toml is the cause
    h.ROLE: "Raise `may` of this [source.NAME] in doors.toml (its default is cap), and role in "
    "site.toml; or send what it may.",
    h.NO_KEY: "Copy the key of this source beside doors.toml, mode 600, and name it in `key` of "
    "its [source.NAME].",
    h.RATE: "Send less often, or raise `hints_per_min_max` of this [source.NAME] in doors.toml.",
    h.NO_ANSWER: "Compare the key file beside doors.toml with that of the controller: a wrong key "
    f"gets {no_answer.NOTHING}, and firebreak sources counts it.",
}
Answer = dict[str, Any]
Hint = tuple[int, int, int, int]  # kind, quantity, value in W, validity in ms


class Sender:
    """Sends all hints of one source in one process of doors, one at a time."""

    def __init__(self, run_directory: str, source: Source):
        self._run_directory, self.source = run_directory, source
        self._lock = asyncio.Lock()
        self._quota = Recent()

    async def hint(self, message: object) -> Answer:
        """Send a hint in the form HINT; returns the answer. ConfigError (one line): it is wrong."""
        values = read_hint(message)
        quantity = next(number for number, name in NAMES.items() if name == values["quantity"])
        kind = h.EXACT if values["is_exact"] else h.KIND_OF[quantity]
        if not may(self.source.may, kind):
            return refused(h.ROLE)
        if not self.count_one():
            return refused(h.RATE)
        hint = kind, quantity, values["value_W"], values["valid_s"] * 1000
        return await self._asked(hint, round(values["start_in_s"] * 1000))

    def count_one(self, factor: int = 1) -> bool:
        """Count one message. False: `factor` times the quota of a minute is used up."""
        return self._quota.take(factor * self.source.hints_per_min_max)

    def has_room(self, count: int) -> bool:
        """True if the quota of this minute allows this many messages."""
        return self._quota.has_room(self.source.hints_per_min_max, count)

    async def _asked(self, hint: Hint, ahead_ms: int) -> Answer:
        async with self._lock:
            return await asyncio.to_thread(self._exchanged, hint, ahead_ms)

    def _exchanged(self, hint: Hint, ahead_ms: int) -> Answer:
        try:
            key, _ = key_file.read(self.source.key_path)
            with client.HintClient(self._run_directory) as link:
                outcome = link.say(self.source.name, key, *hint, ahead_ms=ahead_ms)
        except (key_file.KeyStoreError, client.SequenceError):
            return refused(h.NO_KEY)
        except OSError as error:
            is_key = error.filename == self.source.key_path
            return refused(h.NO_KEY if is_key else no_answer.code_of(error))
        return refused(no_answer.code_of(None)) if outcome is None else fields(outcome[1])


def read_hint(message: object) -> Values:
    """The fields of a hint in the form HINT. Raises ConfigError."""
    message = json_text.whole(message)
    if not isinstance(message, dict):
        raise ConfigError(f"hint: {shown(message)} is not an object; allowed {', '.join(HINT)}")
    is_beat = message.get("quantity") == NAMES[0]
    return read("hint", (), message, HINT if is_beat else {**HINT, "value_W": POWER_W})


def may(role: str, kind: int) -> bool:
    """True if a source with this role may send this kind of hint."""
    needed = {h.REQUEST: "request", h.EXACT: "request", h.GRID_CAP: "grid_cap"}.get(kind, "cap")
    return h.ROLES.index(role) >= h.ROLES.index(needed)


def refused(code: int) -> Answer:
    """An answer by the door, when the hint did not reach the loop or no answer came."""
    answer = no_answer.problem(code)
    return {**answer, "remedy": REMEDIES.get(code, answer["remedy"])}
