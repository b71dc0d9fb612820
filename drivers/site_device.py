"""Driver of every Modbus device that a profile can describe without code.

Each signal becomes fresh separately. If a signal is out of range or has no meaning, only this
signal is unknown. With `[identity]`, no value counts and nothing is written before its registers
have the values of the profile, because the device may have been replaced.

    start, silence --> find SunSpec models --> read `[identity]`, ids of models, scale factors
    --> as the profile says --> values count; again every IDENTITY_US
    --> another value --> `other_device`, no value
"""

from functools import partial

from drivers import device_checks
from drivers.buses import rtu
from drivers.profile import Profile, Settings
from drivers.register_blocks import Block, blocks
from drivers.register_codec import Codec
from drivers.register_write import RegisterWrite
from drivers.sink import Sink
from drivers.states import unnamed
from drivers.steps import NO_ANSWER, Steps
from drivers.sunspec import Places
from drivers.wear import Wear

# One value out of range may be a disturbance. Two in a row show a wrong sign, scale or register.
# Then the signal is unknown until HELD_US after the last of them. Otherwise each small value in
# between would make it known again, and power that depends on it would swing.
REFUSALS, HELD_US = 2, 60_000_000
IDENTITY_US = 30_000_000  # a replaced device is detected within this time, even without a silence
# After this many time-outs in a row, or periods (at least 5 s) without an answer, the unit id may
# belong to another device.
SILENT_AFTER, SILENCE_PERIODS, SILENCE_US_MIN = 3, 3, 5_000_000
# Exception codes of a device that has no such function, address or value. Other exceptions may end
# by themselves, such as 11: a gateway does not reach its device.
NO_SUCH_REGISTER = (1, 2, 3)
WORD_MAX = (1 << 31) - 1
WALK_AGAIN_US = 1_000_000  # pause after a search for the SunSpec models has failed

Bounds = dict[str, tuple[int, int]]


class _Signal:
    """One signal. place: its number in the role. refusals: number of refusals in a row."""

    def __init__(self, codec: Codec, place: int):
        self.codec, self.place = codec, place
        self.refusals = self.held_until_us = 0


class SiteDevice:
    """One device. Counters: refused (values), failures (lost writes).

    refused_mask: a bit for each signal whose last REFUSALS answers were refused. refused_value: the
    last value out of range.
    """

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        place: tuple[int, int],
        names: list[str],
        settings: Settings,
        bounds: Bounds | None = None,
    ):
        """place: (index into inp, index into fresh) of the first signal. names: of all signals.

        settings: of the role. bounds: {signal: (lowest, highest)} by the rating.
        """
        self.profile, self.unit_id = profile, unit_id
        self.refused = self.failures = self.refused_mask = self.refused_value = 0
        self._sink, (self._first, self._group) = sink, place
        registers = profile.registers.values()
        for register in registers:
            register.count = settings.get(register.count_by, register.count)
        factors = profile.factors
        reads = [e for e in registers if "read" in e.direction and e.name not in factors]
        self.places, self._steps = Places(profile), Steps(unit_id, self._on_walk_end)
        self.wear = Wear(profile, self.places.of)
        own = settings, self.places, self._on_failure, self.wear
        self._signals = [
            _Signal(Codec(read, settings, (bounds or {}).get(read.name)), names.index(read.name))
            for read in reads
        ]
        written = [target for target in registers if "write" in target.direction]
        self._writes = {target.name: RegisterWrite(target, unit_id, *own) for target in written}
        self._make_checks(settings)
        self._identity_due_us = self._heard_us = self._timeouts = 0
        checked = [register for register, _ in self._checks]
        self._blocks = blocks([*reads, *checked], profile.settings)
        self._unread = {index for index, block in enumerate(self._blocks) if self._has_value(block)}
        if profile.models:
            self._steps.begin(self.places.walk())

    def _make_checks(self, settings: Settings) -> None:
        """Set the checks, in the order of Profile.tells."""
        writes = self._writes.values()
        codecs = [signal.codec for signal in self._signals] + [write.codec for write in writes]
        self._checks = [*device_checks.identity_checks(self.profile, settings)]
        self._identity_count = len(self._checks)
        self._checks += device_checks.factor_checks(self.profile, codecs)
        for write in writes:
            if write.limit_register:
                self._checks.append((write.limit_register, partial(self._compare_limit, write)))
        self._unconfirmed, self._differing = set(range(len(self._checks))), set[int]()

    def _compare_limit(self, write: RegisterWrite, part: bytes) -> bool:
        write.compare_limit(part)
        if write.is_unstated:
            self.refused_value = write.fixed_limit or 0
        return True

    @property
    def is_identified(self) -> bool:
        """True if all checks show the device of the profile."""
        return not self._unconfirmed

    @property
    def is_read(self) -> bool:
        """True if each block has answered or failed since the device was first identified."""
        return not self._unread

    @property
    def other_device(self) -> int:
        """Number (from 1) in Profile.tells of the first failed check; 0 if none has failed."""
        tells, writes = self.profile.tells, self._writes.items()
        fixed = [tells.index(name) for name, write in writes if write.is_unstated]
        return min(self._differing or fixed, default=-1) + 1

    def periodic(self) -> rtu.Periodic:
        """[(Request, period in us)] of the reads, one for each block."""
        period_us = self.profile.period_ms * 1000
        reads = []
        for number, block in enumerate(self._blocks):
            read = self.places.follow(self._read(number, "block"), block.address)
            reads.append((read, period_us if self._has_value(block) else IDENTITY_US))
        return reads

    schedule = periodic

    def service(self, now_us: int) -> rtu.Requests:
        """Requests to submit now; [] while the device is identified."""
        if not self._unconfirmed or now_us < self._identity_due_us:
            return []
        if not self.places.is_found:
            step = self._steps.next_request(now_us)
            return [step] if step else []
        self._identity_due_us = now_us + self.profile.period_ms * 1000
        return [
            self._read(number, "identity")
            for number, block in enumerate(self._blocks)
            if self._unconfirmed & self._check_numbers(block)
        ]

    def _has_value(self, block: Block) -> bool:
        return any([index < len(self._signals) for index, _, _ in block.places])

    def _check_numbers(self, block: Block) -> set[int]:
        """Numbers (from 0) of the checked registers in a block."""
        first = len(self._signals)
        return {index - first for index, _, _ in block.places if index >= first}

    def _read(self, number: int, kind: str) -> rtu.Request:
        block = self._blocks[number]

        def on_reply(pdu: bytes, now_us: int) -> None:
            self._take(block, pdu[2:], now_us)
            self._note_read(number)

        def on_failure(failure: int, code: int, now_us: int) -> None:
            self._on_read_failure(block, failure, code)
            self._note_read(number)

        key = (self.unit_id, f"{kind} {number + 1}")
        place = block.function, self.places.of(block.address), block.length
        return rtu.read_request(key, self.unit_id, *place, on_reply, on_failure)

    def _on_walk_end(self, error: str, now_us: int) -> None:
        if not error:
            self._differing &= set(range(len(self.profile.identity)))
            self._identity_due_us = 0
            return
        if error not in (*rtu.FAILURES, NO_ANSWER):
            self._differing.add(len(self.profile.identity) + self.places.missing)
        self._steps.begin(self.places.walk(), now_us + WALK_AGAIN_US)

    def _note_read(self, number: int) -> None:
        if self.is_identified:
            self._unread.discard(number)

    def _on_read_failure(self, block: Block, failure: int, code: int) -> None:
        numbers = self._check_numbers(block) if self.places.is_found else set()
        if failure == rtu.TIMEOUT:
            self.note_silence()
        elif failure == rtu.EXCEPTION and code in NO_SUCH_REGISTER and numbers:
            self._differs(min(numbers))

    def note_silence(self) -> None:
        """Note that a request got no answer."""
        self._timeouts += 1
        if self._timeouts >= SILENT_AFTER:
            self._forget()

    def note_answer(self, now_us: int) -> None:
        """Note that the device has answered."""
        self._note_pause(now_us)
        self._heard_us, self._timeouts = now_us, 0

    def _note_pause(self, now_us: int) -> None:
        """Forget the device after a silence, because it may be another one now."""
        silence_us = max(SILENCE_US_MIN, SILENCE_PERIODS * self.profile.period_ms * 1000)
        if now_us - self._heard_us > silence_us:
            self._forget()

    def _forget(self) -> None:
        """Forget the device, because it may be another one from now on."""
        if not self._unconfirmed:
            self._identity_due_us = 0
        self._unconfirmed = set(range(len(self._checks)))
        if self.profile.models and self.places.is_found:
            self.places.forget()
            self._steps.begin(self.places.walk())
        for write in self._writes.values() if self._checks else ():
            write.forget()

    def _differs(self, number: int) -> None:
        """Note that the checked register `number` differs from the profile."""
        self._forget()
        self._differing.add(number)

    def _take(self, block: Block, data: bytes, now_us: int) -> None:
        self.note_answer(now_us)
        parts, first = block.parts(data), len(self._signals)
        if not self.places.is_found:
            return
        for number, part in [(index - first, part) for index, part in parts if index >= first]:
            if not self._checks[number][1](part):
                if number < self._identity_count:
                    return self._differs(number)
                return self._unconfirmed.add(number)  # a new scale factor must come twice
            self._unconfirmed.discard(number)
            self._differing.discard(number)
        if self._unconfirmed:
            return
        for index, part in parts:
            if index < first:
                self._store(self._signals[index], part, now_us)

    def _store(self, signal: _Signal, part: bytes, now_us: int) -> None:
        value, is_good = signal.codec.read(part)
        if not is_good:
            self._refuse(signal, value, now_us)
        elif value is not None and now_us >= signal.held_until_us:
            signal.refusals = 0
            self.refused_mask &= ~(1 << signal.place)
            self._sink.inp[self._first + signal.place] = value
            self._sink.fresh[self._group + signal.place] = 1

    def _refuse(self, signal: _Signal, value: int | None, now_us: int) -> None:
        """value: None if the profile does not name the state; then its raw value is shown."""
        self.refused += 1
        signal.refusals += 1
        if signal.refusals < REFUSALS:
            return
        self.refused_mask |= 1 << signal.place
        shown = unnamed([signal.codec]) if value is None else value
        self.refused_value = max(-WORD_MAX, min(WORD_MAX, shown or 0))
        if value is not None:
            signal.held_until_us = now_us + HELD_US

    def write(self, name: str, value: int, now_us: int, rests: bool = False) -> rtu.Request | None:
        """The Request of `value`; None for now. rests: a spent budget allows the rest value."""
        self._note_pause(now_us)
        return self._writes[name].request(value, now_us, rests) if self.is_identified else None

    def written_at(self, name: str) -> tuple[int, int]:
        """(first register of the writes of `name` on this device, exponent of its scale)."""
        return self._writes[name].address, self._writes[name].codec.exponent

    def read_back(self, name: str) -> rtu.Request | None:
        """The Request that reads back the last write; None if it need not be read back."""
        return self._writes[name].read_back() if self.is_identified else None

    def write_and_read_of(self, name: str) -> tuple[rtu.Request, rtu.Request]:
        """A write of 0 and the read after it, to compute the load of the bus."""
        return self._writes[name].write_and_read_of(0)

    def _on_failure(self, kind: int, code: int, now_us: int) -> None:
        self.failures += 1
        if kind == rtu.TIMEOUT:
            self.note_silence()


def identity_of(profile: Profile, unit_id: int, sink: Sink) -> SiteDevice:
    """A device that only checks [identity] and the SunSpec models, and reads no values."""
    plain = Profile(**{**vars(profile), "registers": {}})
    return SiteDevice(plain, unit_id, sink, (0, 0), [], {})
