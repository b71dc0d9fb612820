"""Driver of a rack BMS with Modbus registers. A reply is accepted completely or refused.

If a read fails or is refused, the groups that need it are no longer fresh until all of their reads
have been answered again:

    reads --> identity, heartbeat --> values in range, fault bits known --> group whole --> fresh
"""

from functools import partial

from drivers.buses import rtu
from drivers.can_dialect import OK, OTHER, READ, SIGN, STUCK, WAITING
from drivers.profile import Register, wrong
from drivers.rack_bms import RackBms
from drivers.rack_sources import ARRAYS, FAULT, GROUPS, Source, Sources
from drivers.register_blocks import Block, blocks
from drivers.register_codec import Codec, ScaleFactor
from drivers.sink import Sink
from drivers.site_device import identity_of
from drivers.steps import LONG_AGO_US
from drivers.wear import NO, Wear
from safety import signals as s

CURRENT = "rack_current_mA"
STATE, CLOSED_STATES = "contactor_state", (s.CONTACTOR_PRECHARGE, s.CONTACTOR_CLOSED)
RETRY_US = 1_000_000  # until a lost write, or an opening that the BMS does not show, is repeated
DIRECTION = "current_direction"  # 1 or -1; with it, the sign of the current is ignored
HEARTBEAT = "heartbeat"
GROUP_OF = GROUPS | {DIRECTION: s.G_BMS_PACK, HEARTBEAT: s.G_BMS_STATE}


class _Place:
    """The place of a value, or of a fault bit, in a reply."""

    def __init__(self, register: Register, start: int, size: int, bit: int = 0):
        self.codec, self._bit = Codec(register, {}), bit
        self.states = self.codec.states
        self._start, self._end = start, start + size

    def value(self, data: bytes) -> int | None:
        """The value; None if the device has none or it is refused."""
        return self.codec.value(data[self._start : self._end])

    def bits(self, data: bytes) -> int:
        """The fault bit as a number if it is set, or 0."""
        return int(self.value(data) != 0) << self._bit


class RegisterBms(RackBms):
    """One rack. bad_frames: replies that were damaged, or came from another unit."""

    _GROUP_OF = GROUP_OF

    def _set_up(self, sink: Sink) -> None:
        self._fault_places = self.profile.fault_places
        self._sources = Sources()
        self._reads: list[tuple[Source, Block, int]] = []
        self._scaled_codecs: dict[str, list[Codec]] = {name: [] for name in self.profile.factors}
        self._factors: list[tuple[Source, ScaleFactor, slice]] = []
        self._sent: dict[str, tuple[list[int], int]] = {}  # {write: its last words and time}
        self._heartbeat_at: tuple[Source, _Place] | None = None
        self._heartbeat: int | None = None
        self._heartbeat_us = LONG_AGO_US
        self._add_reads()
        self._identity = identity_of(self.profile, self.node, sink)
        self.places = self._identity.places
        self.wear = Wear(self.profile, self.places.of)

    def _add_reads(self) -> None:
        registers, settings = self.profile.registers.values(), self.profile.settings
        for period_ms in dict.fromkeys([self._period_ms(register) for register in registers]):
            own = [register for register in registers if self._period_ms(register) == period_ms]
            pairs = [place for register in own for place in self._expanded(register)]
            for block in blocks([register for _, register in pairs], settings):
                source = self._sources.make(block.address, True, settings["stopped_ms"] * 1000)
                self._reads.append((source, block, period_ms * 1000))
                for index, start, size in block.places:
                    self._add(source, *pairs[index], (start, size))

    def _period_ms(self, register: Register) -> int:
        return register.period_ms or self.profile.period_ms

    def _expanded(self, register: Register) -> list[tuple[int, Register]]:
        """[(number in its array, register)]. An array becomes one register for each value."""
        if register.name not in ARRAYS:
            return [(0, register)]
        count, own = self._sizes[register.name], vars(register)
        if count > register.count:
            reason = f"registers.{register.name}: has {register.count} values for the {count}"
            raise wrong(self.profile.path, f"{reason} of the rack; allowed at least as many")
        places = [{"address": register.address + index * register.words} for index in range(count)]
        return [(index, Register(**own | place)) for index, place in enumerate(places)]

    def _add(self, source: Source, index: int, register: Register, size: tuple[int, int]) -> None:
        """Add one register to the content of a reply."""
        name = register.name
        if name in self._scaled_codecs:
            factor = ScaleFactor(self._scaled_codecs[name]), slice(size[0], sum(size))
            return self._factors.append((source, *factor))
        place = _Place(register, *size, self._fault_places.get(name.removeprefix(FAULT), 0))
        if place.codec.factor:
            self._scaled_codecs[place.codec.factor].append(place.codec)
        if name in ARRAYS:
            source.arrays.append((name, index, [place]))
        elif name.startswith(FAULT):
            source.faults.append((name, place))
        else:
            source.fields.append((name, place, False))
        if name == HEARTBEAT:
            self._heartbeat_at = source, place
        self._sources.feed(GROUP_OF.get(name, s.G_BMS_STATE), source)

    def periodic(self) -> rtu.Periodic:
        """[(Request, period in us)]: reads of values, then the rare reads of the identity."""
        reads = []
        for number, (source, block, period_us) in enumerate(self._reads, 1):
            read = rtu.read_request(
                (self.node, f"rack {number}"),
                self.node,
                block.function,
                self.places.of(block.address),
                block.length,
                on_reply=partial(self._on_reply, source, block),
                on_failure=partial(self._on_failure, source),
                reply_id=self.node + self.profile.settings["reply_id_offset"],
            )
            reads.append((self.places.follow(read, block.address), period_us))
        return reads + self._identity.periodic()

    schedule = periodic

    def service(self, now_us: int) -> rtu.Requests:
        """Requests to submit now; [] while the device is identified."""
        return self._identity.service(now_us)

    def command(self, close_ok: int, now_us: int) -> rtu.Requests:
        """Writes to the BMS that are due: after a change of the words, and once in each period.

        None is due before the first reading. An opening is repeated while the BMS reports closed
        contactors, because an acknowledgement does not show that they have opened.
        """
        writes: rtu.Requests = []
        is_known = self.frames and self._identity.is_identified
        for name, row in self.profile.sent.items() if is_known else ():
            before, sent_us = self._sent.get(name, ([], LONG_AGO_US))
            is_close = bool(row["data_close"] and close_ok)
            registers = row["data_close"] if is_close else row["data"]
            is_due = 0 < (row["period_ms"] * 1000 if before else RETRY_US) <= now_us - sent_us
            if row["data_close"] and not is_close and self._values.get(STATE, 0) in CLOSED_STATES:
                is_due = is_due or now_us - sent_us >= RETRY_US
            if row["count_max"]:
                registers = [sum(before) % row["count_max"] + 1] if is_due else before
            # the budget of writes never holds back an opening, a heartbeat or a repetition
            holds = before == registers or self._values.get(STATE, 0) in CLOSED_STATES
            if row["stored"] != NO and self.wear.holds_back(is_close, holds, now_us):
                continue
            if is_due or before not in ([], registers):
                self._sent[name] = registers, now_us
                writes.append(self.write(name, registers, bool(row["data_close"]) and not is_close))
        return writes

    def write(self, name: str, registers: list[int], is_opening: bool = False) -> rtu.Request:
        """One write of [sent]. is_first: it opens the contactors, so it goes before others."""
        row = self.profile.sent[name]
        return rtu.write_request(
            row["function"],
            (self.node, f"write {name}"),
            self.node,
            self.places.of(row["address"]),
            registers,
            on_failure=partial(self._on_lost, name),
            priority=rtu.STOP if is_opening else rtu.WRITE,
        )

    def _on_lost(self, name: str, kind: int, code: int, now_us: int) -> None:
        """Note a write without an answer, which is repeated after RETRY_US."""
        self._sent[name] = [], now_us

    def _on_failure(self, source: Source, kind: int, code: int, now_us: int) -> None:
        self._drop(source)
        self.bad_frames += kind == rtu.BAD_REPLY
        if kind == rtu.TIMEOUT:
            self._identity.note_silence()

    def _drop(self, source: Source) -> None:
        """Drop the last reply of a source, so that no group becomes complete with it."""
        for group in self._sources.groups.values():
            group.arrived &= ~source.bit
        self._values.pop(DIRECTION, None)

    def _on_reply(self, source: Source, block: Block, pdu: bytes, now_us: int) -> None:
        self._identity.note_answer(now_us)
        data = block.plain(pdu[2:])
        if self._heartbeat_at and self._heartbeat_at[0] is source:
            self._note_heartbeat(self._heartbeat_at[1].value(data), now_us)
        source.heard_us, source.frame_count = now_us, source.frame_count + 1
        if self._state_of(now_us)[0] == OK and self._take(source, data, now_us):
            self.frames += 1
        else:
            self.refused += 1
            self._drop(source)

    def _note_heartbeat(self, count: int | None, now_us: int) -> None:
        if self._heartbeat is not None and count not in (None, self._heartbeat):
            self._heartbeat_us = now_us
        self._heartbeat = count

    def _state_of(self, now_us: int) -> tuple[int, int]:
        """(state of can_dialect.py, number that it is about). OK: values count."""
        if self.is_sign_wrong:
            return SIGN, 0
        if not self._identity.is_identified:
            other_device = self._identity.other_device
            return (OTHER, other_device) if other_device else (WAITING, 0)
        stuck_ms = self.profile.settings["heartbeat_ms_max"]
        if self._heartbeat_at and now_us - self._heartbeat_us > stuck_ms * 1000:
            return (WAITING if self._heartbeat_us == LONG_AGO_US else STUCK), self._heartbeat_at[
                0
            ].can_id
        return OK, 0

    def _read(self, source: Source, frame: bytes) -> dict[str, int] | None:
        """The values of a reply. The current gets the sign of the direction if one is read."""
        parts = [(factor, frame[part]) for of, factor, part in self._factors if of is source]
        if not all([factor.holds(part) for factor, part in parts]):
            return None
        values = super()._read(source, frame)
        if values is None or None in [fault.value(frame) for _, fault in source.faults]:
            return None
        if CURRENT in values and DIRECTION in self.profile.registers:
            way = values.get(DIRECTION, self._values.get(DIRECTION))
            if DIRECTION in self._unnamed:
                del values[CURRENT]
            elif way is None:
                return None
            else:
                values[CURRENT] = abs(values[CURRENT]) * way
        return values

    def report(self, now_us: int) -> tuple[int, int]:
        """(state of can_dialect.py, the register that it is about or 0), for the page `links`."""
        state = self._state_of(now_us)
        if state[0] != OK:
            return state
        for source, _, _ in self._reads:
            if source.frame_count and source.heard_us - source.good_us > source.stopped_us:
                return READ, source.can_id
        return state
