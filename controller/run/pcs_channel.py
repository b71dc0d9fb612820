"""One converter on the wire: start, stop, and its set-points through the gate."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import cast

from controller.core.base import reasons
from controller.core.base.form_gate import FormGate, FormSent
from controller.core.base.gate import Gate
from controller.core.base.sent import Sent
from drivers.buses import rtu
from drivers.buses.port import RtuPort
from drivers.pcs import SunSpecPcs
from drivers.register_pcs import RegisterPcs
from safety import signals as s

RUN_REPEAT_US = 500_000  # a start or stop that the converter has not followed is repeated


class PcsChannel:
    """One converter: what was last asked of it, and the gate before every set-point.

    A changed set-point waits for its period, which may end half a tick early: an uneven tick must
    not skip its turn. Zero does not wait, nor what replaces a set-point beyond a limit of this
    tick: the published limit is the enforced one. That takes the turn of the next one, so that the
    bus carries no more than bus_times.py has computed.
    """

    def __init__(
        self,
        pcs: SunSpecPcs | RegisterPcs,
        port: RtuPort,
        layout: s.Layout,
        unit: int,
        period_ms: int,
        tick_ms: int,
        sent: Sent | FormSent,
        form: FormGate | None = None,
    ):
        """form: of a family that states the form of its set-point; else SunSpec's is checked."""
        self.sent, self.unit, self._form, self._restarts = sent, unit, form, 0
        self.pcs, self.port, self.period_us = pcs, port, period_ms * 1000
        self._early_us = tick_ms * 1000 // 2
        self.run_at = layout.unit_output(unit, s.PCS_RUN_OK)
        self.charge_at = layout.unit_output(unit, s.CHARGE_W_MAX)
        self.discharge_at = layout.unit_output(unit, s.DISCHARGE_W_MAX)
        self.state_at = layout.unit_input(unit, s.PCS_STATE)
        self.sent_W: int | None = None
        self.due_us = self.run_due_us = 0
        self.was_running: int | None = None
        self.gate_refusals = 0
        self.gate_verdict = reasons.NONE
        self._gate: Gate | None = None
        self._gate_key: tuple[int, int] | None = None

    def write(self, inp: Sequence[int], out: Sequence[int], setpoint_W: int, now_us: int) -> None:
        """Submit start or stop, the set-point through the gate, then the converter's own requests.
        These are asked for first: if the device is lost, a set-point has no address.
        """
        requests = self.pcs.service(now_us)
        if self._form is not None and self.pcs.restarts != self._restarts:
            self._restarts = self.pcs.restarts
            self._form.forget()
        running = out[self.run_at]
        if not running:
            setpoint_W = 0
        self._run(running and self.gate_verdict == reasons.NONE, inp[self.state_at], now_us)
        changed = setpoint_W != self.sent_W
        if changed and self._is_due(setpoint_W, out, now_us) or self.pcs.write_due(now_us):
            self._send(
                setpoint_W, out, now_us, rtu.STOP if changed and setpoint_W == 0 else rtu.WRITE
            )
        for request in requests:
            self.port.submit(request)

    def _is_due(self, setpoint_W: int, out: Sequence[int], now_us: int) -> bool:
        """Whether a changed set-point goes now."""
        is_due = now_us >= self.due_us - self._early_us
        if is_due or self.sent_W is None:
            return is_due
        if setpoint_W == 0:
            return True
        is_beyond = not -out[self.charge_at] <= self.sent_W <= out[self.discharge_at]
        return is_beyond and now_us >= self.due_us - self.period_us - self._early_us

    def _run(self, running: int, state: int, now_us: int) -> None:
        """Send start or stop when it changes, and again while the converter has not followed."""
        followed = (state in (s.PCS_RUNNING, s.PCS_THROTTLED, s.PCS_STARTING)) == bool(running)
        if isinstance(self.pcs, RegisterPcs):
            followed = followed and self.pcs.has_followed(bool(running))
        if running == self.was_running and (followed or now_us < self.run_due_us):
            return
        request = self.pcs.start() if running else self._stop()
        if request is not None:
            self.was_running, self.run_due_us = running, now_us + RUN_REPEAT_US
            self._submit(request)

    def _send(self, setpoint_W: int, out: Sequence[int], now_us: int, priority: int) -> None:
        request = self.pcs.setpoint(setpoint_W, priority)
        if isinstance(self.pcs, RegisterPcs):
            self._judge(self.pcs, setpoint_W)
        if request is None:
            return
        turn_us = min(max(now_us, self.due_us), now_us + self.period_us) if setpoint_W else now_us
        self.due_us = turn_us + self.period_us
        gate = self._form or self._gate_for_scale()
        self.gate_verdict = gate.check(request.frame, out[self.charge_at], out[self.discharge_at])
        if self.gate_verdict == reasons.NONE:
            self.sent_W = setpoint_W
            request.on_failure = partial(self._lost, request.on_failure)
        else:
            self.gate_refusals += 1
            self.sent_W = None
            self.sent.refuse(self.gate_verdict)
            request = self._stop()
        if request is not None:
            self._submit(request)

    def _stop(self) -> rtu.Request | None:
        """The stop. Where it is a frame of the set-point, the gate passes no power in it."""
        request = self.pcs.stop()
        if request is not None and self._form is not None:
            verdict = self._form.check(request.frame, 0, 0)
            if verdict not in (reasons.NONE, reasons.GATE_ADDRESS):  # another register: [[stop]]
                self.gate_refusals += 1
                return None
        return request

    def _judge(self, pcs: RegisterPcs, setpoint_W: int) -> None:
        """A converter that holds 0 may start again after a refusal. A spent budget is shown."""
        if pcs.is_at_zero:
            self.gate_verdict = reasons.NONE
        if setpoint_W and pcs.is_spent:
            self.sent.refuse(reasons.WRITE_BUDGET)

    def _submit(self, request: rtu.Request) -> None:
        """Send a request; a gate with a form hears of its acknowledgement."""
        if self._form is not None:
            request.on_reply = partial(self._acknowledged, request.on_reply, request.frame)
        self.port.submit(request)

    def _acknowledged(self, tell: rtu.OnReply, frame: bytes, pdu: bytes, now_us: int) -> None:
        cast(FormGate, self._form).acknowledged(frame)
        tell(pdu, now_us)

    def _lost(
        self, tell: Callable[[int, int, int], object], kind: int, code: int, now_us: int
    ) -> None:
        """Repeat a set-point that was lost: a lost 0 W would leave the last power in effect."""
        self.sent_W = None
        tell(kind, code, now_us)

    def _gate_for_scale(self) -> Gate:
        """The gate for the register scale the converter has now (it may change at run time)."""
        # both are known: the converter has just encoded a set-point
        pcs = cast(SunSpecPcs, self.pcs)
        key = cast(int, pcs.setpoint_address), cast(int, pcs.setpoint_exponent)
        if self._gate is None or key != self._gate_key:
            self._gate_key, self._gate = key, Gate(self.pcs.unit_id, *key)
        return self._gate
