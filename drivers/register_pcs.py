"""Power converter family by registers: every converter whose registers a profile can describe.

    identity, first reading, [[setup]] --> set-points, heartbeat --> lost, or another value is held:
                                           [[start]] and [[stop]]    begin again

Nothing is written before the first complete reading. The first set-point is 0, and others follow
only after [[start]]. Frames of the set-point: setpoint_writer.py.
"""

from collections.abc import Sequence
from functools import partial
from struct import Struct

from drivers import steps
from drivers.buses import rtu
from drivers.profile import Profile, Step
from drivers.register_codec import Codec
from drivers.register_pcs_readings import PcsReadings
from drivers.setpoint_writer import SetpointWriter
from drivers.sink import Sink
from drivers.steps import LONG_AGO_US, NEVER_US, StepError, Steps

READING, SETTING_UP, READY = range(3)


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
        `rated_W`, `setpoint_ms`, `tick_ms`.
        """
        self.profile, self.unit_id, self._settings = profile, unit_id, settings
        self.fault, self.restarts = "", 0
        self.writer = SetpointWriter(profile, unit_id, settings)
        self.places = self.writer.places
        self._steps = Steps(unit_id, self._on_steps_end)
        self.readings = PcsReadings(profile, sink, places, settings, self.writer, self._begin_again)
        self._now_us, self._count = 0, 0
        self._forget()

    def _forget(self) -> None:
        self.state, self._is_wanted, self._is_starting = READING, False, False
        self._beat_us, self._asked_W = LONG_AGO_US, 0
        self._extra: list[rtu.Request] = []
        self._unstopped: set[int] = set()
        self.writer.forget()
        self.readings.forget()
        self._steps.begin(self._start_up())

    # -- for the loop

    @property
    def refused(self) -> int:
        """Readings refused: no value, no meaning, out of range."""
        return self.readings.refused

    @property
    def unnamed(self) -> int | None:
        """A raw state that the profile does not name, None without one."""
        return self.readings.unnamed

    @property
    def ready(self) -> bool:
        """True when set-points can be written."""
        return self.state == READY

    @property
    def is_started(self) -> bool:
        """True after all steps of [[start]], until a stop."""
        return self.readings.is_started

    def has_followed(self, running: bool) -> bool:
        """Whether the start, or each step of the stop, was acknowledged."""
        return self.is_started == running and not (self._unstopped and not running)

    @property
    def is_at_zero(self) -> bool:
        """True when all frames of a set-point of 0 have been acknowledged last."""
        return self.writer.held_W == 0

    @property
    def is_spent(self) -> bool:
        """True when the device may store no more set-points today."""
        return self.writer.is_spent(self._now_us)

    def periodic(self) -> list[tuple[rtu.Request, int]]:
        """[(Request, period in us)]: the reads."""
        return self.readings.reads()

    schedule = periodic

    def beats(self) -> list[tuple[rtu.Request, int]]:
        """The heartbeat and its period in us, for the site check."""
        beat = self.profile.heartbeat
        return [(self._beat(), beat["period_ms"] * 1000)] if beat else []

    def service(self, now_us: int) -> Sequence[rtu.Request]:
        """Requests to submit now: steps of a sequence, the heartbeat."""
        self._now_us = now_us
        silence_us = self.profile.settings["restart_silence_ms"] * 1000
        if self.state != READING and now_us - self.readings.heard_us > silence_us:
            self.restart()
        if self._is_wanted and not (self.readings.is_started or self._is_starting):
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

    def _begin_again(self, reason: str) -> None:
        self.restart()
        self.fault = f"converter {self.unit_id}: {reason}"

    def setpoint(self, setpoint_W: int, priority: int = rtu.WRITE) -> rtu.Request | None:
        """The next frame on the way to this set-point (W, positive discharges), if there is one."""
        if self.state != READY:
            return None
        self._asked_W = setpoint_W
        return self.writer.request(self._allowed_W(), priority, self._now_us)

    def _allowed_W(self) -> int:
        """The set-point that was asked for last; 0 before the converter has been started."""
        return self._asked_W if self.readings.is_started else 0

    def write_due(self, now_us: int) -> bool:
        """True when a frame of the set-point is left, or all are to be repeated."""
        return self.state == READY and self.writer.is_due(self._allowed_W(), now_us)

    def stop(self) -> rtu.Request | None:
        """The first step of [[stop]]; the others follow. Without any the next frame of a 0."""
        if self._is_starting:
            self._steps.begin(_nothing())
        self._is_wanted = self.readings.is_started = self._is_starting = False
        self.writer.refused()
        if not self.readings.has_measured:
            return None
        self._unstopped = set(range(len(self.profile.stop)))
        self.readings.is_commanded = bool(self._unstopped)
        requests = [self._stop_request(at, each) for at, each in enumerate(self.profile.stop)]
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
        if self.profile.models:
            yield from self.places.walk()
        for name, register in self.profile.identity.items():
            place = self.places.of(register.address)
            data = yield "read", register.function, place, register.words
            value = Codec(register, self._settings).value(data) if data else None
            if value not in register.equals:
                raise StepError(f"identity.{name} reads {value}, not as the profile says")
        self.readings.identified()
        while not self.readings.is_complete:
            yield None
        stated_W = self._settings["rated_W"]
        rated_W = self.readings.rated_W(stated_W)
        if rated_W != stated_W:
            raise StepError(f"rated_W reads {rated_W}, the unit has {stated_W}")
        self.state = SETTING_UP
        for step in self.profile.setup:
            yield from self._step(step)
        self.state, self.fault = READY, ""
        self.readings.is_ready = True

    def _begin_start(self) -> None:
        if self.state == READY and self.is_at_zero and self._steps.due_us == NEVER_US:
            self._is_starting = True
            self._steps.begin(self._start_steps())

    def _start_steps(self) -> steps.Sequence[None]:
        self.readings.is_commanded = True
        for step in self.profile.start:
            yield from self._step(step)
        self.readings.is_started, self._is_starting = True, False

    def _step(self, step: Step) -> steps.Sequence[None]:
        """Write and read back, or read until the register has one of the values."""
        place = self.places.of(step.register.address)
        codec = Codec(step.register, self._settings)
        if step.function in (rtu.READ_HOLDING_REGISTERS, rtu.READ_INPUT_REGISTERS):
            yield from self._wait(step, codec, place)
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

    def _wait(self, step: Step, codec: Codec, address: int) -> steps.Sequence[None]:
        until_us = self._now_us + step.timeout_ms * 1000
        while True:
            data = yield "read", step.function, address, step.register.words
            value = codec.value(data) if data else None
            if value in step.equals:
                return
            if self._now_us >= until_us:
                raise StepError(step.fault or f"register {address} reads {value}, not as wanted")
            yield None

    def _on_steps_end(self, error: str, now_us: int) -> None:
        if not error:
            return
        self.fault = f"converter {self.unit_id}: {error}"
        retry_us = now_us + self.profile.settings["retry_ms"] * 1000
        if self.state == READY:
            self._steps.begin(self._start_steps() if self._is_starting else _nothing(), retry_us)
        else:
            self.state, self.readings.is_identified = READING, False
            self._steps.begin(self._start_up(), retry_us)

    def _stop_request(self, number: int, step: Step) -> rtu.Request:
        codec = Codec(step.register, self._settings)
        place = self.places.of(step.register.address), codec.words(step.value)
        key, taken = (self.unit_id, f"stop {number + 1}"), partial(self._on_stop, number)
        return rtu.write_request(step.function, key, self.unit_id, *place, taken, priority=rtu.STOP)

    def _on_stop(self, number: int, pdu: bytes, now_us: int) -> None:
        self.readings.heard(now_us)
        self._unstopped.discard(number)
        if not self._is_wanted:
            self.readings.is_commanded = bool(self._unstopped)

    def _beat(self) -> rtu.Request:
        """The write of the next heartbeat: it changes each time and is never 0."""
        beat = self.profile.heartbeat
        self._count = self._count % beat["count_max"] + 1
        key = self.unit_id, "write heartbeat"
        place = self.unit_id, self.places.of(beat["address"])
        return rtu.write_request(beat["function"], key, *place, (self._count,), self._on_beat)

    def _on_beat(self, pdu: bytes, now_us: int) -> None:
        self.readings.heard(now_us)


def _nothing() -> steps.Sequence[None]:
    yield None
