"""Driver of meters with any register map of power, per phase or in total.

A reading is accepted completely or refused. In real error readings every channel has -1 or -2, and
a shifted read gives absurd phases. So every phase must have 0.2 to 1.5 times the nominal voltage, a
power factor from -1 to 1, and no more power than voltage times current allows. A total must agree
with its phases. NaN fails each check. A wrong frequency or energy does not refuse the reading,
because no power depends on it. Only values that the profile reads are compared. Several reads are
one reading if all came within a period, without a failure between them:
    read 1 --> read 2 --> ... read of the power --> checks --> fresh
"""

import math
import zlib
from collections import deque
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any, cast

from drivers import meter_reads
from drivers.buses import rtu
from drivers.meter_reads import FREQUENCY, PHASED, SINGLE, TOTAL, limits_of, phases_of
from drivers.plausible import EXACT, UnitProof, plausible
from drivers.profile import Profile
from drivers.register_blocks import Block
from drivers.register_numbers import Numbers
from drivers.sink import Sink
from drivers.site_device import identity_of
from drivers.sunspec import Places
from safety import signals

HIGHEST_HZ = 100.0
HASH_MASK = signals.INT_MAX
CHANGES = 17  # number of changes whose times are kept, to find the time between two
UNKNOWN = -1
QUALITY_READS = 3  # voltage and frequency are unknown after so many periods without a reading
FROZEN_US = 5_000_000  # longest time for which row 50b allows unchanged registers


class Meter:
    """One meter. It stores total power (W, positive imports) and a hash of the raw registers.

    If the hash does not change, the meter is frozen. refused: number of refused readings. slow:
    {name: value} of registers that are read seldom.
    """

    # names of `report`, for the page `links`
    REPORT = (
        "refresh_stated_ms",
        "refresh_ms",
        "refresh_least_ms",
        "other_device",
        "frequency_mHz",
        "import_Wh",
        "export_Wh",
    )

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        power_index: int,
        hash_index: int,
        group: int,
        power_W_max: int = signals.INT_MAX,
    ):
        """power_W_max: largest plausible power of all phases, in either direction."""
        self.profile, self.unit_id, self.refused = profile, unit_id, 0
        self.slow: dict[str, float] = {}
        self._quality, self._quality_us, self._moved_us = (0, 0), 0, 0
        self.lowest_permille = 0  # lowest phase voltage of the last reading; 0: not read yet
        self._inp, self._fresh, self._group = sink.inp, sink.fresh, group
        self._power_index, self._hash_index = power_index, hash_index
        self._power_W_max, self._unit_proof = power_W_max, UnitProof()
        self._sign = -1 if profile.settings["inverted"] else 1
        self._period_us = profile.period_ms * 1000
        self._set_reads(profile)
        self._set_checks(profile)
        has_identity = profile.identity or profile.models
        self._identity = identity_of(profile, unit_id, sink) if has_identity else None
        self.places = self._identity.places if self._identity else Places(profile)
        self._pdus: list[bytes] = []
        self._first_us = 0  # time of the first reply of this reading
        self._newest_pdus: bytes | None = None  # raw registers of the newest reading
        self._words: bytes | None = None  # the same, None if the reading was refused
        self._changes_us: deque[int] = deque(maxlen=CHANGES)

    def _set_reads(self, profile: Profile) -> None:
        registers, settings = profile.registers, profile.settings
        fast, slow = [
            [registers[name] for name in names(registers, settings)]
            for names in (meter_reads.fast_names, meter_reads.slow_names)
        ]
        self._reads = meter_reads.grouped(fast, settings)
        self._numbers = Numbers(fast, self._reads, SINGLE)
        self._slow_reads = [
            (block, Numbers(slow, [block], SINGLE)) for block in meter_reads.grouped(slow, settings)
        ]

    def _set_checks(self, profile: Profile) -> None:
        """Set the places of the values in a reading, and their limits."""
        names, settings = self._numbers.names, profile.settings
        self._slack: float = 1 + settings["power_tolerance_permille"] / 1000
        self._quality_max_us = QUALITY_READS * self._period_us
        self._slack_W: int = settings["power_tolerance_W"]
        limits = [limits_of(profile, name) for name in names]
        place = {
            quantity: [names.index(name) for name in phases_of(quantity, settings) if name in names]
            for quantity in PHASED
        }
        volts, amps, self._power_indexes = place["voltage"], place["current"], place["power"]
        self._volts, self._nominal_V = volts, settings["nominal_voltage_V"] if volts else 0.0
        self._volts_min = [limits[index][0] for index in volts]
        self._limits = [
            (index, 0.0 if index in volts else low, high)
            for index, (low, high) in enumerate(limits)
            if names[index] not in SINGLE
        ]
        self._frequency = names.index(FREQUENCY) if FREQUENCY in names else None
        self._total_index = names.index(TOTAL) if TOTAL in names else None
        self._apparent_indexes = list(zip(volts, amps)) if volts and amps else []
        self._phase_indexes = [
            (*pair, power) for pair, power in zip(self._apparent_indexes, self._power_indexes)
        ]

    def fast(self) -> rtu.Requests:
        """The reads of each period. The read of the power comes last."""
        last = len(self._reads) - 1
        return [
            self._request(
                "meter" if number == last else f"meter {number + 1}", block, taker, self._on_failure
            )
            for number, (block, taker) in enumerate(zip(self._reads, self._takers()))
        ]

    def periodic(self) -> rtu.Periodic:
        """[(Request, period in us)]: the reads of each period, then the rare ones."""
        slow = [
            self._request(
                f"slow {number + 1}",
                block,
                partial(self._take_slow, numbers),
                partial(self._forget_slow, numbers),
            )
            for number, (block, numbers) in enumerate(self._slow_reads)
        ]
        return [
            *[(request, self._period_us) for request in self.fast()],
            *[(request, meter_reads.SLOW_US) for request in slow],
            *(self._identity.periodic() if self._identity else ()),
        ]

    schedule = periodic

    def service(self, now_us: int) -> rtu.Requests:
        """Requests to submit now; [] while the device is identified."""
        return self._identity.service(now_us) if self._identity else []

    def _request(self, name: str, block: Block, *on_end: Any) -> rtu.Request:
        key, place = (self.unit_id, name), self.places.of(block.address)
        read = rtu.read_request(key, self.unit_id, block.function, place, block.length, *on_end)
        return self.places.follow(read, block.address)

    def _takers(self) -> list[rtu.OnReply]:
        """The functions that take the replies to the reads of a reading."""
        if len(self._reads) == 1:
            return [self._take]
        return [partial(self._take_part, number) for number in range(len(self._reads))]

    def _take_part(self, number: int, pdu: bytes, now_us: int) -> None:
        if self._identity is not None and not self._identity.is_identified:
            self._identity.note_answer(now_us)
            self._pdus = []
            return
        if number == 0:
            self._pdus, self._first_us = [], now_us
        elif number != len(self._pdus) or now_us - self._first_us >= self._period_us:
            self._pdus = []
            return
        self._pdus.append(pdu)
        if len(self._pdus) == len(self._reads):
            self._take(b"".join(self._pdus), now_us)

    def _on_failure(self, kind: int, code: int, now_us: int) -> None:
        self._pdus = []
        self._changes_us.clear()
        if self._identity and kind == rtu.TIMEOUT:
            self._identity.note_silence()

    def _take(self, pdus: bytes, now_us: int) -> None:
        if self._identity is not None:
            self._identity.note_answer(now_us)
            if not self._identity.is_identified:
                return
        if pdus != self._newest_pdus:
            self._newest_pdus, self._moved_us = pdus, now_us
        if pdus != self._words:
            self._words = None
            if not self._store(pdus, now_us):
                self.refused += 1
                return
            self._words = pdus
            self._changes_us.append(now_us)
        self._quality_us = now_us
        self._fresh[self._group] = 1

    def _store(self, pdus: bytes, now_us: int) -> bool:
        values = self._numbers.read(pdus)
        power_W = None if values is None else self._power_W(values)
        if values is None or power_W is None:
            return False
        frequency_Hz = values[self._frequency] if self._frequency is not None else 0.0
        self.see([values[voltage_index] for voltage_index in self._volts], frequency_Hz, now_us)
        if any([values[index] < low for index, low in zip(self._volts, self._volts_min)]):
            return False
        self._inp[self._power_index] = power_W
        self._inp[self._hash_index] = zlib.crc32(pdus) & HASH_MASK
        return True

    def see(self, volts: Sequence[float], frequency_Hz: float, now_us: int) -> None:
        """Note voltage and frequency, even if the reading is then refused for a deep sag."""
        mean, lowest = 0, 0
        if volts:
            mean = max(1, round(math.fsum(volts) / len(volts) * 1000 / self._nominal_V))
            lowest = max(1, int(min(volts) * 1000 / self._nominal_V))
        is_known = 0.0 <= frequency_Hz <= HIGHEST_HZ
        self._quality = mean, round(frequency_Hz * 1000) if is_known else 0
        self.lowest_permille, self._quality_us = lowest, now_us

    def quality(self, now_us: int) -> tuple[int, int]:
        """(mean voltage in permille of nominal, frequency in mHz); 0: not read, or too old."""
        is_old = now_us - self._quality_us >= self._quality_max_us
        return (0, 0) if is_old or now_us - self._moved_us >= FROZEN_US else self._quality

    def _power_W(self, values: Sequence[float]) -> int | None:
        """The power, W, or None if a value fails a check."""
        for index, low, high in self._limits:
            if not low <= values[index] <= high:
                return None
        slack, slack_W = self._slack, self._slack_W
        for voltage_index, current_index, power in self._phase_indexes:
            if (
                abs(values[power])
                > abs(values[voltage_index] * values[current_index]) * slack + slack_W
            ):
                return None
        sum_W = math.fsum([values[power] for power in self._power_indexes])
        if self._total_index is not None:
            if not self._agrees(values, sum_W):
                return None
            sum_W = values[self._total_index]
        # compared before it is rounded, because infinity cannot be rounded
        has_unit = self._unit_proof.is_proven or self._unit_proof.fits(
            sum_W, self._apparent_VA(values)
        )
        is_fit = has_unit and plausible(sum_W, self._power_W_max, EXACT)
        return round(sum_W) * self._sign if is_fit else None

    def _apparent_VA(self, values: Sequence[float]) -> float:
        """Voltage times current, summed over all phases that the profile reads, VA."""
        return math.fsum(
            [
                abs(values[voltage_index] * values[current_index])
                for voltage_index, current_index in self._apparent_indexes
            ]
        )

    def _agrees(self, values: Sequence[float], sum_W: float) -> bool:
        """True if the total agrees with its phases or, without them, with voltage x current."""
        total_W = values[cast(int, self._total_index)]
        if self._power_indexes:
            of_phases_W = math.fsum([abs(values[power]) for power in self._power_indexes])
            return abs(total_W - sum_W) <= of_phases_W * (self._slack - 1) + self._slack_W
        most_W = self._apparent_VA(values) * self._slack + self._slack_W
        return not self._apparent_indexes or abs(total_W) <= most_W

    def _take_slow(self, numbers: Numbers, pdu: bytes, now_us: int) -> None:
        for name, value in zip(numbers.names, numbers.read(pdu) or ()):
            register = self.profile.registers[name]
            if name in SINGLE and register.low <= value <= register.high:
                self.slow[name] = value

    def _forget_slow(self, numbers: Numbers, *_: int) -> None:
        for name in numbers.names:
            self.slow.pop(name, None)

    def report(self) -> tuple[int, ...]:
        """The numbers named in REPORT. A number that is not known is UNKNOWN."""
        between_us = [after - before for before, after in pairwise(self._changes_us)]
        mean_ms, least_ms = UNKNOWN, UNKNOWN
        if len(self._changes_us) == CHANGES:
            mean_ms = round(sum(between_us) / len(between_us) / 1000)
            least_ms = min(between_us) // 1000
        other_device = self._identity.other_device if self._identity else 0
        stated_ms = max(self.profile.settings["refresh_ms"], self.profile.period_ms)
        slow = [round(self.slow[name] * 1000) if name in self.slow else UNKNOWN for name in SINGLE]
        return stated_ms, mean_ms, least_ms, other_device, *slow
