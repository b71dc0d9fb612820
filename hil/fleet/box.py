"""Hints and reports of a controller in virtual time: what its hint socket and its MQTT door do."""

import json
import random
from typing import Any

from controller.core.base import hint_codes as h
from controller.core.base.setpoint import O_BINDING_REASON
from controller.core.control import Control
from controller.core.policies.hint_outputs import O_REMAINING_WH
from controller.core.policies.meter_sign import METER_SIGN
from controller.hints import admission, hint_statistics, replies, wire as w
from controller.run.cabinet import Cabinet
from hil.engine.simulate import VirtualRig
from hil.fleet.own_clock import OwnClock
from safety import signals as s

REPORT_MS, CHANGED_MS = 9000, 1000  # longest and shortest time between two reports
RUNNING = s.STATES[s.RUNNING]
CHANGED_PERMILLE = 10  # of the rated power


class _Statistics:
    """The counters of the hint socket's file, in memory."""

    def __init__(self, sources: int) -> None:
        self.common = memoryview(bytearray(8 * len(hint_statistics.COMMON))).cast("Q")
        self.rows = [
            memoryview(bytearray(8 * len(hint_statistics.OWN))).cast("Q") for _ in range(sources)
        ]


class Box:
    """One cabinet's end of the broker. A restarted controller gets a new nonce. `lie`: factors of
    values in its reports.
    """

    def __init__(self, rig: VirtualRig, keys: dict[str, bytes], draw: random.Random) -> None:
        """keys: by source; draw: nonces and the phase of the reports."""
        self.rig, self._keys, self._draw = rig, keys, draw
        self.clock, self.lie = OwnClock(rig), dict[str, int]()
        self._cabinet: Cabinet[Any] | None = None
        self._admission: admission.Admission | None = None
        self._reported: dict[str, Any] = {}
        self._report_ms = 0.0

    def _current(self) -> admission.Admission | None:
        """The admission check of the running controller; None if the controller is dead."""
        cabinet = self.rig.controller.cabinet
        if cabinet is not self._cabinet:
            self._cabinet = cabinet
            self._admission = None if cabinet is None else self._new_admission(cabinet)
            self._report_ms = self.clock.now_ms + self._draw.uniform(0, REPORT_MS)
        return self._admission

    def _new_admission(self, cabinet: Cabinet[Any]) -> admission.Admission:
        sources = cabinet.config.sources
        keys: dict[str, tuple[admission.Key, ...]] = {
            name: (admission.key_of(key, 0),) for name, key in self._keys.items()
        }
        controller = admission.Controller(
            cabinet.request_hint,
            lambda *_: h.BUSY,
            _refused,
            _refused,
            cabinet.keep_epoch,
            cabinet.epochs,
        )
        statistics: Any = _Statistics(len(sources))
        nonce = self._draw.randbytes(w.NONCE_BYTES)
        return admission.Admission(sources, keys, nonce, controller, statistics)

    def receive(self, data: bytes) -> bytes | None:
        """Take a datagram. Returns the answer to a hello; the answer to a hint comes later."""
        admission_check = self._current()
        return (
            None
            if admission_check is None
            else admission_check.receive(data, "fleet", self.clock.now_ms)
        )

    def answers(self) -> list[bytes]:
        """The answers to the hints of the tick that ended."""
        admission_check = self._current()
        if admission_check is None or self._cabinet is None or not self.clock.has_ticked:
            return []
        admission_check.later.begin(self.clock.now_ms)
        answers = []
        for request in admission_check.pending:
            assert isinstance(request.hint, w.Hint), "only hints are sent here"
            core = self._cabinet.core
            reply = replies.reply(
                request, request.hint, core, admission_check.nonce, self.clock.now_ms
            )
            answers.append(w.reply_bytes(reply, request.key))
        admission_check.pending.clear()
        return answers

    def report(self) -> bytes | None:
        """The report, if it has changed or is due."""
        if self._current() is None or self._cabinet is None:
            return None
        since_ms = self.clock.now_ms - self._report_ms
        if since_ms < CHANGED_MS:
            return None
        core, config = self._cabinet.core, self._cabinet.config
        share_permille = config.control["share_permille"]
        report = reported(core.control, s.STATES[core.out[s.STATE]], share_permille)
        report |= {name: factor * (report[name] or 0) for name, factor in self.lie.items()}
        if since_ms < REPORT_MS and not self._is_changed(report):
            return None
        self._reported, self._report_ms = report, self.clock.now_ms
        return json.dumps(report).encode()

    def _is_changed(self, now: dict[str, Any]) -> bool:
        before = self._reported
        step_W = sum(round(unit.rated_W) for unit in self.rig.plant.pcs) * CHANGED_PERMILLE // 1000
        for name, value in now.items():
            earlier = before.get(name)
            if name.endswith("_W") and value is not None and earlier is not None:
                if abs(value - earlier) > step_W:
                    return True
            elif name in ("state", "load_W", "grid_W") and value != earlier:
                return True
        return False


def reported(control: Control, state: str, share_permille: int) -> dict[str, Any]:
    """The report of a controller, as the MQTT door makes it of the status."""
    known, functions = control.known, control.functions
    sun_W = functions["site_load"].state.sun_W  # the share of this cabinet
    is_testing = control.chain.out[O_BINDING_REASON] == METER_SIGN
    can_give = state == RUNNING and not is_testing
    temperatures_ddegC, socs_permille = known.module_temperature_ddegC, known.soc_permille
    return {
        "uptime_ms": 0,
        "state": state,
        "battery_W": known.battery_W,
        "grid_W": known.grid_meter_W,
        "load_W": known.load_meter_W,
        "pv_W": sun_W * 1000 // share_permille,
        "discharge_W_max": max(0, control.chain.limits.high_W) if can_give else 0,
        "soc_permille": socs_permille[0] if socs_permille else None,
        "temperature_ddegC": temperatures_ddegC[1] if temperatures_ddegC else None,
        "remaining_Wh": max(0, functions["hint_table"].out[O_REMAINING_WH]),
    }


def _refused(*_: object) -> Any:
    raise AssertionError("a dispatcher asks for no state and no schedule")
