"""Sends start, stop and set-point to one converter.

Every frame passes a last check, the gate (base/converter_gate.py). A converter counts as stopped
when its own reading shows it. A stop that was sent or acknowledged proves nothing, because a device
that is still starting reports "off" until the start is done. So a stop is sent as soon as the
permit ends, even in the middle of a start. It is repeated until a reading that is newer than its
acknowledgement shows state and power of a stopped converter. If no reading can show this
(Profile.shows_stop), the stop is repeated while there is no permit.
"""

from collections.abc import Callable, Hashable, Sequence
from functools import partial

from controller.core.base import reasons
from controller.core.base.converter_gate import ConverterGate
from controller.core.base.sent import Sent
from controller.run.start_budget import RUNS, HeldFault, StartBudget
from drivers.buses import rtu
from drivers.buses.port import RtuPort
from drivers.pcs import SunSpecPcs
from drivers.register_pcs import RegisterPcs
from safety import signals as s

RUN_REPEAT_US = 500_000  # repeats a start or stop that the converter has not followed
FOLLOW_US = 10_000_000  # a converter that still runs this long after its stop is reported
RESTING = (s.PCS_OFF, s.PCS_SLEEPING, s.PCS_STANDBY)
STOPPED = (*RESTING, s.PCS_FAULT)


class PcsChannel:
    """One converter: what was last asked of it, and the gate before every frame.

    A changed set-point waits for its period. The period may end half a tick early, because an
    uneven tick must not skip its turn. A set-point of 0 does not wait. A set-point also does not
    wait if the last one is beyond a limit of this tick, because each published limit must be
    enforced. A set-point that did not wait takes the turn of the next one, so that the bus carries
    no more than bus_times.py has computed. A repeated stop takes the turn of a set-point, which
    does not change meanwhile.
    """

    def __init__(
        self,
        pcs: SunSpecPcs | RegisterPcs,
        port: RtuPort,
        layout: s.Layout,
        unit: int,
        period_ms: int,
        tick_ms: int,
        sent: Sent,
        gate: ConverterGate,
    ):
        """gate: made by controller.config.converters."""
        self.sent, self.unit, self._gate, self._restarts = sent, unit, gate, 0
        self.pcs, self.port, self.period_us = pcs, port, period_ms * 1000
        self._early_us = tick_ms * 1000 // 2
        self.run_at = layout.unit_output(unit, s.PCS_RUN_OK)
        self.charge_at = layout.unit_output(unit, s.CHARGE_W_MAX)
        self.discharge_at = layout.unit_output(unit, s.DISCHARGE_W_MAX)
        self.state_at = layout.unit_input(unit, s.PCS_STATE)
        self.power_at = layout.unit_input(unit, s.PCS_POWER_W)
        self.sent_W: int | None = None
        self.due_us = self.run_due_us = 0
        self.is_permitted: bool | None = None
        self.gate_refusals = 0
        self.is_sign_due = False  # set by the cabinet: no start, but what runs goes on
        self.gate_verdict = reasons.NONE
        self._budget, self._is_asked = StartBudget(), False  # a start was sent under this permit
        self.fault = HeldFault(self.state_at, gate.has_starts)
        self._starts: dict[Hashable, rtu.Request] = {}  # frames of the start that the port got

    def write(self, inp: Sequence[int], out: Sequence[int], setpoint_W: int, now_us: int) -> None:
        """Submit start or stop, the set-point through the gate, then the driver's own requests. The
        driver is asked for its requests first, because they show whether the device is lost. A
        set-point for a lost device has no address.
        """
        may_run = out[self.run_at]
        self.permit(bool(may_run) and self.gate_verdict == reasons.NONE, now_us)
        requests = self.pcs.service(now_us)
        if self.pcs.restarts != self._restarts:
            self._restarts, self.run_due_us = self.pcs.restarts, now_us
            self._is_asked = self._is_asked and inp[self.state_at] in RUNS
            self._budget.stopped()
            self._gate.forget()
        if not may_run:
            setpoint_W = 0
        self.run(inp, now_us)
        is_changed = setpoint_W != self.sent_W
        if is_changed and self._is_due(setpoint_W, out, now_us) or self.pcs.write_due(now_us):
            self._send(
                setpoint_W, out, now_us, rtu.STOP if is_changed and setpoint_W == 0 else rtu.WRITE
            )
        for request in requests:
            self.submit(request)

    def permit(self, is_permitted: bool, now_us: int) -> None:
        """Follow the permit to run. When it ends, frames of a start that wait for the bus are
        withdrawn, because they would be sent after the stop.
        """
        if is_permitted == self.is_permitted:
            return
        self.is_permitted, self.run_due_us, self._is_asked = is_permitted, now_us, False
        if not is_permitted:
            self._end_start()

    def _end_start(self) -> None:
        self._budget.stopped()
        for request in self._starts.values():
            self.port.withdraw(request)
        self._starts.clear()
        self.pcs.withdraw()

    def run(self, inp: Sequence[int], now_us: int) -> None:
        """Send the start or the stop, and repeat it while the converter has not followed."""
        has_failed = self.fault.see(inp, bool(self.is_permitted), self._is_asked)
        is_due = has_failed or now_us >= self.run_due_us
        if self.is_permitted:
            if is_due:
                self._start(inp[self.state_at], now_us)
        elif not self._has_stopped(inp):
            if is_due:
                self._stop(now_us)
            taken_us = self.pcs.stop_taken_us if self.pcs.profile.shows_stop else None
            if taken_us is not None and now_us - taken_us > FOLLOW_US:
                self.sent.refuse(reasons.RUNS_ON)

    def _start(self, state: int, now_us: int) -> None:
        pcs = self.pcs
        if isinstance(pcs, RegisterPcs):
            has_ended = self.fault.is_held and (pcs.is_starting or state in RESTING)
            self._is_asked = has_followed = (pcs.is_started or pcs.is_starting) and not has_ended
        else:
            has_followed = self._is_asked and state in RUNS
        if has_followed or not pcs.ready:
            return
        if self.is_sign_due:
            self.sent.refuse(reasons.SIGN_DUE)
        elif self.fault.is_held:
            self._end_start()
            self.fault.is_withheld = True
            self.sent.refuse(reasons.START_HELD)
        elif self._budget.take(now_us):
            self._is_asked, self.run_due_us = True, now_us + RUN_REPEAT_US
            request = pcs.start()
            if request is not None:
                self.submit(request)
        elif self._budget.is_spent:
            self.sent.refuse(reasons.STARTS_SPENT)

    def _has_stopped(self, inp: Sequence[int]) -> bool:
        """True if readings that began after the acknowledged stop show its state and no power."""
        pcs, taken_us = self.pcs, self.pcs.stop_taken_us
        if taken_us is None or not pcs.profile.shows_stop:
            return False
        # the values of a reading may be two periods old
        is_new = pcs.readings.measured_us > taken_us + 2 * pcs.profile.period_ms * 1000
        is_still = abs(inp[self.power_at]) <= self._gate.still_W
        is_running = pcs.readings.is_running or inp[self.state_at] not in STOPPED
        return is_new and is_still and not is_running

    def _stop(self, now_us: int) -> None:
        """Send the stop. The frame may also contain the set-point; the gate then lets only
        0 pass.
        """
        request = self.pcs.stop()
        if request is not None:
            self.run_due_us = now_us + (self.pcs.stop_repeat_us or RUN_REPEAT_US)
            self.submit(request)

    def _is_due(self, setpoint_W: int, out: Sequence[int], now_us: int) -> bool:
        """True if a changed set-point is sent now."""
        is_due = now_us >= self.due_us - self._early_us
        if is_due or self.sent_W is None:
            return is_due
        if setpoint_W == 0:
            return True
        is_beyond = not -out[self.charge_at] <= self.sent_W <= out[self.discharge_at]
        return is_beyond and now_us >= self.due_us - self.period_us - self._early_us

    def _send(self, setpoint_W: int, out: Sequence[int], now_us: int, priority: int) -> None:
        request = self.pcs.setpoint(setpoint_W, priority)
        if isinstance(self.pcs, RegisterPcs):
            self._judge(self.pcs, setpoint_W)
        if request is None:
            return
        turn_us = min(max(now_us, self.due_us), now_us + self.period_us) if setpoint_W else now_us
        self.due_us = turn_us + self.period_us
        request.on_failure = partial(self._lost, request.on_failure)
        self.gate_verdict = self.submit(request, out[self.charge_at], out[self.discharge_at])
        self.sent_W = setpoint_W
        if self.gate_verdict != reasons.NONE:
            self.sent_W = None
            self.permit(False, now_us)
            self._stop(now_us)

    def _judge(self, pcs: RegisterPcs, setpoint_W: int) -> None:
        """Let a converter that holds 0 W start again after a refusal. Report a spent budget of
        writes.
        """
        if pcs.is_at_zero:
            self.gate_verdict = reasons.NONE
        if setpoint_W and pcs.is_spent:
            self.sent.refuse(reasons.WRITE_BUDGET)

    def submit(self, request: rtu.Request, charge_W_max: int = 0, discharge_W_max: int = 0) -> int:
        """Send a frame to the converter; every frame takes this way. Returns reasons.NONE, or why
        the gate refused the frame. If no limits are given, a set-point must be 0.
        """
        frame, is_permitted = request.frame, bool(self.is_permitted)
        code = self._gate.check(frame, is_permitted, charge_W_max, discharge_W_max)
        if code != reasons.NONE:
            self.gate_refusals += 1
            self.sent.refuse(code)
            return code
        is_start = self._gate.is_start(frame)
        if is_start:
            self._starts[request.key] = request
        elif is_start is None:  # a set-point, which the driver makes anew each time
            request.on_reply = partial(self._acknowledged, request.on_reply, frame)
        self.port.submit(request)
        return code

    def _acknowledged(self, on_reply: rtu.OnReply, frame: bytes, pdu: bytes, now_us: int) -> None:
        self._gate.acknowledged(frame)
        on_reply(pdu, now_us)

    def _lost(
        self, on_failure: Callable[[int, int, int], object], kind: int, code: int, now_us: int
    ) -> None:
        """Repeat a set-point that was lost, because the last power stays in effect after a lost 0
        W.
        """
        self.sent_W = None
        on_failure(kind, code, now_us)
