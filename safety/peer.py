"""Judges the other channel by its frames, limit image, tables, contacts and clock.

Both channels run this. Each drops its own permit when something is wrong with the other. Nothing in
this file gives a permit.
"""

from array import array

from safety import (
    ages,
    bounds,
    channel,
    connection,
    contactors,
    crc,
    evaluate,
    feature_arrays,
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
    source,
    start_checklist,
    still,
    tapers,
    units,
    witness,
)

# Why a channel gives no permit. The reasons before `interlock` concern the other channel.
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
DISAGREE_MS = 500  # as for the two contacts of row 1 of the matrix (emergency stop)
# The other channel counts as silent this many ticks before permit_expiry_ms, or earlier. One tick
# is needed because a frame may come just after a step: an age of n ticks is up to n + 1 ticks of
# time. The rest is for the relay, which takes 20 ms (p.spare_ticks).
EXPIRY_SPARE_TICKS = 2
# Clocks are compared over windows of 5 s. A factory-trimmed RC oscillator is within 1 %, a crystal
# within 0.01 %, so 2 % is a fault. In 5 s 2 % are 100 ms, which is more than a frame is late. A
# delayed frame makes one window too long and the next too short. So only two windows in a row with
# the same sign count.
CLOCK_WINDOW_MS = 5000
CLOCK_PERMILLE_MAX = 20
# Names, many to a line.
# fmt: off
MODULES = (
    ages, bounds, channel, connection, contactors, crc, evaluate, feature_arrays, features, fire,
    f, gas, heating, image_check, kernel, latches, m, means, opening, pace, p, permit, rack_limits,
    racks, runaway, s, source, start_checklist, still, tapers, units, witness,
)
# fmt: on
# times 1000 it stays below 2^30; the kernel has the same bound for a late step
OWN_TICKS_MAX = 1_000_000


def table_crc() -> int:
    """CRC-30 over every table and number of the kernel: different programs never work together."""
    value = _crc_of(crc.START, REASONS)
    for module in MODULES:
        for name in sorted(dir(module)):
            constant = getattr(module, name)
            if isinstance(constant, (int, tuple)):
                value = _crc_of(_crc_of(value, name), constant)
    return value


def _crc_of(value: int, content: int | str | tuple) -> int:
    """CRC register after an integer, a text, or a tuple of them."""
    if isinstance(content, int):
        return crc.add_word(value, content)
    value = crc.add_word(value, len(content))
    for part in content:
        value = crc.add_word(value, ord(part)) if isinstance(content, str) else _crc_of(value, part)
    return value


class Peer:
    """The other channel as seen from this one.

    reason: a code of REASONS. subject: index + 1 of the shared signal that disagrees, or 0.
    """

    def __init__(
        self,
        image: "array[int]",
        image_map: p.ImageMap,
        receiver: channel.Receiver,
        own_image_crc: int,
        own_table_crc: int,
    ) -> None:
        """image: of this channel, for tick and permit_expiry_ms. receiver: of the frames."""
        tick_ms = image[p.H_TICK_MS]
        self.receiver = receiver
        self.own_image_crc, self.own_table_crc = own_image_crc, own_table_crc
        expiry_ms = image[image_map.cabinet + p.P_PERMIT_EXPIRY_MS]
        self.expiry_ticks = expiry_ms // tick_ms - p.spare_ticks(EXPIRY_SPARE_TICKS, tick_ms)
        self.disagree_ticks_max = p.ticks(DISAGREE_MS, tick_ms)
        self.window_ticks = p.ticks(CLOCK_WINDOW_MS, tick_ms)
        self.reason, self.subject = NOT_HEARD, 0
        self.age_ticks = 0
        self.disagree_ticks = 0  # for how long any shared signal has differed
        self._fresh = self._heard = 0
        self.drift_permille = 0  # in the last whole window; above 0 if the other clock is fast
        self._forget()

    def _forget(self) -> None:
        """Reset sequence and clock: after such a silence the other channel may have restarted."""
        self.receiver.forget()
        self._waited_ticks = 0  # since the last accepted frame or the start
        self._own_ticks = 0  # own ticks since the window began
        # uptime of the other channel at the start of the window; -1: no window has begun
        self._window_uptime = -1
        self._wrong_way = 0  # sign of a drift beyond the limit in the last window
        self._clocks_differ = False

    def heard(self) -> None:
        """Note that the receiver has accepted a frame."""
        self._fresh = 1

    def trusted(self) -> int:
        """True if the other channel is not silent and has the same program and image.

        Its frames are acted on only then.
        """
        return (
            self._heard
            and self.reason != SILENT
            and self.reason != OTHER_TABLES
            and self.reason != OTHER_IMAGE
        )

    def update(self, elapsed: int, signal_bits: int, known_bits: int) -> None:
        """Judge the other channel, once a step.

        signal_bits: levels of the shared signals at this channel; known_bits: which of them are
        known.
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

    def _wait(self, elapsed: int) -> None:
        """Count the time without a frame."""
        self.age_ticks = min(self.age_ticks + elapsed, s.TICKS_MAX)
        self._waited_ticks += elapsed
        if self._waited_ticks >= self.expiry_ticks:
            self._forget()

    def _judge(self, differing: int) -> int:
        """The reason for no permit (REASONS), or OK."""
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

    def _differing(self, elapsed: int, signal_bits: int, known_bits: int) -> int:
        """Index + 1 of the first shared signal that has differed for too long, or 0.

        Only signals that both channels know count. All signals share one timer: two bad wires that
        differ in turn must not reset each other.
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

    def _compare_clocks(self) -> None:
        """Compare the uptime of the other channel with the own ticks, once per window."""
        uptime = self.receiver.frame.get(f.UPTIME_TICKS)
        if self._window_uptime >= 0:
            if self._own_ticks < self.window_ticks:
                return
            ahead = ((uptime - self._window_uptime) & f.UPTIME_MASK) - self._own_ticks
            self._judge_window(min(ahead, self._own_ticks))
        self._window_uptime = uptime
        self._own_ticks = 0

    def _judge_window(self, ahead: int) -> None:
        """Judge the drift of a window: `ahead` is how far the other clock is ahead, in ticks."""
        self.drift_permille = ahead * 1000 // self._own_ticks
        limit = self._own_ticks * CLOCK_PERMILLE_MAX
        way = 1 if ahead * 1000 > limit else -1 if -ahead * 1000 > limit else 0
        self._clocks_differ = way != 0 and way == self._wrong_way
        self._wrong_way = way
