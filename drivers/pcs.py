"""Driver of power converters with SunSpec DER models over Modbus RTU.

The start-up is one generator, `_start_up`. It finds models and scale factors and waits for a
complete reading. Then it writes reversion, mode and set-point 0, and reads them back. It starts
again after a long silence, or from `_configure` after a loss of settings. Only `start` starts the
converter itself.

A set-point is sent in each tick and must find the bus free. So `service` spreads all other requests
of a running converter evenly over the ticks (drivers/buses/README.md). Row 56 of the
cause-and-effect matrix compares the power with the set-point that was sent.
"""

import math
from collections.abc import Sequence

from drivers import pcs_settings, steps, sunspec
from drivers.buses import rtu
from drivers.buses.crc import seal
from drivers.pcs_readings import Readings
from drivers.pcs_settings import WSET, WSET_RVRT_REM
from drivers.profile import Profile, Wanted, Words
from drivers.serial_number import SerialNumber
from drivers.sink import Sink
from drivers.steps import LONG_AGO_US, NOW_US, StepError, Steps

DISCOVER, SCALES, FIRST_READ, SET_MODES, READ_BACK, READY = range(6)
STOP, START = 0, 1  # 715 OpCtl
NOT_IMPLEMENTED_U32 = 0xFFFFFFFF
SECOND_US = 1_000_000
SETPOINT_RAW_MAX = 0x7FFFFFFF
# bytes of a write frame before its value: unit, function, address, registers, bytes
SETPOINT_AT = 7
WRITTEN = ("704.WSetEna", "704.WSetEnaRvrt", "715.ControllerHb", "715.OpCtl")
NOMINAL_MODEL = (40002, 1000)  # (address, length), for the bus schedule of the site check


class SunSpecPcs:
    """One converter. state: DISCOVER to READY. fault: why the last start-up failed, or "".

    restarts: how often it was lost. setpoint_address: register of WSet on this device, or None.
    stop_taken_us: when a stop after the last `withdraw` was acknowledged. stop_repeat_us: see
    RegisterPcs; 0, because the state shows a stop.
    """

    def __init__(
        self, profile: Profile, unit_id: int, sink: Sink, places: tuple[int, int, int], tick_us: int
    ):
        """places: the first signal of the unit, its measure group and its control group.

        tick_us: time between two calls of `service`.
        """
        self.profile, self.unit_id, self.restarts = profile, unit_id, 0
        self.state, self.fault = DISCOVER, ""
        self.setpoint_address: int | None = None
        self.readings = Readings(profile, unit_id, sink, places, self._supervise)
        self._reversion_s: int = profile.settings["reversion_s"]
        self._silence_us = profile.settings["restart_silence_ms"] * 1000
        # reads and heartbeats that must go out per tick to keep their periods, rounded up
        periods_us = [SECOND_US, *[period_us for _, period_us in self.schedule()]]
        self._count_max = math.ceil(math.fsum([tick_us / period_us for period_us in periods_us]))
        self._setpoint_point = profile.registers["704.WSet"]
        self._steps = Steps(unit_id, self._on_steps_end)
        self.places = sunspec.Places(profile)  # used only for the serial number
        self.serial = SerialNumber(profile, unit_id, self.places)
        # kept during a new discovery, because a stop must be possible at any time
        self._stop_request: rtu.Request | None = None
        self.written_at: dict[str, int] = {}  # {write other than the set-point: first register}
        self._begin_discovery()

    def _begin_discovery(self, due_us: int = NOW_US) -> None:
        self.state, self.setpoint_address = DISCOVER, None
        self._models: sunspec.Chain = []
        self._start_request: rtu.Request | None = None
        self._setpoint_zero: rtu.Request | None = None
        self._acknowledged_us = self._rearmed_us = LONG_AGO_US
        self._heartbeat, self._heartbeat_due_us = 0, NOW_US
        self.places.forget()
        self._extra: rtu.Requests = []
        self.readings.forget()
        self.withdraw()
        self._steps.begin(self._start_up(), due_us)

    # -- for the loop

    @property
    def refused(self) -> int:
        """Number of refused readings: not implemented, out of range, without a scale factor."""
        return self.readings.refused

    @property
    def unnamed(self) -> int | None:
        """A raw state that the profile does not name, or None."""
        return self.readings.unnamed

    @property
    def ready(self) -> bool:
        """True if set-points can be written."""
        return self.state == READY

    @property
    def setpoint_exponent(self) -> int | None:
        """Exponent of WSet = raw x 10^exponent; None while not confirmed."""
        return self.readings.setpoint_exponent

    def periodic(self) -> rtu.Periodic:
        """[]: before discovery the addresses are unknown, so `service` returns the reads."""
        return []

    def schedule(self) -> rtu.Periodic:
        """[(Request, period in us)] in steady state, at nominal addresses, for the site check."""
        models = [sunspec.Found(model, *NOMINAL_MODEL) for model in self.readings.models_needed()]
        return [(read.request, read.period_us) for read in self.readings.steady_reads(models)]

    def service(self, now_us: int) -> Sequence[rtu.Request]:
        """Requests to submit now, or (): start-up steps, the heartbeat, due reads."""
        readings = self.readings
        due_us = min(self._steps.due_us, readings.wake_us, self._heartbeat_due_us)
        if now_us < due_us and not self._extra:
            return ()
        if self.state == DISCOVER:
            readings.alive_us = now_us  # silence counts from the end of the discovery
        elif now_us - readings.alive_us > self._silence_us:
            self.restart()
        requests, self._extra = self._extra, []
        request = self._steps.next_request(now_us)
        if request:
            requests.append(request)
        if self.state != READY:
            self._heartbeat_due_us = now_us
        elif self._heartbeat_due_us <= now_us:
            self._heartbeat_due_us = max(self._heartbeat_due_us + SECOND_US, now_us)
            requests.append(self.heartbeat())
        readings.append_due(now_us, requests, max(0, self._count_max - len(requests)))
        return requests

    def restart(self) -> None:
        """Begin again with discovery."""
        self.restarts += 1
        self._begin_discovery()

    def setpoint(self, setpoint_W: int, priority: int = rtu.WRITE) -> rtu.Request | None:
        """Request that writes the set-point (W, positive discharges); None until ready."""
        exponent, zero = self.readings.setpoint_exponent, self._setpoint_zero
        if self.state != READY or exponent is None or zero is None:
            return None
        point = self._setpoint_point
        within_W = max(int(point.low), min(int(point.high), setpoint_W))
        raw = sunspec.scaled(within_W, -exponent)
        raw = max(-SETPOINT_RAW_MAX, min(SETPOINT_RAW_MAX, raw))
        frame = seal(zero.frame[:SETPOINT_AT] + raw.to_bytes(4, "big", signed=True))
        place, form = (zero.key, zero.unit_id, zero.function), (frame, zero.reply_bytes, zero.head)
        return rtu.Request(*place, *form, priority, self._on_setpoint_written)

    def write_due(self, now_us: int) -> bool:
        """True if the last acknowledged set-point is older than half the reversion time."""
        return now_us - self._acknowledged_us >= self._reversion_s * SECOND_US // 2

    def withdraw(self) -> None:
        """Note that the permit is gone: an earlier acknowledgement of a stop no longer counts."""
        self.stop_taken_us: int | None = None

    def stop(self) -> rtu.Request | None:
        """Request with priority STOP that stops the converter; None until it is discovered."""
        return self._stop_request

    stop_repeat_us = 0

    def start(self) -> rtu.Request | None:
        """Request that starts the converter; None until ready."""
        return self._start_request if self.state == READY else None

    def heartbeat(self) -> rtu.Request:
        """Request that writes the next controller heartbeat. It is due once a second."""
        self._heartbeat = (self._heartbeat + 1) % NOT_IMPLEMENTED_U32
        place, registers = self._address("715.ControllerHb"), pcs_settings.words(self._heartbeat)
        return self._write("heartbeat", place, registers)

    # -- start-up

    def _start_up(self) -> steps.Procedure:
        self._models = yield from sunspec.walk(self.profile.settings["base_addresses"])
        self.places.take(self._models)
        yield from self.serial.steps()
        self._discovered()
        self.state = SCALES
        while not self.readings.scales_known:
            yield None
        self.state = FIRST_READ
        while not (self.readings.measured and self.readings.controlled):
            yield None
        yield from self._configure()

    def _discovered(self) -> None:
        self.readings.discovered(self._models)
        operation = sunspec.Block(self.profile, 715, ("OpCtl",)).address(self._models)
        self._stop_request = self._write("operation", operation, (STOP,), rtu.STOP)
        self._stop_request.on_reply = self._on_stopped
        self._start_request = self._write("operation", operation, (START,))
        self.written_at.update({name: self._address(name) for name in WRITTEN})
        self.setpoint_address = self._address("704.WSet")
        self._setpoint_zero = self._write("setpoint", self.setpoint_address, (0, 0))

    def _configure(self) -> steps.Procedure:
        """Write reversion (which ends an old set-point), mode and set-point 0, and read back.

        A setting that the device has already is not written, because the device may store it.
        """
        self.state = SET_MODES
        if (yield from self._wrong_setting()):
            answer = yield "write", *self._reversion()
            if answer is not None:  # WSetEna, WSetMod, then 0 W in WSet and WSetRvrt
                answer = yield "write", self._address("704.WSetEna"), pcs_settings.zero_setpoint()
            if answer is None:
                raise StepError("SunSpec model 704 refuses the settings of the set-point")
            self.state = READ_BACK
            wrong = yield from self._wrong_setting()
            if wrong:
                raise StepError(f"SunSpec model 704: {wrong}")
        self._heartbeat = self.readings.controller_heartbeat
        self.state, self.fault = READY, ""

    def _wrong_setting(self) -> steps.Sequence[str]:
        """Steps that return the first setting that differs from the wanted one, or ""."""
        block = self.readings.control
        data = yield "read", sunspec.READ_HOLDING, block.address(self._models), block.count
        values = block.unpack(b"\0\0" + data) if data else None
        if values is None:
            raise StepError("SunSpec model 704 cannot be read back")
        wrong = pcs_settings.first_wrong(values, self._reversion_s)
        return wrong or (f"WSet reads {values[WSET]}, written 0" if values[WSET] else "")

    def _on_steps_end(self, error: str, now_us: int) -> None:
        """Begin again after a failure: with the settings, or with the discovery."""
        if not error:
            return
        self.fault = f"converter {self.unit_id}: {error}"
        retry_us = now_us + self.profile.settings["retry_ms"] * 1000
        if self.state in (SET_MODES, READ_BACK):
            self._steps.begin(self._configure(), retry_us)
        else:
            self._begin_discovery(retry_us)

    def _reversion(self) -> tuple[int, Words]:
        """(address, values) of the reversion settings, which end an old set-point."""
        return self._address("704.WSetEnaRvrt"), pcs_settings.reversion(self._reversion_s)

    # -- writes and their results

    def _address(self, name: str) -> int:
        """Register of a point on this device."""
        model = Wanted((int(name[:3]),), 1, 0)
        return sunspec.located(model, self._models) + self.profile.registers[name].address

    def _write(
        self, name: str, address: int, values: Words, priority: int = rtu.WRITE
    ) -> rtu.Request:
        key, on_reply = (self.unit_id, f"write {name}"), self._on_written
        return rtu.write_request(
            rtu.WRITE_REGISTERS, key, self.unit_id, address, values, on_reply, priority=priority
        )

    def _on_written(self, pdu: bytes, now_us: int) -> None:
        self.readings.alive_us = now_us

    def _on_stopped(self, pdu: bytes, now_us: int) -> None:
        self._on_written(pdu, now_us)
        if self.stop_taken_us is None:
            self.stop_taken_us = now_us

    def _on_setpoint_written(self, pdu: bytes, now_us: int) -> None:
        self._on_written(pdu, now_us)
        self._acknowledged_us = now_us

    def _supervise(self, values: tuple[int, ...], now_us: int) -> None:
        """Compare a reading of model 704 with the written settings, and check the time left."""
        if self.state != READY:
            return
        wrong = pcs_settings.first_wrong(values, self._reversion_s)
        if wrong:
            self.state = SET_MODES
            self.fault = f"converter {self.unit_id}: SunSpec model 704: {wrong}"
            self._acknowledged_us = LONG_AGO_US
            self._steps.begin(self._configure())
        else:
            self._rearm(values[WSET_RVRT_REM], now_us)

    def _rearm(self, left_s: int, now_us: int) -> None:
        """Write the reversion time again if the device counts down in spite of set-points."""
        half_us = self._reversion_s * SECOND_US // 2
        is_late = left_s == NOT_IMPLEMENTED_U32 or left_s * 2 <= self._reversion_s
        is_rearmed = now_us - self._rearmed_us < half_us // 2
        if is_late and not is_rearmed and now_us - self._acknowledged_us < half_us:
            self._rearmed_us = now_us
            self._extra.append(self._write("reversion", *self._reversion()))
