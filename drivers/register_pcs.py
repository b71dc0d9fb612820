"""Driver of every power converter whose Modbus registers a profile can describe.

    identity, first reading, [[setup]] --> set-points, heartbeat --> lost, or another value is held:
                                           [[start]] and [[stop]]    begin again

Nothing is written before the first complete reading. The first set-point is 0; others follow only
after [[start]]. A stop does not wait for the end of a start. It is also sent while a known
converter does not answer. Frames of the set-point: setpoint_writer.py.
"""

from collections.abc import Sequence
from functools import partial

from drivers import steps
from drivers.buses import rtu
from drivers.profile import Profile, Settings, Step
from drivers.register_codec import Codec
from drivers.register_pcs_readings import PcsReadings
from drivers.register_steps import RegisterSteps
from drivers.setpoint_writer import SetpointWriter
from drivers.sink import Sink
from drivers.steps import LONG_AGO_US, NEVER_US, StepError, Steps
from drivers.wear import YES

READING, SETTING_UP, READY = range(3)
# Time in ms between two stops, if no reading can confirm a stop: for a profile without repeat_ms,
# and for a device that stores each write.
STOP_REPEAT_MS, STORED_REPEAT_MS = 10_000, 3_600_000


class RegisterPcs:
    """One converter. fault: why the last start-up or start failed, or "".

    restarts: how often it was lost. stop_taken_us: time at which all steps of [[stop]] were
    acknowledged after the last `withdraw`, or None.
    """

    def __init__(
        self,
        profile: Profile,
        unit_id: int,
        sink: Sink,
        places: tuple[int, int, int],
        settings: Settings,
    ):
        """places: see PcsReadings. settings: `rated_W`, `setpoint_ms`, `tick_ms`."""
        self.profile, self.unit_id, self._settings = profile, unit_id, settings
        self.fault, self.restarts = "", 0
        self._extra: rtu.Requests = []
        self._stops_left: set[int] = set()  # numbers of unacknowledged steps of [[stop]]
        self.writer = SetpointWriter(profile, unit_id, settings)
        self.places, self.wear = self.writer.places, self.writer.wear
        self._steps = Steps(unit_id, self._on_steps_end)
        self._register_steps = RegisterSteps(settings, self.places, self.wear)
        self.readings = PcsReadings(profile, sink, places, settings, self.writer, self._begin_again)
        self._now_us, self._heartbeat = 0, 0
        self._forget()

    def _forget(self) -> None:
        self.state, self._is_start_requested, self._runs_start = READING, False, False
        self._heartbeat_due_us, self._asked_W = LONG_AGO_US, 0
        self._start_repeated_us = LONG_AGO_US
        self.writer.forget()
        self.withdraw()
        self.readings.forget()
        self._steps.begin(self._start_up())

    @property
    def refused(self) -> int:
        """Number of refused readings: without value or meaning, or out of range."""
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
    def is_started(self) -> bool:
        """True from the end of [[start]] until a stop."""
        return self.readings.is_started

    @property
    def is_starting(self) -> bool:
        """True from the request of a start until its end."""
        return self._is_start_requested and not self.readings.is_started

    @property
    def stop_repeat_us(self) -> int:
        """Time between two stops if no reading can show that the converter has stopped.

        0: a reading can show it, or the stop is not acknowledged yet. The time is long because a
        device that stores each write would wear out.
        """
        settings = self.profile.settings
        is_taken = not self._stops_left and (self.profile.stop or self.is_at_zero)
        if self.profile.shows_stop or not is_taken:
            return 0
        repeat_ms = settings["repeat_ms"] or STOP_REPEAT_MS
        return (STORED_REPEAT_MS if settings["stored"] == YES else repeat_ms) * 1000

    @property
    def is_at_zero(self) -> bool:
        """True if the set-point that the device has acknowledged in all frames is 0."""
        return self.writer.held_W == 0

    @property
    def is_spent(self) -> bool:
        """True if the device may store no more set-points today."""
        return self.writer.is_spent(self._now_us)

    def periodic(self) -> rtu.Periodic:
        """[(Request, period in us)] of the reads."""
        return self.readings.reads()

    schedule = periodic

    def beats(self) -> rtu.Periodic:
        """The heartbeat and its period in us, for the site check."""
        beat = self.profile.heartbeat
        return [(self._heartbeat_request(), beat["period_ms"] * 1000)] if beat else []

    def service(self, now_us: int) -> Sequence[rtu.Request]:
        """Requests to submit now: steps of a sequence, the heartbeat."""
        self._now_us = self._register_steps.now_us = now_us
        silence_us = self.profile.settings["restart_silence_ms"] * 1000
        if self.state != READING and now_us - self.readings.heard_us > silence_us:
            self._register_steps.forget()
            self.restart()
        if self.is_starting and not self._runs_start:
            self._begin_start()
        requests, self._extra = self._extra, []
        request = self._steps.next_request(now_us)
        if request:
            requests.append(request)
        requests += self._repeated_start(now_us)
        if self.state == READY and self.profile.heartbeat and now_us >= self._heartbeat_due_us:
            self._heartbeat_due_us = now_us + self.profile.heartbeat["period_ms"] * 1000
            requests.append(self._heartbeat_request())
        return requests

    def restart(self) -> None:
        """Begin again with the identity."""
        self.restarts += 1
        self._forget()

    def _begin_again(self, reason: str) -> None:
        self.restart()
        self.fault = f"converter {self.unit_id}: {reason}"

    def setpoint(self, setpoint_W: int, priority: int = rtu.WRITE) -> rtu.Request | None:
        """The next frame of this set-point (W, positive discharges); None if none is left."""
        if self.state != READY:
            return None
        self._asked_W = setpoint_W
        return self.writer.request(self._allowed_W(), priority, self._now_us)

    def _allowed_W(self) -> int:
        """The set-point of the last request; 0 until the converter is started."""
        return self._asked_W if self.readings.is_started else 0

    def write_due(self, now_us: int) -> bool:
        """True if a frame of the set-point is left to write, or all must be repeated."""
        return self.state == READY and self.writer.is_due(self._allowed_W(), now_us)

    def withdraw(self) -> None:
        """Note that the permit is gone. A start ends; earlier acknowledgements do not count."""
        if self._runs_start:
            self._steps.begin(_nothing())
        self._is_start_requested = self.readings.is_started = self._runs_start = False
        self._extra = []
        self._stops_left = set(range(len(self.profile.stop)))
        self.stop_taken_us: int | None = None
        self.writer.stop_waiting()

    def stop(self) -> rtu.Request | None:
        """The first step of [[stop]]; `service` returns the others. None: device not known yet.

        For a profile without [[stop]] it is the next frame of a set-point of 0.
        """
        if self._is_start_requested or self.readings.is_started:
            self.withdraw()
        if not self.readings.is_known:
            return None
        self.readings.is_commanded = bool(self._stops_left)
        requests = [
            self._write(number, step, partial(self._on_stop, number), rtu.STOP)
            for number, step in enumerate(self.profile.stop)
        ]
        if not requests:
            return self.writer.zero(rtu.STOP, self._now_us)
        self._extra = requests[1:]
        return requests[0]

    def start(self) -> rtu.Request | None:
        """Request a start. Returns None; `service` returns the steps after a 0 is acknowledged."""
        self._is_start_requested = True
        return None

    def _start_up(self) -> steps.Procedure:
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
            yield from self._register_steps.set_up(step)
        self.state, self.fault = READY, ""
        self.readings.is_ready = True

    def _begin_start(self) -> None:
        if self.state == READY and self.is_at_zero and self._steps.due_us == NEVER_US:
            self._runs_start = True
            self._steps.begin(self._start_steps())

    def _start_steps(self) -> steps.Procedure:
        self.readings.is_commanded = True
        for step in self.profile.start:
            yield from self._register_steps.run(step)
        self.readings.is_started, self._runs_start = True, False

    def _repeated_start(self, now_us: int) -> rtu.Requests:
        """Writes of [[start]] that a running converter gets again and again.

        They have the keys of [[stop]], so a stop replaces such a write that still waits for the
        bus.
        """
        writes = [step for step in self.profile.start if step.repeat_ms]
        if not writes:
            return []
        if not (self.readings.is_started and self.readings.is_running):
            self._start_repeated_us = now_us
        if now_us - self._start_repeated_us < min([step.repeat_ms for step in writes]) * 1000:
            return []
        self._start_repeated_us = now_us
        return [self._write(number, step, self._on_answer) for number, step in enumerate(writes)]

    def _give_up(self) -> steps.Procedure:
        """End a start that has failed. The channel decides whether another start may begin."""
        self._is_start_requested = self._runs_start = False
        yield None

    def _on_steps_end(self, error: str, now_us: int) -> None:
        if not error:
            return
        self.fault = f"converter {self.unit_id}: {error}"
        retry_us = now_us + self.profile.settings["retry_ms"] * 1000
        if self.state == READY:
            self._steps.begin(self._give_up(), retry_us)
        else:
            self.state, self.readings.is_identified = READING, False
            self._steps.begin(self._start_up(), retry_us)

    def _write(
        self, number: int, step: Step, on_reply: rtu.OnReply, priority: int = rtu.WRITE
    ) -> rtu.Request:
        key, content = (self.unit_id, f"stop {number + 1}"), self._register_steps.content(step)
        return rtu.write_request(
            step.function, key, self.unit_id, *content, on_reply=on_reply, priority=priority
        )

    def _on_stop(self, number: int, pdu: bytes, now_us: int) -> None:
        self.readings.heard(now_us)
        self._stops_left.discard(number)
        if not self._stops_left and self.stop_taken_us is None:
            self.stop_taken_us = now_us
        if not self._is_start_requested:
            self.readings.is_commanded = bool(self._stops_left)

    def _heartbeat_request(self) -> rtu.Request:
        """The write of the next heartbeat, which changes each time and is never 0."""
        beat = self.profile.heartbeat
        self._heartbeat = self._heartbeat % beat["count_max"] + 1
        key = self.unit_id, "write heartbeat"
        place = self.unit_id, self.places.of(beat["address"])
        return rtu.write_request(beat["function"], key, *place, (self._heartbeat,), self._on_answer)

    def _on_answer(self, pdu: bytes, now_us: int) -> None:
        self.readings.heard(now_us)


def _nothing() -> steps.Procedure:
    yield None
