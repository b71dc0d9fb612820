"""Counts the writes to registers that a device stores, and limits them by a daily budget.

A register in flash or EEPROM wears out after about 100 000 writes; one write per second reaches
that in about a day. The bus passes each frame to `see` just before it sends the frame, so no write
is missed. A register that the profile does not name counts as stored.

`writes_per_day_max` limits the writes of all registers except those with stored = "no". A spent
budget holds back set-ups, starts, and each value that is larger than the value in the device. A
stop, 0 W, a value nearer to 0, a repetition, a heartbeat and a rest value always pass.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from drivers.buses.rtu import place_of
from drivers.profile import Profile

YES, NO, NOT_STATED = STORED = ("yes", "no", "not stated")
DAY_MIN, MINUTE_US = 1440, 60_000_000
DAY_US = DAY_MIN * MINUTE_US
WRITES = (5, 6, 15, 16, 23)  # function codes
COILS, SINGLE = (5, 15), (5, 6)
PARTS = 16  # the count is stored in steps of a sixteenth of the budget


class Written(NamedTuple):
    """Registers that one write covers. what: name on pages. repeat_ms 0: it is not repeated."""

    what: str
    is_coil: bool
    address: int
    words: int
    stored: str
    repeat_ms: int = 0


class Wear:
    """Counts the writes that one device may store. spent: number of writes of this day."""

    def __init__(self, profile: Profile, place: Callable[[int], int] = lambda address: address):
        """place: maps an address of the profile to the register on this device."""
        self.most: int = profile.settings.get("writes_per_day_max", 0)
        self.spent = self._age_us = 0
        self._now_us: int | None = None
        self._written, self._place = list(written(profile)), place

    def see(self, frame: bytes) -> None:
        """Count a write to the device, unless all its registers have stored = "no"."""
        function = frame[1]
        if function not in WRITES:
            return
        first, count = place_of(frame)
        left = set(range(first, first + (1 if function in SINGLE else count)))
        for write in self._written:
            if write.stored == NO and write.is_coil == (function in COILS):
                start = self._place(write.address)
                left -= set(range(start, start + write.words))
        self.spent += bool(left)

    def step(self, now_us: int) -> None:
        """Update the time. After a day the complete budget is available again."""
        self._age_us += now_us - (now_us if self._now_us is None else self._now_us)
        self._now_us = now_us
        if self._age_us >= DAY_US:
            self.spent = self._age_us = 0

    def is_spent(self, now_us: int) -> bool:
        """True if nothing more may be stored today."""
        self.step(now_us)
        return 0 < self.most <= self.spent

    def holds_back(self, asked: int, held: int, now_us: int) -> bool:
        """True if a spent budget holds back this value. held: the last value that passed."""
        return self.is_spent(now_us) and not is_between(asked, held)

    @property
    def kept(self) -> int:
        """`spent` x DAY_MIN + age of the day in minutes, for the store.

        The count is rounded up, so that it is stored rarely and a restart gives no writes back.
        """
        part = max(1, self.most // PARTS)
        spent = min(-(-self.spent // part) * part, self.most)
        return spent * DAY_MIN + self._age_us // MINUTE_US

    def take(self, kept: int) -> None:
        """Continue the day of the last run. The time between the runs does not count."""
        self.spent, age_min = divmod(kept, DAY_MIN)
        self._age_us = age_min * MINUTE_US


def is_between(asked: int, held: int) -> bool:
    """True if a value lies between 0 and `held`, both included."""
    return min(0, held) <= asked <= max(0, held)


def written(profile: Profile) -> Iterator[Written]:
    """Each register that a driver of this profile writes by itself, with its key `stored`."""
    repeat_ms = profile.settings.get("repeat_ms", 0)
    for frame in profile.setpoint:
        count = sum([register.words for register in frame.values])
        yield Written("setpoint", False, frame.address, count, frame.stored, repeat_ms)
    for sequence in ("setup", "start", "stop"):
        for step in getattr(profile, sequence):
            place = step.register.address, step.register.words
            if step.function in WRITES:
                yield Written(sequence, False, *place, step.stored, step.repeat_ms)
    for name, row in {"heartbeat": profile.heartbeat, **profile.sent}.items():
        if "address" in row:
            count = len(row.get("data", ())) or 1
            yield Written(name, False, row["address"], count, row["stored"], row["period_ms"])
    for name, register in profile.registers.items():
        if "write" in getattr(register, "direction", ""):
            yield _of_register(name, vars(register))


def _of_register(name: str, keys: dict[str, Any]) -> Written:
    """keys: attributes of a register; only a register of a site device has all of them."""
    is_coil, place = keys["type"] == "bit", keys.get("write_address", keys["address"])
    word_count = keys["words"] + len(keys.get("with_words", ())) + keys.get("complement", 0)
    count = keys["count"] if is_coil else word_count
    return Written(name, is_coil, place, count, keys["stored"], keys.get("repeat_ms", 0))


def of_setpoint(profile: Profile) -> str:
    """Whether a set-point is stored, by the worst of its registers."""
    stored = {frame.stored for frame in profile.setpoint}
    stored = stored or {profile.settings.get("stored", NOT_STATED)}
    return next(kind for kind in (YES, NOT_STATED, NO) if kind in stored)
