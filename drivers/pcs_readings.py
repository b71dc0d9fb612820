"""Reads a SunSpec converter. The measurements of its AC and DC side become fresh together.

They become fresh only while the heartbeat of the converter changes, because a stopped program
repeats its last numbers. After a change of a scale factor, values are dropped until two readings of
the factor agree.
"""

from collections.abc import Callable
from functools import partial

from drivers import sunspec
from drivers.buses import rtu
from drivers.pcs_settings import SETTINGS, WSET
from drivers.profile import Profile, Register, wrong
from drivers.sink import Sink
from drivers.steps import LONG_AGO_US, LOST_US, NEVER_US, NOW_US
from drivers.sunspec import Block, Chain, Scales, scaled
from safety import signals

REMOTE = 0  # value of 715 LocRemCtl
AC_NAMES = ("InvSt", "Alrm", "DERMode", "W")
SETPOINT_EXPONENTS = -3, 3  # mW to kW, which the gate decodes; 2 MW fit into 32 bits
DC_MODELS = ((802, ("V", "A"), ("V_SF", "A_SF")), (714, ("DCA", "DCV"), ("DCA_SF", "DCV_SF")))


class _Read:
    """One periodic read."""

    request: rtu.Request

    def __init__(self, period_us: int):
        self.period_us = period_us
        self.due_us, self.sent_us = NOW_US, LONG_AGO_US


# take(pdu, now_us, read) uses a reply. It returns False if it refuses the reply.
Take = Callable[[bytes, int, _Read], bool]


class Readings:
    """Reads one converter. wake_us: when `append_due` must run. alive_us: time of the last reply.

    measured_us: time of the last complete measurement. measured, controlled: True once the group
    was complete. local: True if the converter is in local control and ignores set-points.
    """

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        places: tuple[int, int, int],
        on_control: Callable[[tuple[int, ...], int], object],
    ):
        """places: see SunSpecPcs. on_control: called after each good reading of model 704.

        Its arguments are the values of the block and now_us.
        """
        self.refused, self.alive_us, self.local = 0, LONG_AGO_US, False
        self._profile, self._unit_id = profile, unit_id
        self._inp, self._fresh = sink.inp, sink.fresh
        self._base, self._measure_group, self._control_group = places
        self._on_control, self._measure_us = on_control, profile.period_ms * 1000
        self._control_us = profile.settings["control_period_ms"] * 1000
        self._heartbeat_us_max: int = profile.settings["heartbeat_ms_max"] * 1000
        self._build_blocks(profile)
        self.forget()

    def _build_blocks(self, profile: Profile) -> None:
        """Make the blocks of the profile. The DC side may be in model 802 or 714."""
        remote = ("LocRemCtl", "DERHb", "ControllerHb")
        names = tuple([name for name in AC_NAMES if f"701.{name}" in profile.registers])
        self._ac = Block(profile, 701, names, optional=("InvSt", "DERMode"))
        self.control = Block(profile, 704, SETTINGS, optional=("WSetRvrtRem",))
        self._remote = Block(profile, 715, remote, optional=("ControllerHb",))
        self._ac_scales = Scales(Block(profile, 701, ("W_SF",)))
        setpoint_scale = Block(profile, 704, ("WSet_SF",))
        self._control_scales = Scales(setpoint_scale, *SETPOINT_EXPONENTS)
        self._dc_choices: list[tuple[Block, Scales]] = []
        for model, names, factors in DC_MODELS:
            if f"{model}.{names[0]}" in profile.registers:
                port = profile.settings["dc_port"] if model == 714 else 0
                block = Block(profile, model, names, port * sunspec.DC_PORT_REGISTERS)
                scales = Scales(Block(profile, model, factors))
                self._dc_choices.append((block, scales))
        if not self._dc_choices:
            raise wrong(profile.path, "registers.802: missing; allowed model 802 or 714")
        self._dc, self._dc_scales = self._dc_choices[0]

    def forget(self) -> None:
        """Drop all addresses, scale factors and values, because the device may be another one."""
        self._reads: list[_Read] = []
        self.wake_us = NEVER_US
        dc_scales = [scales for _, scales in self._dc_choices]
        for scales in (self._ac_scales, self._control_scales, *dc_scales):
            scales.forget()
        self._ac_pdu, self._dc_pdu = b"", b""  # the last replies
        self._ac_values = (0, 0, 0, 0)  # state, alarm bits, 1 if it forms a grid, power in W
        self._dc_values = [0, 0]  # voltage in mV, current in mA
        self._ac_us = self._dc_us = self._setpoint_us = self._remote_us = LONG_AGO_US
        self._setpoint_W = 0
        self._heartbeat: int | None = None
        self._heartbeat_us, self.controller_heartbeat = LONG_AGO_US, 0
        self.measured = self.controlled = False
        self.measured_us = LONG_AGO_US
        self.is_running = False  # stays False: in model 701 no state is both a fault and running
        self.unnamed: int | None = None  # a state that model 701 does not name

    def discovered(self, models: Chain) -> None:
        """Begin to read a device with these models. StepError: a model is missing or short."""
        ids = [model.model for model in models]
        fitting = [choice for choice in self._dc_choices if choice[0].model in ids]
        self._dc, self._dc_scales = (fitting or self._dc_choices)[0]
        self._reads, self.wake_us = self.steady_reads(models), NOW_US

    def _scales(self) -> tuple[Scales, ...]:
        return self._ac_scales, self._dc_scales, self._control_scales

    def steady_reads(self, models: Chain) -> list[_Read]:
        """All periodic reads of a device with these models."""
        scale_us = self._profile.settings["scale_period_ms"] * 1000
        rows: list[tuple[str, Block, Take, int]] = [
            ("ac", self._ac, self._on_ac, self._measure_us),
            ("dc", self._dc, self._on_dc, self._measure_us),
            ("setpoint", self.control, self._on_readback, self._control_us),
            ("remote", self._remote, self._on_remote, self._control_us),
        ]
        for scales in self._scales():
            name, take = f"scales {scales.block.model}", partial(self._on_scales, scales)
            rows.append((name, scales.block, take, scale_us))
        return [self._read(*row, models) for row in rows]

    def _read(self, name: str, block: Block, take: Take, period_us: int, models: Chain) -> _Read:
        read = _Read(period_us)
        read.request = rtu.read_request(
            (self._unit_id, name),
            self._unit_id,
            sunspec.READ_HOLDING,
            block.address(models),
            block.count,
            on_reply=partial(self._on_reply, read, take),
            on_failure=partial(self._on_failure, read),
        )
        return read

    def models_needed(self) -> list[int]:
        """Ids of the models that are read."""
        return [block.model for block in (self._ac, self.control, self._remote, self._dc)]

    def append_due(self, now_us: int, requests: rtu.Requests, count_max: int) -> None:
        """Append at most `count_max` due requests, the most urgent first. Set `wake_us`."""
        due = [read for read in self._reads if read.due_us <= now_us]
        due.sort(key=lambda read: read.due_us + read.period_us)
        for read in due[:count_max]:
            requests.append(read.request)
            read.sent_us, read.due_us = now_us, now_us + LOST_US
        self.wake_us = min([read.due_us for read in self._reads], default=NEVER_US)

    def _ended(self, read: _Read, now_us: int) -> None:
        """Set the next due time of a read that was answered or has failed."""
        read.due_us = max(now_us, read.sent_us + read.period_us)
        self.wake_us = min(self.wake_us, read.due_us)

    @property
    def scales_known(self) -> bool:
        """True if all scale factors are confirmed."""
        return None not in [scales.exponents for scales in self._scales()]

    @property
    def setpoint_exponent(self) -> int | None:
        """Exponent of WSet = raw x 10^exponent; None while not confirmed."""
        exponents = self._control_scales.exponents
        return exponents[0] if exponents else None

    # -- replies

    def _on_reply(self, read: _Read, take: Take, pdu: bytes, now_us: int) -> None:
        self.alive_us = now_us
        self._ended(read, now_us)
        if not take(pdu, now_us, read):
            self.refused += 1

    def _on_failure(self, read: _Read, kind: int, code: int, now_us: int) -> None:
        if kind == rtu.EXCEPTION:
            self.alive_us = now_us
        self._ended(read, now_us)

    def _on_scales(self, scales: Scales, pdu: bytes, now_us: int, read: _Read) -> bool:
        """Take scale factors. After a change, drop the values until a second reading agrees."""
        if scales.take(pdu, now_us):
            self._ac_pdu = self._dc_pdu = b""
            self._ac_us = self._dc_us = self._setpoint_us = LONG_AGO_US
        if scales.candidate is None:
            return False
        if scales.exponents is None:
            read.due_us = self.wake_us = now_us
        return True

    def _on_ac(self, pdu: bytes, now_us: int, read: _Read) -> bool:
        exponents = self._ac_scales.young(now_us)
        if exponents is None:
            return True
        if pdu != self._ac_pdu:
            values = self._ac.unpack(pdu)
            if values is None:
                return False
            state, alarms, *mode, raw = values
            power_W = scaled(raw, exponents[0])
            if not _within(power_W, self._ac.points[-1]):
                return False
            self.unnamed = state if state > signals.PCS_STANDBY else None
            state = min(state, signals.PCS_UNNAMED)
            self._ac_pdu = pdu
            self._ac_values = state, sunspec.thirty_bits(alarms), sunspec.forms_grid(*mode), power_W
        self._ac_us = now_us
        self._publish_measure(now_us)
        return True

    def _on_dc(self, pdu: bytes, now_us: int, read: _Read) -> bool:
        exponents = self._dc_scales.young(now_us)
        if exponents is None:
            return True
        if pdu != self._dc_pdu:
            values = self._dc.unpack(pdu)
            if values is None:
                return False
            milli = [scaled(raw, exp, 1000) for raw, exp in zip(values, exponents)]
            if not all(
                _within(reading, point, 1000) for reading, point in zip(milli, self._dc.points)
            ):
                return False
            self._dc_pdu = pdu
            self._dc_values = milli if self._dc.model == 802 else milli[::-1]
        self._dc_us = now_us
        self._publish_measure(now_us)
        return True

    def _publish_measure(self, now_us: int) -> None:
        """Store AC and DC side if both are new and recent, and the heartbeat changes."""
        oldest_us = now_us - 2 * self._measure_us
        if min(self._ac_us, self._dc_us) < oldest_us or not self._heartbeat_ok(now_us):
            return
        inp, base = self._inp, self._base
        state, alarms, forms, power_W = self._ac_values
        inp[base + signals.PCS_POWER_W] = power_W
        inp[base + signals.PCS_DC_VOLTAGE_MV] = self._dc_values[0]
        inp[base + signals.PCS_DC_CURRENT_MA] = self._dc_values[1]
        inp[base + signals.PCS_STATE] = state
        inp[base + signals.PCS_ALARM_BITS] = alarms
        inp[base + signals.PCS_FORMING] = forms
        self._fresh[self._measure_group] = 1
        self._ac_us = self._dc_us = LONG_AGO_US
        self.measured, self.measured_us = True, now_us

    def _on_remote(self, pdu: bytes, now_us: int, read: _Read) -> bool:
        """Take both heartbeats, and whether control is local or remote."""
        values = self._remote.unpack(pdu)
        if values is None:
            return False
        local, heartbeat, self.controller_heartbeat = values
        self.local = local != REMOTE
        if self._heartbeat is not None and heartbeat != self._heartbeat:
            self._heartbeat_us = now_us
        self._heartbeat, self._remote_us = heartbeat, now_us
        self._publish_control(now_us)
        return True

    def _heartbeat_ok(self, now_us: int) -> bool:
        return now_us - self._heartbeat_us <= self._heartbeat_us_max

    def _on_readback(self, pdu: bytes, now_us: int, read: _Read) -> bool:
        values, exponents = self.control.unpack(pdu), self._control_scales.young(now_us)
        if exponents is None:
            return True
        if values is None:
            return False
        setpoint_W = scaled(values[WSET], exponents[0])
        if not _within(setpoint_W, self.control.points[WSET]):
            return False
        self._setpoint_W, self._setpoint_us = setpoint_W, now_us
        self._on_control(values, now_us)
        self._publish_control(now_us)
        return True

    def _publish_control(self, now_us: int) -> None:
        oldest_us = now_us - 2 * self._control_us
        is_late = min(self._setpoint_us, self._remote_us) < oldest_us
        heartbeat = self._heartbeat
        if is_late or self.local or heartbeat is None or not self._heartbeat_ok(now_us):
            return
        self._inp[self._base + signals.PCS_SETPOINT_W] = self._setpoint_W
        self._inp[self._base + signals.PCS_HEARTBEAT] = heartbeat & signals.INT_MAX
        self._fresh[self._control_group] = 1
        self._setpoint_us = self._remote_us = LONG_AGO_US
        self.controlled = True


def _within(value: int, point: Register, per_unit: int = 1) -> bool:
    most = signals.INT_MAX  # a word of the image holds no more
    return max(point.low * per_unit, -most) <= value <= min(point.high * per_unit, most)
