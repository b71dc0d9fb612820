"""RMS power of load, grid and battery in three bands of frequency, over the last minute.

A reply that repeats the previous value does not count as a sample. Otherwise the steps of a meter
that holds its value would add power to the upper band. So a frozen meter gives no samples. A band
is observable up to a third of the sample rate. The loop never computes these powers.
"""

from collections import deque
from collections.abc import Sequence
from statistics import median

from controller.core import parameters
from controller.journal.frame import Frame
from controller.journal.heard import OfFrames
from controller.journal.snapshot import Snapshot
from controller.state import spectrum
from controller.state.base import Facts
from safety import parameters as p, signals as s

BANDS_Hz = {"0.1-0.5 Hz": (0.1, 0.5), "0.5-3 Hz": (0.5, 3.0), "3-20 Hz": (3.0, 20.0)}
SERIES = ("load", "grid", "battery")
WINDOW_MS = 60_000
Reply = tuple[int, int]  # (time, ms; power, W)
PERIODS_MIN = 3  # periods of a band's lowest frequency that samples without a gap must span
GAP_MS_MAX = 1000  # a straight line bridges a shorter gap; after a longer gap the window restarts
LOST_PERCENT_MAX = 20
KEPT_FOR_MS = 5000  # `Samples.facts` computes anew only after this time
CHANGES_MIN = 8  # with fewer changes it is unknown for how long the meter holds a value


class Samples:
    """Collects the samples. Feed every frame, in order, after it was applied to `seen`."""

    def __init__(self, seen: Snapshot):
        header, layout = seen.reader.header, seen.layout
        self._inp = seen.inp
        self._tick_ms = header["safety_image"][p.H_TICK_MS]
        self._sample_ms = sample_ms_of(header)
        self._now_ms = 0
        self._sequence: int | None = None
        self._facts: tuple[int, Facts] | None = None  # (when they were computed, ms; facts)
        units = range(layout.units)
        self._heard = OfFrames(header["safety_image"], layout)
        self._replies = {
            "load": _Replies([s.G_METER_LOAD], [s.LOAD_POWER_W]),
            "grid": _Replies([s.G_METER_GRID], [s.GRID_POWER_W]),
            "battery": _Replies(
                [layout.unit_group(unit, s.G_PCS_MEASURE) for unit in units],
                [layout.unit_input(unit, s.PCS_POWER_W) for unit in units],
            ),
        }

    def feed(self, frame: Frame) -> None:
        """Take the replies of one tick."""
        if self._sequence is not None:  # a lost frame was a tick too, so its time counts
            lost = max(0, frame.sequence - self._sequence - 1)
            self._now_ms += (lost + frame.elapsed_ticks) * self._tick_ms
        self._sequence = frame.sequence
        self._heard.feed(frame, self._inp)
        for replies in self._replies.values():
            if not any(map(self._heard.is_frozen, replies.groups)):
                replies.feed(self._now_ms, frame.fresh, self._inp)

    def facts(self) -> Facts:
        """{window_s, load, grid, battery}; each power in the form of `measured`, at most 5
        s old.
        """
        if self._facts is None or self._now_ms - self._facts[0] >= KEPT_FOR_MS:
            self._facts = self._now_ms, self._computed()
        return self._facts[1]

    def _computed(self) -> Facts:
        floor_ms = max(self._sample_ms, self._tick_ms)
        powers = {
            name: measured(replies.recent, self._now_ms, self._tick_ms, floor_ms)
            for name, replies in self._replies.items()
        }
        return {"window_s": WINDOW_MS // 1000, **powers}


class _Replies:
    """`recent`: the replies of the last WINDOW_MS. The power of a reply is a sum of input words."""

    def __init__(self, groups: list[int], places: list[int]):
        self.groups, self._places, self._waits_for = groups, places, set(groups)
        self.recent: deque[Reply] = deque()

    def feed(self, now_ms: int, fresh: bytes, inp: Sequence[int]) -> None:
        """Add the sum of this tick once every group has replied since the last sum."""
        for group in self.groups:
            if fresh[group]:
                self._waits_for.discard(group)
        if self._waits_for:
            return
        self._waits_for.update(self.groups)
        self.recent.append((now_ms, sum(inp[place] for place in self._places)))
        while self.recent[0][0] <= now_ms - WINDOW_MS:
            self.recent.popleft()


def sample_ms_of(header: Facts) -> int:
    """Time between new values of the load meter, ms; 0 in the journal of another version."""
    try:
        return parameters.settings_of(header["control_image"])["track_sample_ms"]
    except (KeyError, ValueError):
        return 0


def measured(replies: Sequence[Reply], now_ms: int, tick_ms: int, sample_ms: int) -> Facts:
    """The rms of one power in each band. A band that is not wholly observable also has a reason.

    replies: oldest first. sample_ms: least time between two samples.
    """
    gap_ms = max(GAP_MS_MAX, PERIODS_MIN * sample_ms)
    unbroken = _unbroken(list(replies), now_ms, gap_ms)
    if len(unbroken) < 2:
        return none_of(f"no samples without a gap of {gap_ms / 1000:g} s")
    changes = [unbroken[0], *[new for old, new in zip(unbroken, unbroken[1:]) if new[1] != old[1]]]
    spaced = changes if len(changes) > CHANGES_MIN else unbroken
    spacing_ms = median([new[0] - old[0] for old, new in zip(spaced, spaced[1:])])
    step_ms = max(sample_ms, round(spacing_ms))
    values = _spread(unbroken, changes, step_ms, tick_ms)
    lost_percent = 100 * values.count(None) // len(values)
    if lost_percent > LOST_PERCENT_MAX:
        return none_of(f"{lost_percent} % of the samples are missing; {LOST_PERCENT_MAX} % may be")
    powers, step_s = spectrum.powers(_bridged(values)), step_ms / 1000
    return in_bands(powers, step_s, len(values) * step_s, step_s)


def none_of(why: str) -> Facts:
    """A result in the form of `measured`, without any rms power. why: the reason."""
    return {
        "sample_ms": None,
        "observable_to_Hz": None,
        "rms_W": dict.fromkeys(BANDS_Hz),
        "not_observable": dict.fromkeys(BANDS_Hz, why),
    }


def in_bands(powers: list[float], step_s: float, span_s: float, sample_s: float) -> Facts:
    """See `measured`. powers: result of spectrum.powers; step_s: time between two of its samples;
    sample_s: time between two samples of the meter.
    """
    limit_Hz = 1 / (3 * sample_s)
    rms_W: dict[str, int | None] = {}
    why: dict[str, str] = {}
    for name, (low_Hz, high_Hz) in BANDS_Hz.items():
        is_short = span_s * low_Hz < PERIODS_MIN
        if is_short:
            why[name] = f"{span_s:.0f} s of samples; {PERIODS_MIN / low_Hz:.0f} s are needed"
        elif limit_Hz < high_Hz:
            why[name] = (
                f"above {limit_Hz:.1f} Hz, a third of the rate of the samples "
                f"({1000 * sample_s:.0f} ms apart)"
            )
        # the rms is given if the larger part of the band's octaves is observable
        is_given = not is_short and limit_Hz**2 >= low_Hz * high_Hz
        to_Hz = min(high_Hz, limit_Hz)
        rms_W[name] = round(spectrum.rms(powers, step_s, low_Hz, to_Hz)) if is_given else None
    return {
        "sample_ms": round(1000 * sample_s),
        "observable_to_Hz": round(limit_Hz, 2),
        "rms_W": rms_W,
        "not_observable": why,
    }


def _unbroken(replies: list[Reply], now_ms: int, gap_ms: int) -> list[Reply]:
    """The replies after the last gap; an empty list while the newest reply is too old."""
    if not replies or now_ms - replies[-1][0] > gap_ms:
        return []
    first = len(replies) - 1
    while first > 0 and replies[first][0] - replies[first - 1][0] <= gap_ms:
        first -= 1
    return replies[first:]


def _spread(
    replies: list[Reply], changes: list[Reply], step_ms: int, tick_ms: int
) -> list[int | None]:
    """The last value in each step of time, None without a value. The steps are shifted so that as
    many of them as possible contain a change of the value.
    """
    first_ms = replies[0][0]
    shift_ms = max(
        range(0, step_ms, tick_ms),
        key=lambda shift: len({(at_ms - first_ms + shift) // step_ms for at_ms, _ in changes}),
    )
    values: list[int | None] = [None] * ((replies[-1][0] - first_ms + shift_ms) // step_ms + 1)
    for at_ms, power_W in replies:
        values[(at_ms - first_ms + shift_ms) // step_ms] = power_W
    return values


def _bridged(values: Sequence[int | None]) -> list[float]:
    """The values, with a straight line in place of each None. Both ends are known."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    bridged = [float(known[0][1])]
    for (first, before), (last, after) in zip(known, known[1:]):
        slope = (after - before) / (last - first)
        bridged += [before + slope * step for step in range(1, last - first + 1)]
    return bridged
