"""Reads a converter by registers, and compares settings with the values that were written.

Measurements become fresh together, and only while the heartbeat of the device changes, because a
stopped program repeats its last numbers. In local control the measurements are fresh, but not the
set-point.
"""

from collections.abc import Callable
from struct import Struct

from drivers import setpoint_form
from drivers.buses import rtu
from drivers.pcs_group import ReadingGroup
from drivers.plausible import CONVERTER, plausible
from drivers.profile import Profile, Register
from drivers.rack_sources import FAULT
from drivers.setpoint_writer import SetpointWriter
from drivers.sink import Sink
from drivers.steps import LONG_AGO_US
from safety import signals

Values = dict[str, int]  # by name
DIRECTION = "current_direction"  # for a current without a sign: 1 discharges, -1 charges
CONTROLLED = ("setpoint_W", "heartbeat", "local", "rated_W")
POWERS = ("power_W", "power_2_W", "power_3_W")  # one for each phase; their sum counts
DIFFERENCES = 2  # this many in a row count, as one reading may be older than a write
VOLTAGE_MV_MIN = 1000  # below it, the current cannot be computed from power and voltage


class PcsReadings:
    """The readings of one converter. heard_us: time of the last answer.

    measured_us: time of the last complete measurement. has_measured: there was a complete
    measurement. is_known: the identified device has answered once; this stays while it is lost.
    RegisterPcs sets `is_identified`, `is_ready`, `is_started` and `is_commanded`.
    """

    def __init__(
        self,
        profile: Profile,
        sink: Sink,
        places: tuple[int, int, int],
        settings: Values,
        writer: SetpointWriter,
        begin_again: Callable[[str], object],
    ):
        """places: the first signal of the unit, its measure group and its control group.

        settings: see RegisterPcs. begin_again(reason): called if a setting is lost.
        """
        self._profile, self._writer, self._begin_again = profile, writer, begin_again
        self._inp, self._fresh = sink.inp, sink.fresh
        self._base, self._measure_group, self._control_group = places
        self._fault_places, self._implausible = profile.fault_places, 0
        self._rated_W = settings["rated_W"]
        # registers that were written and are read back: words of frames, then values of steps
        frames = writer.frames if profile.settings["read_back"] else []
        self._frame_registers = [
            frame.plain_words(f"held {index} ") for index, frame in enumerate(frames)
        ]
        kept = [step for step in (*profile.setup, *profile.start) if step.read_back]
        self._kept_steps = {f"kept {index}": step for index, step in enumerate(kept)}
        self._make_groups(list(profile.registers.values()), settings)
        self.is_known = False
        self.forget()

    def _make_groups(self, registers: list[Register], settings: Values) -> None:
        names = [
            *CONTROLLED,
            *[register.scale_from for register in registers if register.name in CONTROLLED],
        ]
        control = [register for register in registers if register.name in names]
        control += [register for frame in self._frame_registers for register in frame]
        for name, step in self._kept_steps.items():
            own = {"name": name, "function": rtu.READ_HOLDING_REGISTERS}
            control.append(Register(**vars(step.register) | own))
        factors = [register.scale_from for register in registers if register.name not in CONTROLLED]
        measure = [e for e in registers if e.name in factors or e.name not in names]
        unit_id = self._writer.unit_id
        control_ms = self._profile.settings["control_period_ms"]
        of_measure = "measure", self._profile.period_ms, measure, self._measured
        of_control = "control", control_ms, control, self._controlled
        self._measure, self._control = self._groups = [
            ReadingGroup(self._writer.places, self._profile, settings, (unit_id, *row), self.heard)
            for row in (of_measure, of_control)
        ]

    def forget(self) -> None:
        """Drop all values, because the device may be another one."""
        self.is_identified = self.is_ready = self.has_measured = False
        self.is_started = self.is_commanded = False
        self.heard_us = self._heartbeat_us = self.measured_us = LONG_AGO_US
        self._heartbeat: int | None = None
        self._is_local, self._difference_count = False, 0
        for group in self._groups:
            group.forget()

    def identified(self) -> None:
        """Note that it is the correct device. Values that were read before do not count."""
        self.is_identified = True
        for group in self._groups:
            group.forget()

    @property
    def refused(self) -> int:
        """Number of refused readings: without value or meaning, out of range, beyond the rating."""
        return self._implausible + sum([group.refused for group in self._groups])

    @property
    def unnamed(self) -> int | None:
        """The raw state that the profile does not name, or None."""
        return self._measure.unnamed

    @property
    def is_complete(self) -> bool:
        """True if each read has returned values."""
        return self.has_measured and self._control.is_answered

    @property
    def is_running(self) -> bool:
        """True if the last reading shows that it runs, even if it also shows a fault."""
        values = self._measure.values
        state = values.get("state", self._commanded_state())
        is_running = values.get("running") or state in (signals.PCS_RUNNING, signals.PCS_THROTTLED)
        return self.has_measured and bool(is_running)

    def rated_W(self, stated_W: int) -> int:
        """The rating that the device reports, or else the stated rating."""
        return self._control.values.get("rated_W", stated_W)

    def reads(self) -> rtu.Periodic:
        """[(Request, period in us)] of the reads."""
        return [read for group in self._groups for read in group.reads()]

    def heard(self, now_us: int) -> None:
        """Note that the device has answered a request."""
        self.heard_us = now_us
        self.is_known |= self.is_identified

    def _is_trusted(self, now_us: int) -> bool:
        """True if it is the correct device, and its heartbeat changes."""
        if not self.is_identified or "heartbeat" not in self._profile.registers:
            return self.is_identified
        most_ms: int = self._profile.settings["heartbeat_ms_max"]
        return now_us - self._heartbeat_us <= most_ms * 1000

    def _measured(self, now_us: int) -> None:
        values = self._measure.values
        current_mA = values.get("dc_current_mA", _current_mA(values))
        if current_mA is None or not self._is_trusted(now_us):
            return
        power_W = sum([values.get(name, 0) for name in POWERS])
        if not plausible(power_W, self._rated_W, CONVERTER):
            self._implausible += 1
            return
        inp, base = self._inp, self._base
        inp[base + signals.PCS_POWER_W] = power_W
        inp[base + signals.PCS_DC_VOLTAGE_MV] = values["dc_voltage_mV"]
        inp[base + signals.PCS_DC_CURRENT_MA] = current_mA * values.get(DIRECTION, 1)
        faults = [name for name, value in values.items() if name.startswith(FAULT) and value]
        bits = sum([1 << self._fault_places[name.removeprefix(FAULT)] for name in faults])
        inp[base + signals.PCS_STATE] = self._state(values, bits)
        inp[base + signals.PCS_ALARM_BITS] = bits
        inp[base + signals.PCS_FORMING] = values.get("forming", 0)
        self._fresh[self._measure_group] = 1
        self.has_measured, self.measured_us = True, now_us
        if not self._frame_registers and "setpoint_W" not in self._profile.registers:
            # nothing can be read back, so only an acknowledgement shows the set-point
            self._publish_control(self._writer.take_acknowledged_W(), now_us)

    def _state(self, values: Values, bits: int) -> int:
        """The state of the device.

        Some devices keep their fault bits until a start clears them. With such bits the state is
        "fault". If the bits were trips, they could never be reset.
        """
        if self._profile.settings["holds_faults"] and bits & self._profile.mask("trip"):
            return signals.PCS_FAULT
        return values.get("state", self._commanded_state())

    def _commanded_state(self) -> int:
        """The state if the device reports none: the command that it last acknowledged."""
        return signals.PCS_RUNNING if self.is_commanded else signals.PCS_STANDBY

    def _controlled(self, now_us: int) -> None:
        values = self._control.values
        heartbeat = values.get("heartbeat")
        if self._heartbeat is not None and heartbeat != self._heartbeat:
            self._heartbeat_us = now_us
        self._heartbeat, self._is_local = heartbeat, bool(values.get("local", 0))
        if self._frame_registers or "setpoint_W" in values:
            self._publish_control(values.get("setpoint_W", self._held_W(values)), now_us)
        if self.is_ready:
            self._compare(values)

    def _publish_control(self, setpoint_W: int | None, now_us: int) -> None:
        if setpoint_W is None or self._is_local or not self._is_trusted(now_us):
            return
        self._inp[self._base + signals.PCS_SETPOINT_W] = setpoint_W
        self._inp[self._base + signals.PCS_HEARTBEAT] = (self._heartbeat or 0) & signals.INT_MAX
        self._fresh[self._control_group] = 1

    def _compare(self, values: Values) -> None:
        """Write a set-point again if the device has another one.

        Begin again if a setting differs.
        """
        held = [
            tuple([values[register.name] for register in frame]) for frame in self._frame_registers
        ]
        wrong = [
            step
            for name, step in self._kept_steps.items()
            if values[name] != step.value and (self.is_started or step not in self._profile.start)
        ]
        is_equal = not wrong and self._writer.compare(held)
        self._difference_count = 0 if is_equal else self._difference_count + 1
        if self._difference_count < DIFFERENCES:
            return
        self._difference_count = 0
        self._writer.repeat()
        if wrong:
            self._begin_again(f"register {wrong[0].register.address} is not as written")

    def _held_W(self, values: Values) -> int | None:
        """The power that the written registers ask for; None if they have no meaning."""
        pairs = []
        for frame, held in zip(self._writer.frames, self._frame_registers):
            data = Struct(f">{frame.count}H").pack(*[values[register.name] for register in held])
            pairs += frame.values(data)
        return setpoint_form.power_W(pairs) if pairs else None


def _current_mA(values: Values) -> int | None:
    """The current in mA from power and voltage of the DC side; None if not known."""
    power_W, voltage_mV = values.get("dc_power_W"), values["dc_voltage_mV"]
    if "dc_discharge_W" in values:
        power_W = values["dc_discharge_W"] - values["dc_charge_W"]
    if not power_W or voltage_mV < VOLTAGE_MV_MIN:
        return power_W if power_W == 0 else None
    size = abs(power_W) * 1_000_000 // voltage_mV
    return size if power_W > 0 else -size
