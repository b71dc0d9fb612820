"""Power converter family: SunSpec DER models over Modbus RTU.

Start-up is one generator, `_start_up`, read from top to bottom. It finds the models and waits for
scale factors and for the first complete reading. Only then it writes (reversion, mode, set-point 0)
and reads back. It begins again when the device was silent for long; its second half when the device
has lost its settings. The converter itself is started by `start` only, never by this sequence.

The set-point is read back from the device; row 56 judges what the converter makes of it.

A set-point goes out in each tick and has to find the bus free: `service` spreads all other requests
of a running converter evenly over the ticks (drivers/buses/README.md).
"""

import math

from drivers import sunspec
from drivers.buses import rtu
from drivers.pcs_readings import Readings
from drivers.steps import NOW_US, StepError, Steps

DISCOVER, SCALES, FIRST_READ, SET_MODES, READ_BACK, READY = range(6)
STATES = ("discover", "read scale factors", "first complete read")
STATES += ("set modes", "read back", "ready")
STOP, START = 0, 1  # 715 OpCtl
ENABLED, WATTS = 1, 1  # 704 WSetEna, WSetMod
NOT_IMPLEMENTED_U32 = 0xFFFFFFFF
SECOND_US = 1_000_000
SETPOINT_RAW_MAX = 0x7FFFFFFF
# bytes of a write frame before its value: unit, function, address, registers, bytes
SETPOINT_AT = 7
LONG_AGO_US = -(1 << 62)
NOMINAL_MODEL = (40002, 1000)  # address and length good enough for a bus schedule


class SunSpecPcs:
    """One converter. Call `service` every tick and submit what it returns; everything else is asked
    when needed.

    `state`: index into STATES. `fault`: why the last start-up failed, one line, "" = it did not.
    `readings`: what came back (with its counters). `restarts`: how often the device was
    lost. `setpoint_address`: register of WSet on this device, None until discovered: the gate
    decodes frames with it.
    """

    def __init__(self, profile, unit_id, sink, base_index, measure_group, control_group, tick_us):
        """base_index: into sink.inp of the unit's first signal; groups: into sink.fresh; tick_us:
        between two calls of `service`.
        """
        self.profile = profile
        self.unit_id = unit_id
        self.state, self.fault = DISCOVER, ""
        self.restarts = 0
        self.setpoint_address = None
        self.readings = Readings(
            profile, unit_id, sink, base_index, measure_group, control_group, self._supervise
        )
        self._reversion_s = profile.settings["reversion_s"]
        self._silence_us = profile.settings["restart_silence_ms"] * 1000
        self._count_max = self._requests_per_tick(tick_us)
        self._setpoint_point = profile.registers["704.WSet"]
        self._steps = Steps(unit_id, self._on_steps_end)
        self._stop_request = None  # kept through a rediscovery: a stop must have somewhere to go
        self._forget()
        self._steps.begin(self._start_up())

    def _forget(self):
        self.state, self._models, self.setpoint_address = DISCOVER, None, None
        self._start_request = self._setpoint_zero = None
        self._acknowledged_us = self._rearmed_us = LONG_AGO_US
        self._heartbeat, self._heartbeat_due_us = 0, NOW_US
        self._extra = []
        self.readings.forget()

    # -- what the loop asks

    @property
    def refused(self) -> int:
        """Readings refused: not implemented, out of range, no scale factor."""
        return self.readings.refused

    @property
    def ready(self) -> bool:
        """True when set-points can be written."""
        return self.state == READY

    @property
    def setpoint_exponent(self):
        """WSet = raw x 10^this; None while not confirmed."""
        return self.readings.setpoint_exponent

    def periodic(self) -> list:
        """[]: the addresses are not known before discovery, so the reads come from `service`."""
        return []

    def schedule(self) -> list:
        """[(Request, period in us)] of the steady state for the site check, nominal addresses."""
        models = dict.fromkeys(self.readings.models_needed(), NOMINAL_MODEL)
        return [(read.request, read.period_us) for read in self.readings.steady_reads(models)]

    def _requests_per_tick(self, tick_us: int) -> int:
        """How many reads and heartbeats a tick keep pace with their periods, rounded up."""
        periods_us = [SECOND_US, *[period_us for _, period_us in self.schedule()]]
        return math.ceil(sum([tick_us / period_us for period_us in periods_us]))

    def service(self, now_us: int) -> list | tuple:
        """Requests to submit now, () for none: start-up steps, the heartbeat, reads due."""
        readings, steps = self.readings, self._steps
        if not self._extra and now_us < min(steps.due_us, readings.wake_us, self._heartbeat_due_us):
            return ()
        if self.state == DISCOVER:
            readings.alive_us = now_us  # silence counts from the end of the discovery
        elif now_us - readings.alive_us > self._silence_us:
            self.restart()
        requests, self._extra = self._extra, []
        request = steps.next_request(now_us)
        if request:
            requests.append(request)
        if self.state != READY:
            self._heartbeat_due_us = now_us
        elif self._heartbeat_due_us <= now_us:
            self._heartbeat_due_us = max(self._heartbeat_due_us + SECOND_US, now_us)
            requests.append(self.heartbeat())
        readings.due(now_us, requests, max(0, self._count_max - len(requests)))
        return requests

    def restart(self) -> None:
        """Begin with discovery again."""
        self.restarts += 1
        self._forget()
        self._steps.begin(self._start_up())

    def setpoint(self, setpoint_W: int, priority: int = rtu.WRITE):
        """Request that writes the active power set-point (W, positive discharges) in one frame;
        None until ready.

        Encoded toward zero and cut to the range of the profile.
        """
        exponent = self.readings.setpoint_exponent
        if self.state != READY or exponent is None:
            return None
        point = self._setpoint_point
        raw = sunspec.scaled(max(point.low, min(point.high, setpoint_W)), -exponent)
        raw = max(-SETPOINT_RAW_MAX, min(SETPOINT_RAW_MAX, raw))
        zero = self._setpoint_zero
        frame = rtu.seal(zero.frame[:SETPOINT_AT] + raw.to_bytes(4, "big", signed=True))
        kind = zero.key, zero.unit_id, zero.function
        ends = zero.reply_bytes, zero.head, priority, self._on_setpoint_written, None
        return rtu.Request(*kind, frame, *ends)

    def write_due(self, now_us: int) -> bool:
        """True half the reversion time after the last acknowledged set-point write."""
        return now_us - self._acknowledged_us >= self._reversion_s * SECOND_US // 2

    def stop(self):
        """Request with priority STOP that stops the converter; None until it is discovered."""
        return self._stop_request

    def start(self):
        """Request that starts the converter; None until ready."""
        return self._start_request if self.state == READY else None

    def heartbeat(self):
        """Request that writes the next controller heartbeat; sent each second once ready."""
        self._heartbeat = (self._heartbeat + 1) % NOT_IMPLEMENTED_U32
        return self._write("heartbeat", self._address("715.ControllerHb"), _words(self._heartbeat))

    # -- start-up

    def _start_up(self):
        self._models = yield from sunspec.walk(self.profile.settings["base_addresses"])
        self._discovered()
        self.state = SCALES
        while not self.readings.scales_known:
            yield None
        self.state = FIRST_READ
        while not (self.readings.measured and self.readings.controlled):
            yield None
        yield from self._configure()

    def _discovered(self):
        self.readings.discovered(self._models)
        operation = sunspec.Block(self.profile, 715, ("OpCtl",)).address(self._models)
        self._stop_request = self._write("operation", operation, (STOP,), rtu.STOP)
        self._start_request = self._write("operation", operation, (START,))
        self.setpoint_address = self._address("704.WSet")
        self._setpoint_zero = self._write("setpoint", self.setpoint_address, (0, 0))

    def _configure(self):
        """Write mode and reversion, read them back; no set-point without its end: that first."""
        self.state = SET_MODES
        answer = yield "write", *self._reversion()
        if answer is not None:  # WSetEna, WSetMod, then 0 W in WSet and WSetRvrt
            answer = yield "write", self._address("704.WSetEna"), (ENABLED, WATTS, 0, 0, 0, 0)
        if answer is None:
            raise StepError("SunSpec model 704 refuses the settings of the set-point")
        self.state = READ_BACK
        block = self.readings.control
        data = yield "read", sunspec.READ_HOLDING, block.address(self._models), block.count
        values = block.unpack(b"\0\0" + data) if data else None
        if values is None:
            raise StepError("SunSpec model 704 cannot be read back")
        wrong = self._settings_wrong(values) or values[2] and f"WSet reads {values[2]}, written 0"
        if wrong:
            raise StepError(f"SunSpec model 704: {wrong}")
        self._heartbeat = self.readings.controller_heartbeat
        self.state, self.fault = READY, ""

    def _settings_wrong(self, values):
        """About the first setting of the 704 block that is not as written, or ""."""
        wanted = (
            ("WSetEna", 0, ENABLED),
            ("WSetMod", 1, WATTS),
            ("WSetRvrt", 3, 0),
            ("WSetEnaRvrt", 4, ENABLED),
            ("WSetRvrtTms", 5, self._reversion_s),
        )
        for name, index, value in wanted:
            if values[index] != value:
                return f"{name} reads {values[index]}, written {value}"
        return ""

    def _on_steps_end(self, error, now_us):
        """After a failure: again from the settings if the device is known, else from discovery."""
        if not error:
            return
        self.fault = f"converter {self.unit_id}: {error}"
        retry_us = now_us + self.profile.settings["retry_ms"] * 1000
        if self.state in (SET_MODES, READ_BACK):
            self._steps.begin(self._configure(), retry_us)
        else:
            self._forget()
            self._steps.begin(self._start_up(), retry_us)

    def _reversion(self):
        """(address, values) of the settings that end a set-point by themselves."""
        return self._address("704.WSetEnaRvrt"), (ENABLED, *_words(self._reversion_s))

    # -- writes and what became of them

    def _address(self, name):
        """Register of a point on this device."""
        return self._models[int(name[:3])][0] + self.profile.registers[name].address

    def _write(self, name, address, values, priority=rtu.WRITE):
        return rtu.write_registers_request(
            (self.unit_id, "write " + name),
            self.unit_id,
            address,
            values,
            self._on_written,
            priority=priority,
        )

    def _on_written(self, pdu, now_us):
        self.readings.alive_us = now_us

    def _on_setpoint_written(self, pdu, now_us):
        self._on_written(pdu, now_us)
        self._acknowledged_us = now_us

    def _supervise(self, values, now_us):
        """Compare a reading of the 704 block with what was written: settings, time."""
        if self.state != READY:
            return
        wrong = self._settings_wrong(values)
        if wrong:
            self.state = SET_MODES
            self.fault = f"converter {self.unit_id}: SunSpec model 704: {wrong}"
            self._acknowledged_us = LONG_AGO_US
            self._steps.begin(self._configure())
        else:
            self._rearm(values[6], now_us)

    def _rearm(self, left_s, now_us):
        """Write the reversion time again on a device that counts on although set-points come."""
        half_us = self._reversion_s * SECOND_US // 2
        if left_s == NOT_IMPLEMENTED_U32:
            left_s = 0
        if (
            left_s * 2 <= self._reversion_s
            and now_us - self._acknowledged_us < half_us
            and now_us - self._rearmed_us >= half_us // 2
        ):
            self._rearmed_us = now_us
            self._extra.append(self._write("reversion", *self._reversion()))


def _words(value):
    """Two registers of a 32-bit integer, high word first."""
    return value >> 16 & 0xFFFF, value & 0xFFFF
