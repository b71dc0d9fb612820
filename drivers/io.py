"""Remote I/O family: eight contacts in, eight coils out, and a time after which the module drops
its coils by itself.

That time (output expiry) is what makes a permit lapse when the controller dies, so until it is
written *and* read back every coil write carries 0 in all coils: permits off, and what is wired
inverted (fan, red lamp) on. It is read again at times, because a module that restarted has its
factory setting.
"""

from operator import itemgetter

from drivers.buses import rtu
from drivers.steps import StepError, Steps
from safety import signals

CHANNELS = 8
RETRY_US = 200_000  # between attempts to set the expiry: five per second leave the bus to the reads
OUTPUT_INDEXES = {name: index for index, (name, _) in enumerate(signals.CABINET_OUTPUTS)}


class IoModule:
    """One module. Inputs go to the sink bit by bit (1 = contact closed); outputs are named as in
    CABINET_OUTPUTS.

    `expiry_ok`: the module has confirmed its output expiry; only then can a coil be switched on.
    `fault`: why not. Counters: `refused` (expiry not taken), `writes`
    (acknowledged coil writes).
    """

    def __init__(
        self, profile, unit_id: int, sink, input_indexes: tuple, group: int, outputs: tuple
    ):
        """input_indexes: 8 indexes into sink.inp, -1 = spare. outputs: 8 names, "" = spare, "!x" =
        coil carries not x.

        ValueError when an output is unknown or the counts are wrong.
        """
        if len(input_indexes) != CHANNELS or len(outputs) != CHANNELS:
            raise ValueError(
                f"I/O module {unit_id}: {len(input_indexes)} inputs, {len(outputs)} "
                f"outputs; "
                f"allowed {CHANNELS} of each"
            )
        self.profile = profile
        self.unit_id = unit_id
        self.refused = self.writes = 0
        self.expiry_ok, self.fault = False, ""
        self._inp, self._fresh, self._group = sink.inp, sink.fresh, group
        self._inputs = tuple((index, bit) for bit, index in enumerate(input_indexes) if index >= 0)
        self._outputs = tuple(self._output(bit, name) for bit, name in enumerate(outputs) if name)
        self._pdu = None
        self._pick = _picker([index for _, index, _, _ in self._outputs])
        self._pick_named = _picker([name for name, _, _, _ in self._outputs])
        self._picked = self._write = None  # the levels of the last write, and its Request
        self._requests = {}  # coil byte -> Request
        self._steps = Steps(unit_id, self._on_expiry_end)

    def _output(self, bit, name):
        plain = name.removeprefix("!")
        if plain not in OUTPUT_INDEXES:
            raise ValueError(
                f"I/O module {self.unit_id}: output {bit} is {name!r}; "
                f"allowed {', '.join(OUTPUT_INDEXES)}, each also with ! before it, "
                f"or empty"
            )
        return plain, OUTPUT_INDEXES[plain], 1 << bit, name != plain

    def periodic(self) -> list:
        """[(Request, period in us)]: the read of the inputs."""
        register = self.profile.registers["inputs"]
        request = rtu.read_request(
            (self.unit_id, "inputs"),
            self.unit_id,
            register.function,
            register.address,
            CHANNELS,
            self._on_inputs,
            self._on_failure,
        )
        return [(request, self.profile.period_ms * 1000)]

    schedule = periodic

    def service(self, now_us: int) -> tuple:
        """Requests to submit now: the next step of setting, reading back or re-reading the output
        expiry.
        """
        if now_us < self._steps.due_us:
            return ()
        request = self._steps.next_request(now_us)
        return (request,) if request else ()

    def write(self, levels):
        """The Request (function 15) that sets all coils. levels: {output name: 0 or 1}, or the
        kernel's output array.

        While the expiry is not confirmed the request sets all coils to 0.
        """
        pick = self._pick_named if isinstance(levels, dict) else self._pick
        picked = pick(levels) if self.expiry_ok else ()
        if picked != self._picked:
            self._picked, self._write = picked, self._coils_request(picked)
        return self._write

    def _coils_request(self, picked):
        """The one Request for these levels of the outputs; none picked: all coils 0."""
        coils = 0
        for level, (_, _, mask, inverted) in zip(picked, self._outputs):
            if (not level) is inverted:
                coils |= mask
        return self._requests.get(coils) or self._new_request(coils)

    def _new_request(self, coils):
        register = self.profile.registers["coils"]
        levels = [coils >> bit & 1 for bit in range(CHANNELS)]
        request = rtu.write_coils_request(
            (self.unit_id, "coils"),
            self.unit_id,
            register.address,
            levels,
            self._on_coils_written,
            self._on_failure,
        )
        self._requests[coils] = request
        return request

    def _set_expiry(self):
        """Generator of steps: read the expiry, write it if it is not ours, read it back."""
        register = self.profile.registers["output_expiry"]
        wanted = round(self.profile.settings["expiry_ms"] / register.scale)
        read = ("read", register.function, register.address, 1)
        data = yield read
        if data is None or int.from_bytes(data, "big") != wanted:
            self.expiry_ok = False
            yield "write", register.address, (wanted,)
            data = yield read
        if data is None or int.from_bytes(data, "big") != wanted:
            self.refused += 1
            raise StepError(
                f"output expiry reads {int.from_bytes(data or b'', 'big')}, written {wanted}"
            )

    def _on_expiry_end(self, error, now_us):
        """Confirmed: look again after check_period. A failed look proves nothing, so it is only
        repeated.
        """
        self.fault = f"I/O module {self.unit_id}: {error}" if error else ""
        pause_us = RETRY_US
        if not error:
            self.expiry_ok = True
            pause_us = self.profile.settings["check_period_ms"] * 1000
        self._steps.begin(self._set_expiry(), now_us + pause_us)

    def _on_inputs(self, pdu, now_us):
        """The first complete read permits the first write to the device."""
        if pdu != self._pdu:
            if self._pdu is None:
                self._steps.begin(self._set_expiry())
            self._pdu = pdu
            bits, inp = pdu[2], self._inp
            for index, bit in self._inputs:
                inp[index] = bits >> bit & 1
        self._fresh[self._group] = 1

    def _on_coils_written(self, pdu, now_us):
        self.writes += 1

    def _on_failure(self, kind, code, now_us):
        """Of a read or a coil write: look at the expiry soon, because the module may have
        restarted.
        """
        if self.expiry_ok and self._steps.due_us > now_us + RETRY_US:
            self._steps.begin(self._set_expiry(), now_us + RETRY_US)


def _picker(keys):
    """pick(levels) -> tuple of the levels at `keys`."""
    return (
        itemgetter(*keys) if len(keys) > 1 else lambda levels: tuple([levels[key] for key in keys])
    )
