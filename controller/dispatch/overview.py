"""The view of a fleet for a person: what the broker's messages say, kept for each cabinet.

A broker keeps the last report and gives it to a new reader at once, without its age. A cabinet
that is gone can leave a report that looks alive. So such a report counts only while the cabinet's
topic `online` does not say offline, and the dispatcher, if it is alive, hears the cabinet too.
Pure: the caller gives messages and time. It never raises for a message.
"""

import collections

from controller.dispatch import facts as published, full_report, heard_state
from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.full_report import Facts
from controller.rows import danger, reason_words
from controller.system.paths import printable
from safety import matrix

SILENT_MS = 20_000  # a cabinet reports at least each 9 s
DISPATCHER_SILENT_MS = 10_000  # its state comes each 2 s
# Two reports of one box give the same start, within the time that a message may be late.
LATE_MS = 15_000
RETURNS_MAX = 1  # a start that comes back twice belongs to a second box
STARTS_MAX = 4
NAME_MAX = 64  # characters of a name
NAMES_MAX = 20  # foreign names that are remembered
LABEL_ROW = 800  # label of row 1 is R801


class Member:
    """One cabinet as heard. report: the last good one; fresh_ms: when it came live."""

    def __init__(self, cabinet: Cabinet) -> None:
        self.cabinet = cabinet
        self.report: Facts | None = None
        self.heard_ms = 0.0
        self.is_fresh = False
        self.is_offline = False
        self.wrong: collections.Counter[str] = collections.Counter()
        self._starts_ms: list[float] = []  # the one used last is the last
        self.returns = 0

    def hear(self, payload: bytes, source: str, is_retained: bool, now_ms: float) -> None:
        """Take a report."""
        found = full_report.read(payload, source)
        if isinstance(found, str):
            self.wrong[found] += 1
            return
        for name in found.wrong:
            self.wrong[f"{name} has a wrong value"] += 1
        self.report, self.heard_ms = found.values, now_ms
        self.is_fresh = self.is_fresh or not is_retained
        if not is_retained and found.values["state"] is not None:
            self.is_offline = False
        if not is_retained and found.values["uptime_ms"] is not None:
            self._note_start(now_ms - found.values["uptime_ms"])

    def _note_start(self, start_ms: float) -> None:
        """Find out whether reports of two boxes alternate: a restart never goes back."""
        same = [each for each in self._starts_ms if abs(each - start_ms) < LATE_MS]
        if same and same[-1] != self._starts_ms[-1]:
            self.returns += 1
        self._starts_ms = [each for each in self._starts_ms if each not in same]
        self._starts_ms = [*self._starts_ms, start_ms][-STARTS_MAX:]

    def silence(self, now_ms: float, shared: Facts | None) -> str:
        """Why nothing current is known, in words; empty: the cabinet reports. shared: what the
        dispatcher says about it now.
        """
        if self.report is not None and self.report["state"] is None:
            return "no controller"  # the door then says offline too
        if self.is_offline:
            return "offline"
        if self.report is None:
            return "not heard"
        age_ms = now_ms - self.heard_ms
        is_doubted = shared is not None and not shared["is_live"] and not self.is_fresh
        return "silent" if age_ms >= SILENT_MS or is_doubted else ""


class Overview:
    """The cabinets of one file, and their dispatcher."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.members = {each.name: Member(each) for each in fleet.cabinets}
        self.foreign: collections.Counter[str] = collections.Counter()
        self.state: Facts | None = None  # of the dispatcher
        self._state_ms, self._is_state_fresh = 0.0, False
        self._shared: dict[str, tuple[Facts, float]] = {}  # of each cabinet, and when it came
        self.wrong_states = 0

    @property
    def topics(self) -> list[str]:
        """The topics to subscribe to."""
        own = published.topic(self.fleet.source)
        return ["firebreak/+/report", "firebreak/+/online", f"{own}/#"]

    def hear(self, topic: str, payload: bytes, is_retained: bool, now_ms: float) -> None:
        """Take a message of the broker."""
        parts = topic.split("/")
        own = published.topic(self.fleet.source)
        if topic == own or topic.startswith(f"{own}/"):
            self._hear_state(payload, is_retained, now_ms)
        elif len(parts) != 3 or parts[1] not in self.members:
            name = printable(parts[1] if len(parts) > 1 else "")[:NAME_MAX]
            if name in self.foreign or len(self.foreign) < NAMES_MAX:
                self.foreign[name] += 1
        elif parts[2] == "report":
            self.members[parts[1]].hear(payload, self.fleet.source, is_retained, now_ms)
        elif payload in (b"online", b"offline"):
            self.members[parts[1]].is_offline = payload == b"offline"
        else:
            self.members[parts[1]].wrong["online has a wrong value"] += 1

    def _hear_state(self, payload: bytes, is_retained: bool, now_ms: float) -> None:
        found = heard_state.read(payload)
        if found is None:
            self.wrong_states += 1
            return
        self.state, self._state_ms = found, now_ms
        self._is_state_fresh = self._is_state_fresh or not is_retained
        if not is_retained:
            for name in found["cabinets"].keys() & self.members.keys():
                self._shared[name] = found["cabinets"][name], now_ms

    def is_complete(self) -> bool:
        """True if nothing more is to be waited for: each cabinet has said something, and the
        dispatcher something about each.
        """
        is_said = all(each.report or each.is_offline for each in self.members.values())
        return is_said and self._shared.keys() == self.members.keys()

    def is_dispatcher_live(self, now_ms: float) -> bool:
        """True while the dispatcher publishes its state."""
        return self._is_state_fresh and now_ms - self._state_ms < DISPATCHER_SILENT_MS

    def dispatcher(self, now_ms: float) -> Facts:
        """Facts of the dispatcher. silent_s: None unless it was heard live here."""
        is_live, state = self.is_dispatcher_live(now_ms), self.state or {}
        was_heard = self._is_state_fresh and not is_live
        return {
            "is_live": is_live,
            "silent_s": int(now_ms - self._state_ms) // 1000 if was_heard else None,
            "last_utc_us": state.get("utc_us"),
            "epoch": state.get("epoch"),
            "connection_W": state.get("connection_W"),
            "wrong_states": self.wrong_states,
        }

    def cabinets(self, now_ms: float) -> dict[str, Facts]:
        """The facts of each cabinet, in the order of the file."""
        since_ms = now_ms - DISPATCHER_SILENT_MS
        said = {name: each for name, (each, at_ms) in self._shared.items() if at_ms > since_ms}
        return {
            name: self._cabinet(each, said.get(name), now_ms) for name, each in self.members.items()
        }

    def _cabinet(self, member: Member, shared: Facts | None, now_ms: float) -> Facts:
        silence, report = member.silence(now_ms, shared), member.report
        known = report or dict.fromkeys((*full_report.NAMES, "trouble"))
        found = {
            "is_live": not silence,
            "silence": silence,
            "heard_s": int(now_ms - member.heard_ms) // 1000 if report else None,
            **{name: known[name] for name in known if name not in ("share", "uptime_ms", "clock")},
            "import_W": self._import_W(member, known),
            "is_clock_trusted": known["clock"],
            "danger_level": danger_level(known["alarm"]),
            **_share(member, known["share"], shared, now_ms),
            "hold_W": shared["hold_W"] if shared else None,
            "fallback_W": member.cabinet.fallback_W,
            "load_permille": member.cabinet.load_permille,
            "problem": shared["problem"] if shared else "",
            "is_double": member.returns > RETURNS_MAX,
            "wrong_messages": dict(member.wrong),
        }
        return {**found, **published.controls(found), **published.status(found)}

    def _import_W(self, member: Member, report: Facts) -> int | None:
        """The import that the share limits: of the cabinet's own meter, or of its part of a common
        load.
        """
        if not self.fleet.is_common:
            return report["grid_W"]
        if report["load_W"] is None or report["battery_W"] is None:
            return None
        return report["load_W"] * member.cabinet.load_permille // 1000 - report["battery_W"]


def _share(member: Member, own: Facts | None, shared: Facts | None, now_ms: float) -> Facts:
    """The share in force and the time that is left: as the dispatcher knows it from signed
    answers; else from the report; else the fallback.
    """
    if shared and shared["share_W"] is not None:
        left_s = shared["left_s"] or 0
        return {"share_W": shared["share_W"], "left_s": left_s, "share_from": "dispatcher"}
    fallback_W = member.cabinet.fallback_W
    if own is None or own["state"] == "fallback":
        known = "cabinet" if own else None
        return {"share_W": fallback_W, "left_s": 0, "share_from": known}
    left_s = max(0, own["valid_s"] - int(now_ms - member.heard_ms) // 1000)
    value_W = own["value_W"] if left_s else fallback_W
    return {"share_W": value_W, "left_s": left_s, "share_from": "cabinet"}


def danger_level(alarm: Facts | None) -> int:
    """How dangerous the worst alarm of a cabinet is (controller/rows/danger.py), by its label and
    words; 0 if this release does not know it.
    """
    if alarm is None:
        return danger.WARNING
    label = alarm["label"]
    number = int(label[1:]) - LABEL_ROW if label[:1] == "R" and label[1:].isdecimal() else 0
    stages = [each for each in matrix.STAGES if each[matrix.S_ROW] == number]
    same = [each for each in stages if reason_words.stage_text(each)[1] == alarm["words"]]
    return max(map(danger.level, same or stages), default=danger.WARNING)
