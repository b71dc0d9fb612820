"""What one channel thinks of the other: heard, of the same image and tables, agreeing, and of the
same pace.

Both sides run this; each drops its own permit when its own view is not ok. Nothing here permits
anything.
"""

from safety import (
    ages,
    bounds,
    channel,
    connection,
    contactors,
    crc,
    evaluate,
    features,
    fire,
    frame as f,
    gas,
    heating,
    image_check,
    kernel,
    latches,
    matrix as m,
    means,
    opening,
    pace,
    parameters as p,
    permit,
    rack_limits,
    racks,
    runaway,
    signals as s,
    start_checklist,
    still,
    tapers,
    units,
    witness,
)

# Why a channel gives no permit, and whom it names. Those before `interlock` are about the other
# channel.
REASONS = (
    "none",
    "not heard yet",
    "silent",
    "other tables",
    "other limit image",
    "signal disagrees",
    "clocks differ",
    "interlock",
    "waits until the other gives no permit",
    "relay does not follow",
    "contact open at the start",
)
(
    OK,
    NOT_HEARD,
    SILENT,
    OTHER_TABLES,
    OTHER_IMAGE,
    DISAGREES,
    CLOCKS_DIFFER,
    INTERLOCK,
    WAITS,
    RELAY,
    CONTACT_OPEN,
) = range(11)
DISAGREE_MS = 500  # as row 1 for its two contacts
# So long before permit_expiry_ms the other is silent: an age of n ticks is up to n + 1 ticks of
# time, because a frame may come just after a step, and the relay takes its 20 ms.
EXPIRY_SPARE_TICKS = 2
# Clocks are compared over 5 s. An RC oscillator trimmed at the factory is within 1 %, a crystal
# within 0.01 %, so 2 % is a fault; of 5 s it is five ticks of 20 ms, more than a frame is late. A
# frame that was held up makes one window too long and the next too short: only two windows in a row
# that err the same way count.
CLOCK_WINDOW_MS = 5000
CLOCK_PERMILLE_MAX = 20
# Names, many to a line.
# fmt: off
MODULES = (
    ages, bounds, channel, connection, contactors, crc, evaluate, features, fire, f, gas,
    heating, image_check, kernel, latches, m, means, opening, pace, p, permit, rack_limits, racks,
    runaway, s, start_checklist,
    still, tapers, units, witness,
)
# fmt: on
# so that a thousand of them stay below 2^30; as the kernel bounds a late step
OWN_TICKS_MAX = 1_000_000


def table_crc() -> int:
    """CRC-30 over every table and number of the kernel: unequal programs never pair."""
    value = _crc_of(crc.START, REASONS)
    for module in MODULES:
        for name in sorted(dir(module)):
            thing = getattr(module, name)
            if isinstance(thing, (int, tuple)):
                value = _crc_of(_crc_of(value, name), thing)
    return value


def _crc_of(value, thing):
    """CRC register after a tuple of tuples, words and integers."""
    if isinstance(thing, int):
        return crc.add_word(value, thing)
    value = crc.add_word(value, len(thing))
    for part in thing:
        value = crc.add_word(value, ord(part)) if isinstance(thing, str) else _crc_of(value, part)
    return value


class Peer:
    """The other channel as seen from here. `reason` (REASONS), `subject`: index + 1 of the shared
    signal, or 0.
    """

    def __init__(self, image, image_map, receiver, own_image_crc: int, own_table_crc: int):
        """image: this side's (tick and permit_expiry_ms); receiver: what its frames arrive in."""
        tick_ms = image[p.H_TICK_MS]
        self.receiver = receiver
        self.own_image_crc, self.own_table_crc = own_image_crc, own_table_crc
        self.expiry_ticks = (
            image[image_map.cabinet + p.P_PERMIT_EXPIRY_MS] // tick_ms - EXPIRY_SPARE_TICKS
        )
        self.disagree_ticks_max = p.ticks(DISAGREE_MS, tick_ms)
        self.window_ticks = p.ticks(CLOCK_WINDOW_MS, tick_ms)
        self.reason, self.subject = NOT_HEARD, 0
        self.age_ticks = 0
        self.disagree_ticks = 0  # for which one shared signal or another was seen differently
        self._fresh = self._heard = 0
        self.drift_permille = 0  # of the last whole window: > 0 when the other is fast
        self._forget()

    def _forget(self):
        """Whoever was silent so long that its permit has lapsed may have started anew, as may its
        clock.
        """
        self.receiver.forget()
        self._waited_ticks = 0  # since a frame was accepted or the sequence forgotten
        self._own_ticks = 0  # since the window began
        # the other's uptime at the beginning of the window; -1: none has begun
        self._window_uptime = -1
        self._wrong_way = 0  # of the last window: the sign of a drift beyond the limit
        self._clocks_differ = False

    def heard(self) -> None:
        """The receiver has accepted a frame."""
        self._fresh = 1

    def trusted(self) -> int:
        """True if the last frame is of the same program and image, and its sender not silent: it
        may be acted on.
        """
        return (
            self._heard
            and self.reason != SILENT
            and self.reason != OTHER_TABLES
            and self.reason != OTHER_IMAGE
        )

    def update(self, elapsed: int, signal_bits: int, known_bits: int) -> None:
        """Once a step, with this side's own levels of the shared signals and which of them it
        knows.
        """
        self._own_ticks = min(self._own_ticks + elapsed, OWN_TICKS_MAX)
        if self._fresh:
            self._fresh = 0
            self._heard = 1
            self.age_ticks = self._waited_ticks = 0
            self._compare_clocks()
        else:
            self._wait(elapsed)
        differing = self._differing(elapsed, signal_bits, known_bits)
        self.reason = self._judge(differing)
        self.subject = differing if self.reason == DISAGREES else 0

    def permits(self) -> bool:
        """True if nothing is wrong with the other channel and it gives its permit."""
        return self.reason == OK and self.receiver.frame.get(f.VOTE) == 1

    def _wait(self, elapsed):
        self.age_ticks = min(self.age_ticks + elapsed, s.TICKS_MAX)
        self._waited_ticks += elapsed
        if self._waited_ticks >= self.expiry_ticks:
            self._forget()

    def _judge(self, differing):
        frame = self.receiver.frame
        if self.age_ticks >= self.expiry_ticks:
            return SILENT if self._heard else NOT_HEARD
        if not self._heard:
            return NOT_HEARD
        if frame.get(f.TABLE_CRC) != self.own_table_crc:
            return OTHER_TABLES
        if frame.get(f.IMAGE_CRC) != self.own_image_crc:
            return OTHER_IMAGE
        if differing:
            return DISAGREES
        return CLOCKS_DIFFER if self._clocks_differ else OK

    def _differing(self, elapsed, signal_bits, known_bits):
        """Index + 1 of the first shared signal that both know and see differently, once they differ
        for too long; or 0.

        In one signal or another: of two bad wires that take turns each would be excused.
        """
        frame = self.receiver.frame
        differing = (signal_bits ^ frame.get(f.SIGNAL_BITS)) & known_bits & frame.get(f.KNOWN_BITS)
        self.disagree_ticks = min(self.disagree_ticks + elapsed, s.TICKS_MAX) if differing else 0
        if self.disagree_ticks < self.disagree_ticks_max:
            return 0
        place = 1
        while not differing >> place - 1 & 1:
            place += 1
        return place

    def _compare_clocks(self):
        """At the end of a window: how far the other's uptime has come while this side counted its
        own ticks.
        """
        uptime = self.receiver.frame.get(f.UPTIME_TICKS)
        if self._window_uptime >= 0:
            if self._own_ticks < self.window_ticks:
                return
            ahead = ((uptime - self._window_uptime) & f.UPTIME_MASK) - self._own_ticks
            self._judge_window(min(ahead, self._own_ticks))
        self._window_uptime = uptime
        self._own_ticks = 0

    def _judge_window(self, ahead):
        """ahead: ticks by which the other's clock has run further than this one's, at most as many
        as were counted.
        """
        self.drift_permille = ahead * 1000 // self._own_ticks
        limit = self._own_ticks * CLOCK_PERMILLE_MAX
        way = 1 if ahead * 1000 > limit else -1 if -ahead * 1000 > limit else 0
        self._clocks_differ = way != 0 and way == self._wrong_way
        self._wrong_way = way
