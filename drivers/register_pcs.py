"""Power converter family by registers: every converter whose registers a profile can describe.

    identity, first reading, [[setup]] --> set-points, heartbeat --> lost, or another value is held:
                                           [[start]] and [[stop]]    begin again

Nothing is written before the first complete reading. The first set-point is 0, and others follow
only after [[start]]. Frames of the set-point: setpoint_writer.py.
"""

from collections.abc import Sequence
from struct import Struct

from drivers import steps
from drivers.buses import rtu
from drivers.pcs_group import LONG_AGO_US, ReadingGroup
from drivers.profile import Profile, Register, Step
from drivers.register_codec import Codec
from drivers.setpoint_form import power_W
from drivers.setpoint_writer import SetpointWriter
from drivers.sink import Sink
from drivers.steps import NEVER_US, StepError, Steps
from safety import signals

READING, SETTING_UP, READY = range(3)
CONTROLLED = ("setpoint_W", "heartbeat", "local", "rated_W")
POWERS = ("power_W", "power_2_W", "power_3_W")  # of phases: their sum
FAULT = "fault_"  # begins the names of registers with fault bits
DIFFERENCES = 2  # in a row: one reading may be older than a write
VOLTAGE_MV_MIN = 1000  # below it no current follows from power and voltage


class RegisterPcs:
    """One converter. `fault`: why the last start-up or start failed, or "". `restarts`: how often
    it was lost. `refused`: readings refused.
    """

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        places: tuple[int, int, int],
        settings: dict[str, int],
    ) -> None:
        """places: of the unit's first signal, its measure group and its control group; settings:
        `rated_W`, `setpoint_ms`.
        """
        self.profile, self.unit_id, self._settings = profile, unit_id, settings
        self.fault, self.restarts = "", 0
        self.writer = SetpointWriter(profile, unit_id, settings)
        self._inp, self._fresh = sink.inp, sink.fresh
        self._base, self._measure_group, self._control_group = places
        self._bits = {n: b for each in profile.fault_bits.values() for n, b in each.items()}
        self._steps = Steps(unit_id, self._on_steps_end)
        # what was written and is read again and again: frames by words, steps by value
        every = self.writer.frames if profile.settings["read_back"] else []
        self._held = [frame.plain_words(f"held {at} ") for at, frame in enumerate(every)]
        kept = [each for each in (*profile.setup, *profile.start) if each.read_back]
        self._kept = {f"kept {at}": each for at, each in enumerate(kept)}
        self._make_groups(list(profile.registers.values()))
        self._now_us, self._count = 0, 0
        self._forget()

    def _make_groups(self, registers: list[Register]) -> None:
        settings = self.profile.settings
        control = [each for each in registers if each.name in CONTROLLED]
        control += [each for frame in self._held for each in frame]
        control += [_named(each.register, name) for name, each in self._kept.items()]
        measure = [each for each in registers if each.name not in CONTROLLED]
        self._groups = [
            ReadingGroup(self.profile, self._settings, (self.unit_id, *row), self._heard)
            for row in (
                ("measure", self.profile.period_ms, measure, self._measured),
                ("control", settings["control_period_ms"], control, self._controlled),
            )
        ]
        self._measure, self._control = self._groups

    def _forget(self) -> None:
        self.state, self.is_started, self._is_wanted = READING, False, False
        self._is_starting = self._is_identified = self._has_measured = self._is_local = False
        self._heard_us = self._beat_us = self._heartbeat_us = LONG_AGO_US
        self._heartbeat: int | None = None
        self._differs = 0
        self._extra: list[rtu.Request] = []
        self.writer.forget()
        for group in self._groups:
            group.forget()
        self._steps.begin(self._start_up())

    # -- for the loop

    @property
    def refused(self) -> int:
        """Readings refused: no value, no meaning, out of range."""
        return sum([group.refused for group in self._groups])

    @property
    def ready(self) -> bool:
        """True when set-points can be written."""
        return self.state == READY

    @property
    def is_spent(self) -> bool:
        """True when the device may store no more set-points today."""
        return self.writer.is_spent(self._now_us)

    def periodic(self) -> list[tuple[rtu.Request, int]]:
        """[(Request, period in us)]: the reads."""
        return [read for group in self._groups for read in group.reads()]

    def schedule(self) -> list[tuple[rtu.Request, int]]:
        """The reads and the heartbeat, for the site check."""
        beat = self.profile.heartbeat
        beats = [(self._beat(), beat["period_ms"] * 1000)] if beat else []
        return [*self.periodic(), *beats]

    def service(self, now_us: int) -> Sequence[rtu.Request]:
        """Requests to submit now: steps of a sequence, the heartbeat."""
        self._now_us = now_us
        silence_us = self.profile.settings["restart_silence_ms"] * 1000
        if self.state != READING and now_us - self._heard_us > silence_us:
            self.restart()
        if self._is_wanted and not (self.is_started or self._is_starting):
            self._begin_start()
        requests, self._extra = self._extra, []
        request = self._steps.next_request(now_us)
        if request:
            requests.append(request)
        if self.state == READY and self.profile.heartbeat and now_us >= self._beat_us:
            self._beat_us = now_us + self.profile.heartbeat["period_ms"] * 1000
            requests.append(self._beat())
        return requests

    def restart(self) -> None:
        """Begin with the identity again."""
        self.restarts += 1
        self._forget()

    def setpoint(self, setpoint_W: int, priority: int = rtu.WRITE) -> rtu.Request | None:
        """The next frame on the way to this set-point (W, positive discharges), if there is one."""
        if self.state != READY:
            return None
        asked_W = setpoint_W if self.is_started else 0
        return self.writer.request(asked_W, priority, self._now_us)

    def write_due(self, now_us: int) -> bool:
        """True when a frame of the set-point is left, or all are to be repeated."""
        return self.state == READY and self.writer.is_due(now_us)

    def stop(self) -> rtu.Request | None:
        """The first step of [[stop]]; the others follow. Without any the next frame of a 0."""
        if self._is_starting:
            self._steps.begin(_nothing())
        self._is_wanted = self.is_started = self._is_starting = False
        self.writer.refused()
        if not self._has_measured:
            return None
        requests = [self._step_request(each) for each in self.profile.stop]
        if not requests:
            return self.writer.request(0, rtu.STOP, self._now_us)
        self._extra = requests[1:]
        return requests[0]

    def start(self) -> rtu.Request | None:
        """None: `service` gives the steps, after a set-point of 0 was acknowledged."""
        self._is_wanted = True
        return None

    # -- sequences

    def _start_up(self) -> steps.Sequence[None]:
        for name, register in self.profile.identity.items():
            data = yield "read", register.function, register.address, register.words
            value = Codec(register, self._settings).value(data) if data else None
            if value not in register.equals:
                raise StepError(f"identity.{name} reads {value}, not as the profile says")
        self._is_identified = True
        while not (self._has_measured and self._control.is_answered):
            yield None
        rated_W = self._control.values.get("rated_W", self._settings["rated_W"])
        if rated_W != self._settings["rated_W"]:
            raise StepError(f"rated_W reads {rated_W}, the unit has {self._settings['rated_W']}")
        self.state = SETTING_UP
        for step in self.profile.setup:
            yield from self._step(step)
        self.state, self.fault = READY, ""

    def _begin_start(self) -> None:
        if self.state == READY and self.writer.held_W == 0 and self._steps.due_us == NEVER_US:
            self._is_starting = True
            self._steps.begin(self._start_steps())

    def _start_steps(self) -> steps.Sequence[None]:
        for step in self.profile.start:
            yield from self._step(step)
        self.is_started, self._is_starting = True, False

    def _step(self, step: Step) -> steps.Sequence[None]:
        """Write and read back, or read until the register has one of the values."""
        place, codec = step.register.address, Codec(step.register, self._settings)
        if step.function in (rtu.READ_HOLDING_REGISTERS, rtu.READ_INPUT_REGISTERS):
            yield from self._wait(step, codec)
            return
        kind = "write one" if step.function == rtu.WRITE_REGISTER else "write"
        words = tuple(codec.words(step.value))
        answer = yield kind, place, words
        if answer is None:
            raise StepError(step.fault or f"register {place} refuses {step.value}")
        if step.read_back:
            data = yield "read", rtu.READ_HOLDING_REGISTERS, place, len(words)
            if data is None or Struct(f">{len(words)}H").unpack(data) != words:
                raise StepError(step.fault or f"register {place} does not keep {step.value}")

    def _wait(self, step: Step, codec: Codec) -> steps.Sequence[None]:
        until_us = self._now_us + step.timeout_ms * 1000
        while True:
            place = step.register.address, step.register.words
            data = yield "read", step.function, *place
            value = codec.value(data) if data else None
            if value in step.equals:
                return
            if self._now_us >= until_us:
                raise StepError(step.fault or f"register {place[0]} reads {value}, not as wanted")
            yield None

    def _on_steps_end(self, error: str, now_us: int) -> None:
        if not error:
            return
        self.fault = f"converter {self.unit_id}: {error}"
        retry_us = now_us + self.profile.settings["retry_ms"] * 1000
        if self.state == READY:
            self._steps.begin(self._start_steps() if self._is_starting else _nothing(), retry_us)
        else:
            self.state, self._is_identified = READING, False
            self._steps.begin(self._start_up(), retry_us)

    def _step_request(self, step: Step) -> rtu.Request:
        codec = Codec(step.register, self._settings)
        place = step.register.address, codec.words(step.value)
        key = self.unit_id, f"stop {place[0]}"
        return rtu.write_request(step.function, key, self.unit_id, *place, priority=rtu.STOP)

    def _beat(self) -> rtu.Request:
        """The write of the next heartbeat: it changes each time and is never 0."""
        beat = self.profile.heartbeat
        self._count = self._count % beat["count_max"] + 1
        key, place = (self.unit_id, "write heartbeat"), (self.unit_id, beat["address"])
        return rtu.write_request(beat["function"], key, *place, (self._count,), self._on_beat)

    def _on_beat(self, pdu: bytes, now_us: int) -> None:
        self._heard(now_us)

    # -- readings

    def _heard(self, now_us: int) -> None:
        self._heard_us = now_us

    def _is_alive(self, now_us: int) -> bool:
        """A dead program repeats its last numbers: its heartbeat must change."""
        if "heartbeat" not in self.profile.registers:
            return True
        return now_us - self._heartbeat_us <= self.profile.settings["heartbeat_ms_max"] * 1000

    def _measured(self, now_us: int) -> None:
        values = self._measure.values
        current_mA = values.get("dc_current_mA", _current_mA(values))
        if current_mA is None or not self._is_identified or not self._is_alive(now_us):
            return
        inp, base = self._inp, self._base
        inp[base + signals.PCS_POWER_W] = sum([values.get(name, 0) for name in POWERS])
        inp[base + signals.PCS_DC_VOLTAGE_MV] = values["dc_voltage_mV"]
        inp[base + signals.PCS_DC_CURRENT_MA] = current_mA
        inp[base + signals.PCS_STATE] = values.get("state", self._commanded_state())
        inp[base + signals.PCS_ALARM_BITS] = self._alarm_bits(values)
        inp[base + signals.PCS_FORMING] = values.get("forming", 0)
        self._fresh[self._measure_group] = 1
        self._has_measured = True
        if not self._held and "setpoint_W" not in self.profile.registers:
            # it can only tell by its acknowledgement
            self._publish_control(self.writer.held_W, now_us)

    def _commanded_state(self) -> int:
        """The state of a device that reports none: what it was told and has acknowledged."""
        return signals.PCS_RUNNING if self.is_started else signals.PCS_STANDBY

    def _alarm_bits(self, values: dict[str, int]) -> int:
        names = [name for name, value in values.items() if name.startswith(FAULT) and value]
        return sum([1 << self._bits[name.removeprefix(FAULT)] for name in names])

    def _controlled(self, now_us: int) -> None:
        values = self._control.values
        heartbeat = values.get("heartbeat")
        if self._heartbeat is not None and heartbeat != self._heartbeat:
            self._heartbeat_us = now_us
        self._heartbeat, self._is_local = heartbeat, bool(values.get("local", 0))
        if self.state == READY:
            self._compare(values)
        if self._held or "setpoint_W" in values:
            self._publish_control(values.get("setpoint_W", self._held_W(values)), now_us)

    def _publish_control(self, setpoint_W: int | None, now_us: int) -> None:
        if setpoint_W is None or self._is_local or not self._is_alive(now_us):
            return
        self._inp[self._base + signals.PCS_SETPOINT_W] = setpoint_W
        self._inp[self._base + signals.PCS_HEARTBEAT] = (self._heartbeat or 0) & signals.INT_MAX
        self._fresh[self._control_group] = 1

    def _compare(self, values: dict[str, int]) -> None:
        """Another set-point is written again; after another setting all begins again."""
        held = [tuple([values[each.name] for each in frame]) for frame in self._held]
        wrong = [
            each
            for name, each in self._kept.items()
            if values[name] != each.value and (self.is_started or each not in self.profile.start)
        ]
        is_equal = not wrong and self.writer.compare(held)
        self._differs = 0 if is_equal else self._differs + 1
        if self._differs < DIFFERENCES:
            return
        self._differs = 0
        self.writer.repeat()
        if wrong:
            self.restart()
            place = wrong[0].register.address
            self.fault = f"converter {self.unit_id}: register {place} is not as written"

    def _held_W(self, values: dict[str, int]) -> int | None:
        """The power that the written registers ask for, None without meaning."""
        found = []
        for frame, words in zip(self.writer.frames, self._held):
            data = Struct(f">{frame.count}H").pack(*[values[each.name] for each in words])
            found += frame.values(data)
        return power_W(found) if found else None


def _current_mA(values: dict[str, int]) -> int | None:
    """The current by power and voltage of the DC side; None: not known."""
    power_W, voltage_mV = values.get("dc_power_W"), values["dc_voltage_mV"]
    if "dc_discharge_W" in values:
        power_W = values["dc_discharge_W"] - values["dc_charge_W"]
    if not power_W or voltage_mV < VOLTAGE_MV_MIN:
        return power_W if power_W == 0 else None
    size = abs(power_W) * 1_000_000 // voltage_mV
    return size if power_W > 0 else -size


def _nothing() -> steps.Sequence[None]:
    yield None


def _named(register: Register, name: str) -> Register:
    own = {"name": name, "function": rtu.READ_HOLDING_REGISTERS}
    return Register(**{**vars(register), **own})
