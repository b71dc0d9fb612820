"""The view of a fleet for a person: the content of the broker's messages, kept for each cabinet.

A broker keeps the last report and gives it to a new reader at once, without its age. So the report
of a cabinet that is gone can look alive. Such a report counts only while the cabinet's topic
`online` does not say offline, and while the dispatcher, if it is alive, hears the cabinet too.
Pure: the caller gives messages and time. No message raises an exception.
"""

import collections
from typing import Any

from controller.dispatch import facts as published
from controller.dispatch.fleet import Cabinet, Fleet
from controller.dispatch.report import (
    FORM,
    NEVER_US,
    full_report,
    import_without_battery_W,
    is_live,
    state_of,
    taken,
)
from controller.forms.message import Facts
from controller.rows import danger, reason_words
from controller.system import caught
from controller.system.paths import printable
from safety import matrix

NAME_MAX = 64  # characters of a name
ODD_MAX = 20  # different faults that `odd` counts
LABEL_ROW = 800  # label of row 1 is R801
NOT_LENT = "the dispatcher does not hear it, or was started without it"


class CabinetView:
    """One cabinet by its messages. report: the last good one; before it, each field is None.
    shared: the facts that the dispatcher has published about the cabinet.
    """

    def __init__(self, cabinet: Cabinet):
        self.cabinet = cabinet
        self.report, self.heard_us = dict.fromkeys(FORM), NEVER_US
        self.was_heard_live = self.is_offline = False
        self.shared: Facts = {}
        self.shared_us = NEVER_US

    def hear(self, report: Facts, is_retained: bool, now_us: int) -> None:
        """Take a report."""
        self.report, self.heard_us = report, now_us
        self.was_heard_live = self.was_heard_live or not is_retained
        proves_online = not is_retained and report["state"] is not None
        self.is_offline = self.is_offline and not proves_online

    def hear_online(self, is_online: bool) -> None:
        """Take a message of its topic `online`."""
        self.is_offline = not is_online

    def hear_share(self, shared: Facts, now_us: int) -> None:
        """Take the facts that the dispatcher publishes about the cabinet."""
        self.shared, self.shared_us = shared, now_us

    @property
    def is_heard(self) -> bool:
        """True once a report has come."""
        return self.heard_us > NEVER_US

    def dispatcher_facts(self, now_us: int) -> Facts:
        """The facts that the dispatcher publishes about the cabinet. {} while they are too old."""
        return self.shared if is_live("", self.shared_us, now_us) else {}

    def silence(self, now_us: int) -> str:
        """The reason why nothing current is known; "" if the cabinet reports."""
        state = self.report["state"]
        if self.is_heard and state is None:
            return "no controller"  # then `online` says offline too
        if self.is_offline:
            return "offline"
        dispatcher_hears = self.dispatcher_facts(now_us).get("is_live", True)
        is_doubted = not (self.was_heard_live or dispatcher_hears)
        if is_live(state, self.heard_us, now_us) and not is_doubted:
            return ""
        return "silent" if self.is_heard else "not heard"


class Overview:
    """The cabinets of one file, and their dispatcher."""

    def __init__(self, fleet: Fleet):
        self.fleet, self._state_topic = fleet, published.topic(fleet.source)
        self.seen = {cabinet.name: CabinetView(cabinet) for cabinet in fleet.cabinets}
        self.odd = collections.Counter[str]()
        self.state: Facts = {}  # of the dispatcher
        self._state_us = NEVER_US  # time of the last state that was not retained
        self._last = caught.Last("is left out", told=lambda line: self._count("a message", line))

    @property
    def topics(self) -> list[str]:
        """The topics to subscribe to."""
        return ["firebreak/+/report", "firebreak/+/online", f"{self._state_topic}/#"]

    def hear(self, topic: str, payload: bytes, is_retained: bool, now_us: int) -> None:
        """Take a message of the broker."""
        with self._last.of(printable(topic)):
            self._take(topic, payload, is_retained, now_us)

    def _take(self, topic: str, payload: bytes, is_retained: bool, now_us: int) -> None:
        _, name, kind = [*topic.split("/"), "", ""][:3]
        seen = self.seen.get(name)
        if f"{topic}/".startswith(f"{self._state_topic}/"):
            self._hear_state(payload, is_retained, now_us)
        elif seen is None:
            self._count(name, "is not in the file")
        elif kind == "report":
            report, *wrong = full_report(payload, self.fleet.source)
            for fault in wrong:
                self._count(name, fault)
            if report is not None:
                seen.hear(report, is_retained, now_us)
        elif payload in (b"online", b"offline"):
            seen.hear_online(payload == b"online")
        else:
            self._count(name, "online has a wrong value")

    def _count(self, name: str, fault: str) -> None:
        """Count a fault of a message from this name."""
        key = f"{printable(name)[:NAME_MAX]} {fault}"
        if key in self.odd or len(self.odd) < ODD_MAX:
            self.odd[key] += 1

    def _hear_state(self, payload: bytes, is_retained: bool, now_us: int) -> None:
        outcome = state_of(payload)
        if isinstance(outcome, str):
            return self._count("the dispatcher", outcome)
        self.state, wrong = outcome
        for fault in wrong:
            self._count("the dispatcher", fault)
        if not is_retained:
            self._state_us = now_us
            for name in self.state["cabinets"].keys() & self.seen.keys():
                self.seen[name].hear_share(self.state["cabinets"][name], now_us)

    def is_complete(self) -> bool:
        """True if each cabinet has sent a message, and the dispatcher has published its facts."""
        cabinets = self.seen.values()
        return all(e.shared and (e.is_heard or e.is_offline) for e in cabinets)

    def dispatcher(self, now_us: int) -> Facts:
        """Facts of the dispatcher. silent_s: None unless it fell silent."""
        alive, state = is_live("", self._state_us, now_us), self.state
        is_silent = self._state_us > NEVER_US and not alive
        return {
            "is_live": alive,
            "silent_s": (now_us - self._state_us) // 1_000_000 if is_silent else None,
            "last_utc_us": state.get("utc_us"),
            "epoch": state.get("epoch"),
            "connection_W": state.get("connection_W"),
            "lends_in_s": state.get("lends_in_s"),
        }

    def cabinets(self, now_us: int) -> dict[str, Facts]:
        """The facts of each cabinet, in the order of the file."""
        return {name: self._cabinet(seen, now_us) for name, seen in self.seen.items()}

    def _cabinet(self, seen: CabinetView, now_us: int) -> Facts:
        silence, cabinet, report = seen.silence(now_us), seen.cabinet, seen.report
        shared = seen.dispatcher_facts(now_us)
        is_dispatcher_live = is_live("", self._state_us, now_us)
        is_unheard = is_dispatcher_live and not (silence or shared.get("is_live"))
        permille = cabinet.load_permille if self.fleet.is_common else None
        load_W: Any = import_without_battery_W(taken(report), permille)
        battery_W = report["battery_W"]
        facts = {
            "is_live": not silence,
            "silence": silence,
            "heard_s": (now_us - seen.heard_us) // 1_000_000 if seen.is_heard else None,
            **{name: report[name] for name in report if name not in ("share", "clock")},
            "load_part_W": load_W,
            "import_W": None if None in (load_W, battery_W) else load_W - battery_W,
            "is_clock_trusted": report["clock"],
            "danger_level": danger_level(report["alarm"]),
            **_share(seen, shared, now_us),
            "hold_W": shared.get("hold_W"),
            "last_load_W": shared.get("load_W"),
            "fallback_W": cabinet.fallback_W,
            "load_permille": cabinet.load_permille,
            "short_W": shared.get("short_W"),
            "problem": shared.get("problem", "") or (NOT_LENT if is_unheard else ""),
            "DERControl": shared.get("DERControl", []),
            "DefaultDERControl": published.default(cabinet.fallback_W),
        }
        return {**facts, **published.status(facts)}


def _share(seen: CabinetView, shared: Facts, now_us: int) -> Facts:
    """The share in force and its remaining time. While the dispatcher is heard, its facts count,
    which come from signed answers; otherwise the report counts. Without a share the fallback holds.
    """
    fallback_W, own_share = seen.cabinet.fallback_W, seen.report["share"]
    reported = (
        _aged(own_share["value_W"], own_share["valid_s"] or 0, now_us - seen.heard_us, fallback_W)
        if own_share
        else None
    )
    share, origin = reported, "cabinet" if own_share else None
    if shared:
        share_W, left_s = shared["share_W"], shared["left_s"]
        share = origin = None
        if None not in (share_W, left_s):
            share, origin = (
                _aged(share_W, left_s, now_us - seen.shared_us, fallback_W),
                "dispatcher",
            )
    share_W, left_s = share or (fallback_W, 0)
    return {
        "share_W": share_W,
        "left_s": left_s,
        "share_from": origin,
        "reported_share_W": reported and reported[0],
    }


def _aged(value_W: int, valid_s: int, age_us: int, fallback_W: int) -> tuple[int, int]:
    """The share after age_us and its remaining time. valid_s 0: it has no end."""
    left_s = max(0, valid_s * 1_000_000 - age_us) // 1_000_000
    has_ended = valid_s and not left_s
    return (fallback_W if has_ended else value_W), left_s


def danger_level(alarm: Facts | None) -> int:
    """The danger level (controller/rows/danger.py) of a cabinet's worst alarm, by its label and
    words. WARNING if this release does not know the alarm.
    """
    if alarm is None:
        return danger.WARNING
    label = alarm["label"]
    number = int(label[1:]) - LABEL_ROW if label[:1] == "R" and label[1:].isdecimal() else 0
    stages = [stage for stage in matrix.STAGES if stage[matrix.S_ROW] == number]
    same = [stage for stage in stages if reason_words.stage_text(stage)[1] == alarm["words"]]
    return max(map(danger.level, same or stages), default=danger.WARNING)
