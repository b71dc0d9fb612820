"""Driver of remote I/O modules with eight contact inputs and eight coil outputs.

If no write comes within its output expiry, the module sets its coils to 0. That ends a permit when
the controller dies. Until the expiry is written and read back, every coil write has 0 in all coils:
permits off, inverted outputs (fan, red lamp) on. The expiry is read regularly, because a module
that restarts has its factory setting.
"""

from collections.abc import Sequence

from drivers import steps
from drivers.buses import rtu
from drivers.profile import Profile
from drivers.sink import Sink
from drivers.steps import StepError, Steps
from safety import signals

CHANNELS = 8
RETRY_US = 200_000  # between attempts to set the expiry; shorter pauses delay the reads
# (output name, index, mask of the coil, is inverted)
Output = tuple[str, int, int, bool]
OUTPUT_INDEXES = {name: index for index, (name, _) in enumerate(signals.CABINET_OUTPUTS)}


class IoModule:
    """One module.

    expiry_ok: it has confirmed its output expiry; only then can a coil be on. fault: the last
    failure. refused: how often the expiry was not confirmed. writes: acknowledged writes.
    """

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        input_indexes: tuple[int, ...],
        group: int,
        outputs: tuple[str, ...],
    ):
        """input_indexes: into sink.inp, -1 = spare. outputs: "" = spare, "!x" = inverse of x."""
        self.profile, self.unit_id = profile, unit_id
        self.refused = self.writes = 0
        self.expiry_ok, self.fault = False, ""
        self._inp, self._fresh, self._group = sink.inp, sink.fresh, group
        self._inputs = tuple((index, bit) for bit, index in enumerate(input_indexes) if index >= 0)
        self._outputs = tuple(self._output(bit, name) for bit, name in enumerate(outputs) if name)
        self._pdu: bytes | None = None
        self._picks = [index for _, index, _, _ in self._outputs]
        self._levels: tuple[int, ...] | None = None  # the levels in the last write
        self._requests: dict[int, rtu.Request] = {}  # {coils as a byte: its write}
        self._write = self._coils_request(())  # the Request of the last write
        self._steps = Steps(unit_id, self._on_expiry_end)

    def _output(self, bit: int, name: str) -> Output:
        plain = name.removeprefix("!")
        return plain, OUTPUT_INDEXES[plain], 1 << bit, name != plain

    def periodic(self) -> rtu.Periodic:
        """[(Request, period in us)] of the read of the inputs."""
        register = self.profile.registers["inputs"]
        request = rtu.read_request(
            (self.unit_id, "inputs"),
            self.unit_id,
            register.function,
            register.address,
            CHANNELS,
            on_reply=self._on_inputs,
            on_failure=self._on_failure,
        )
        return [(request, self.profile.period_ms * 1000)]

    schedule = periodic

    def service(self, now_us: int) -> tuple[rtu.Request, ...]:
        """Requests to submit now: the next step of writing or checking the output expiry."""
        if now_us < self._steps.due_us:
            return ()
        request = self._steps.next_request(now_us)
        return (request,) if request else ()

    @property
    def expiry_raw(self) -> int:
        """The raw value for the register of the output expiry."""
        scale: float = self.profile.registers["output_expiry"].scale
        expiry_ms: int = self.profile.settings["expiry_ms"]
        return round(expiry_ms / scale)

    def write(self, levels: Sequence[int]) -> rtu.Request:
        """The Request that writes all coils for these kernel outputs.

        All coils are 0 while the expiry is not confirmed.
        """
        own_levels = tuple([levels[index] for index in self._picks]) if self.expiry_ok else ()
        if own_levels != self._levels:
            self._levels, self._write = own_levels, self._coils_request(own_levels)
        return self._write

    def _coils_request(self, levels: tuple[int, ...]) -> rtu.Request:
        """The Request for these levels of the outputs. (): all coils are 0."""
        coils = 0
        for level, (_, _, mask, inverted) in zip(levels, self._outputs):
            if (not level) is inverted:
                coils |= mask
        if coils not in self._requests:
            self._requests[coils] = rtu.write_request(
                rtu.WRITE_COILS,
                (self.unit_id, "coils"),
                self.unit_id,
                self.profile.registers["coils"].address,
                [coils >> bit & 1 for bit in range(CHANNELS)],
                on_reply=self._on_coils_written,
                on_failure=self._on_failure,
            )
        return self._requests[coils]

    def _set_expiry(self) -> steps.Procedure:
        """Steps that read the expiry. If it differs, they write it and read it back."""
        register, wanted_raw = self.profile.registers["output_expiry"], self.expiry_raw
        wanted = wanted_raw.to_bytes(2, "big")
        read = ("read", register.function, register.address, 1)
        if (yield read) == wanted:
            return
        self.expiry_ok = False
        yield "write", register.address, (wanted_raw,)
        data = yield read
        if data != wanted:
            self.refused += 1
            actual_raw = int.from_bytes(data or b"", "big")
            raise StepError(f"output expiry reads {actual_raw}, written {wanted_raw}")

    def _on_expiry_end(self, error: str, now_us: int) -> None:
        """Check again after check_period_ms, or soon if the check has failed."""
        self.fault = f"I/O module {self.unit_id}: {error}" if error else ""
        pause_us = RETRY_US
        if not error:
            self.expiry_ok = True
            pause_us = self.profile.settings["check_period_ms"] * 1000
        self._steps.begin(self._set_expiry(), now_us + pause_us)

    def _on_inputs(self, pdu: bytes, now_us: int) -> None:
        """Store the inputs. The first read starts the writes to the device."""
        if pdu != self._pdu:
            if self._pdu is None:
                self._steps.begin(self._set_expiry())
            self._pdu = pdu
            bits, inp = pdu[2], self._inp
            for index, bit in self._inputs:
                inp[index] = bits >> bit & 1
        self._fresh[self._group] = 1

    def _on_coils_written(self, pdu: bytes, now_us: int) -> None:
        self.writes += 1

    def _on_failure(self, kind: int, code: int, now_us: int) -> None:
        """Check the expiry soon after a failed exchange, because the module may have restarted."""
        if self.expiry_ok and self._steps.due_us > now_us + RETRY_US:
            self._steps.begin(self._set_expiry(), now_us + RETRY_US)
