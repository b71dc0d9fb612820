"""Wear: how often registers that a device stores are written, and the budget of a day for it.

A register in flash or EEPROM wears out after some 100 000 writes, which a repetition each second
reaches in a day. The bus hands each frame to `see` just before the frame leaves, so no writer can
be forgotten. A register that the profile does not name counts as "not stated".

`writes_per_day_max` bounds the writes of all registers that are not stored = "no". It holds back
set-ups, starts and set-points. It never holds back a stop, 0 W, a heartbeat or a rest value.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from drivers.profile import Profile

YES, NO, NOT_STATED = STORED = ("yes", "no", "not stated")
DAY_US, MINUTE_US = 86_400_000_000, 60_000_000
WRITES = (5, 6, 15, 16, 23)  # function codes
COILS = (5, 15)
PARTS = 16  # a store keeps the count in so many steps of the budget


class Written(NamedTuple):
    """A register, or several, that is written. what: for people; function: of the write."""

    what: str
    function: int
    address: int
    words: int
    stored: str


class Wear:
    """Writes of one device. `counts`: by STORED, since the start; `spent`: of the budget today."""

    def __init__(self, profile: Profile, place: Callable[[int], int] = lambda address: address):
        """place: where a register of the profile lies on this device."""
        self.counts = dict.fromkeys(STORED, 0)
        self.most: int = profile.settings.get("writes_per_day_max", 0)
        self.spent = self._age_us = 0
        self._now_us: int | None = None
        self._written, self._place = list(written(profile)), place

    def see(self, frame: bytes) -> None:
        """Count a frame to the device, if the frame writes."""
        function = frame[1]
        if function in WRITES:
            stored = self._stored(function, *frame[2:6])
            self.counts[stored] += 1
            self.spent += stored != NO

    def _stored(self, function: int, *place: int) -> str:
        """The worst of the registers that a write changes."""
        first, count = place[0] << 8 | place[1], place[2] << 8 | place[3]
        end = first + (1 if function in (5, 6) else count)
        of = [each for each in self._written if (each.function in COILS) == (function in COILS)]
        places = {
            self._place(each.address) + at: each.stored for each in of for at in range(each.words)
        }
        found = {places.get(at, NOT_STATED) for at in range(first, end)}
        return next(each for each in (YES, NOT_STATED, NO) if each in found)

    def step(self, now_us: int) -> None:
        """Let the time go on. After a day the budget is whole again."""
        self._age_us += now_us - (now_us if self._now_us is None else self._now_us)
        self._now_us = now_us
        if self._age_us >= DAY_US:
            self.spent = self._age_us = 0

    def is_spent(self, now_us: int) -> bool:
        """Whether nothing more may be stored today."""
        if not self.most:
            return False
        self.step(now_us)
        return self.spent >= self.most

    @property
    def kept(self) -> tuple[int, int]:
        """(spent, age of the day in minutes), for the store. The count is rounded up, so that it is
        stored seldom and that a restart gives back nothing.
        """
        part = max(1, self.most // PARTS)
        return min(-(-self.spent // part) * part, self.most), self._age_us // MINUTE_US

    def take(self, kept: tuple[int, int]) -> None:
        """Go on with the day of the last run. The time in between does not count."""
        self.spent, self._age_us = kept[0], kept[1] * MINUTE_US


def written(profile: Profile) -> Iterator[Written]:
    """Each register that a driver of this profile writes by itself, with `stored` of it."""
    yield from [
        Written(
            "setpoint",
            each.function,
            each.address,
            sum([one.words for one in each.values]),
            each.stored,
        )
        for each in profile.setpoint
    ]
    for what in ("setup", "start", "stop"):
        for step in getattr(profile, what):
            if step.function in WRITES:
                place = step.register.address, step.register.words
                yield Written(what, step.function, *place, step.stored)
    if beat := profile.heartbeat:
        yield Written("heartbeat", beat["function"], beat["address"], 1, beat["stored"])
    for name, row in profile.sent.items():
        if "address" in row:
            yield Written(
                name, row["function"], row["address"], len(row["data"]) or 1, row["stored"]
            )
    default = profile.settings.get("stored", NOT_STATED)
    for register in profile.registers.values():
        if "write" in getattr(register, "direction", ""):
            function = getattr(register, "write_function", 15 if register.type == "bit" else 16)
            address = getattr(register, "write_address", register.address)
            words = register.words + getattr(register, "complement", 0)
            words += len(getattr(register, "with_words", ()))
            words = register.count if function in COILS else words
            stored = getattr(register, "stored", default)
            yield Written(register.name, function, address, words, stored)


def of_setpoint(profile: Profile) -> str:
    """Whether a set-point is stored: the worst of its registers."""
    found = {each.stored for each in written(profile) if each.what == "setpoint"}
    found = found or {profile.settings.get("stored", NOT_STATED)}
    return next(each for each in (YES, NOT_STATED, NO) if each in found)
