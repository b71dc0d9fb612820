"""Decides when a register, or a row of coils, of a site device is written again."""

from struct import Struct

from drivers.buses import rtu
from drivers.profile import Register, Settings, Words
from drivers.register_blocks import bits
from drivers.register_codec import Codec
from drivers.sunspec import Places
from drivers.wear import NO, Wear

COIL_WRITES = (rtu.WRITE_COIL, rtu.WRITE_COILS)
SINGLE_WRITES = (rtu.WRITE_COIL, rtu.WRITE_REGISTER)
UNKEPT_MAX = 11  # doublings of the pause: 250 ms become 8.5 min


class RegisterWrite:
    """One register that is written after a change, after a lost write, and every repeat_ms.

    After a change it is written at most every pause_ms. With `read_back` or function 23, another
    value in the device counts as a lost write.

    fixed_limit: a limit in the device that the installer has set, or None. This program did not
    write it, and it does not expire (`fixed_words`). It is never raised. It is lowered only if the
    site file states it. Otherwise the limit of the installer would be forgotten at a restart.
    """

    def __init__(
        self,
        register: Register,
        unit_id: int,
        settings: Settings,
        places: Places,
        on_failure: rtu.OnFailure,
        wear: Wear | None = None,
    ):
        """wear: counts the writes to the device; None if there is no budget."""
        self._register, self._unit_id, self._on_failure = register, unit_id, on_failure
        self._places, self.codec = places, Codec(register, settings)
        self._stated_limit = settings.get(f"{register.name}_max", 0)
        self.fixed_limit: int | None = None
        size = register.words + register.complement + len(register.with_words)
        place = {"function": rtu.READ_HOLDING_REGISTERS, "address": register.write_address}
        self.limit_register = Register(**place, words=size) if register.fixed_words else None
        self._sent: int | None = None
        self._passed: int | None = None  # the value that last passed the budget
        self._expected: Words = ()  # registers or levels in the last write
        self._due_us, self._free_us, self._is_unread = 0, 0, False
        self._wear = wear if register.stored != NO else None
        self._requested = 0
        self._unkept_count = 0  # how often in a row the device kept another value

    def request(self, value: int, now_us: int, rests: bool = False) -> rtu.Request | None:
        """The Request of `value`, or None (see SiteDevice.write).

        While a spent budget holds back a higher value, the device gets the value that it has.
        Otherwise it would use its own fallback. If that value is not known, the device gets the
        rest value 0, if `rests` allows this.
        """
        if self._wear is not None and self._wear.holds_back(value, self._passed or 0, now_us):
            if self._passed is None and not rests:
                return None
            value = self._passed or 0
        if value != self._requested:
            self._requested, self._unkept_count = value, 0
        if self.fixed_limit is not None and (value >= self.fixed_limit or self.is_unstated):
            return None
        # The rest value does not wait. A lost write waits, or it would take the bus from others.
        is_rest = value == 0 and self._sent not in (0, None)
        wait_us = self._due_us if value == self._sent else self._free_us
        if now_us < wait_us and not is_rest:
            return None
        self._sent = self._passed = value
        self._due_us = now_us + self._register.repeat_ms * 1000
        # If the device may store the register, the pause doubles while the device acknowledges
        # writes but keeps another value. Otherwise such writes would never end.
        doublings = min(self._unkept_count, UNKEPT_MAX) if self._wear is not None else 0
        self._free_us = now_us + (self._register.pause_ms * 1000 << doublings)
        self._expected = self._encoded(value)
        return self._write()

    def _encoded(self, value: int) -> Words:
        if self._register.write_function in COIL_WRITES:
            return tuple([value > coil for coil in range(self._register.count)])
        return tuple(self.codec.words(value))

    @property
    def address(self) -> int:
        """The first register of the write, on this device."""
        return self._places.of(self._register.write_address)

    def compare_limit(self, data: bytes) -> None:
        """Set `fixed_limit` from the present content of the registers of the write."""
        registers, size = Struct(f">{len(data) // 2}H").unpack(data), self._register.words
        wanted, is_own = self._register.fixed_words, registers[:size] == self._expected[:size]
        pairs = zip(registers[len(registers) - len(wanted) :], wanted)
        is_fixed = not is_own and all([want in (-1, word) for word, want in pairs])
        self.fixed_limit = self.codec.read(data[: 2 * size])[0] if is_fixed else None

    @property
    def is_unstated(self) -> bool:
        """True if the device has a fixed limit that the site file does not state."""
        return self.fixed_limit is not None and self.fixed_limit < self._stated_limit

    def _write(self) -> rtu.Request:
        function = self._register.write_function
        return rtu.write_request(
            function,
            (self._unit_id, self._register.name),
            self._unit_id,
            self.address,
            self._expected[:1] if function in SINGLE_WRITES else self._expected,
            on_reply=self._written,
            on_failure=self._lost,
        )

    def _written(self, pdu: bytes, now_us: int) -> None:
        self._is_unread = self._register.read_back
        if self._register.write_function == rtu.WRITE_AND_READ:
            self._compare(pdu, now_us)

    def read_back(self) -> rtu.Request | None:
        """The read that follows a write with `read_back`, once; None if none is due."""
        if not self._is_unread:
            return None
        self._is_unread = False
        return self.read_of_last()

    def write_and_read_of(self, value: int) -> tuple[rtu.Request, rtu.Request]:
        """A write of `value`, and the read that follows it."""
        self._expected = self._encoded(value)
        return self._write(), self.read_of_last()

    def forget(self) -> None:
        """Write the requested value again, because the device may be another one now."""
        self._sent = self._passed = None
        self._is_unread = False

    def read_of_last(self) -> rtu.Request:
        """The read of the registers that were written last."""
        is_coil = self._register.write_function in COIL_WRITES
        return rtu.read_request(
            (self._unit_id, self._register.name, "read back"),
            self._unit_id,
            rtu.READ_COILS if is_coil else rtu.READ_HOLDING_REGISTERS,
            self.address,
            len(self._expected),
            self._compare,
        )

    def _compare(self, pdu: bytes, now_us: int) -> None:
        """Compare a read with the last write. pdu: function, byte count, registers or bits."""
        data, count = pdu[2:], len(self._expected)
        if self._register.write_function in COIL_WRITES:
            actual = tuple(bits(data, count))
        else:
            actual = Struct(f">{count}H").unpack(data)
        if actual == self._expected:
            self._unkept_count = 0
            return
        self._unkept_count += 1
        self._passed = None
        self._lost(rtu.BAD_REPLY, 0, now_us)

    def _lost(self, kind: int, code: int, now_us: int) -> None:
        self._sent = None
        self._on_failure(kind, code, now_us)
