"""The dispatcher without its transport: it takes reports and answers, and returns signed datagrams.

A value that falls is sent at once. A value that rises is sent as far as the ledger has room, so it
waits for the answers to the others' lowerings. Each cabinet gets its value and a heartbeat again
within 20 s, because a hint lasts a minute. Pure: the caller gives the time.
"""

import collections
import random
from collections.abc import Iterable, Sequence
from typing import Any

from controller.core.base import hint_codes as h
from controller.dispatch import targets
from controller.dispatch.common_load import CommonLoad
from controller.dispatch.fleet import Fleet
from controller.dispatch.ledger import Ledger
from controller.dispatch.member import AGAIN_US, Member
from controller.dispatch.report import NEVER_US, Report, import_without_battery_W
from controller.system import caught

# Part of the spare power that is lent before it is needed, if each cabinet has its own load. Such
# loads rise one by one, so the rest can be granted at once where it is needed.
OWN_LENT_PERMILLE = 500
PLAN_US, PLAN_EACH_US = 500_000, 200  # least time between two plans, and its part per cabinet
STEP_PERMILLE = 5  # of the mean share: smaller changes are not sent
NAMES_MAX = 8  # in a sentence
Sent = tuple[str, bytes]  # name of a cabinet, datagram


class Dispatcher:
    """One fleet. `counts`: {kind of event: how often it occurred}."""

    def __init__(
        self,
        fleet: Fleet,
        epoch: int,
        now_us: int,
        is_taken: bool = False,
        without: Iterable[str] = (),
        seed: int | None = None,
    ):
        """is_taken: another dispatcher may still run. without: cabinets that a person has
        disconnected; they count with their fallbacks until they are heard.
        """
        self.fleet = fleet
        draw = random.Random(seed)
        self.members = [
            Member(cabinet, fleet.source, place, now_us, draw)
            for place, cabinet in enumerate(fleet.cabinets)
        ]
        self._by_name = {member.cabinet.name: place for place, member in enumerate(self.members)}
        self.ledger = Ledger(
            fleet.connection_W,
            [member.cabinet.fallback_W for member in self.members],
            epoch,
            now_us,
            is_taken,
            [self._by_name[name] for name in without],
        )
        self._planner = targets.Planner(
            len(self.members), fleet.hold_h, 1000 if fleet.is_common else OWN_LENT_PERMILLE
        )
        self._targets = targets.Targets([member.value_W for member in self.members], 0, 0)
        self._planned_us = NEVER_US
        self._common = CommonLoad(self.members, now_us)
        self.counts = collections.Counter[str]()
        self._heard, self._waiting = set[int](), set[int]()  # places of cabinets
        self.last = caught.Last("dispatch: a cabinet is left out of a turn", 20)  # lines

    # -- what comes in

    def hear_report(self, name: str, report: Report | None, now_us: int) -> None:
        """Take a report of a cabinet. None: its message was no report."""
        place = self._by_name.get(name)
        if place is None or report is None:
            self.counts["foreign_cabinet" if report else "wrong_report"] += 1
            return
        member = self.members[place]
        if report.state is not None:
            self.ledger.connected(place)
        self.counts["reports"] += 1
        permille = member.cabinet.load_permille if self.fleet.is_common else None
        load_W = import_without_battery_W(report, permille)
        member.reported(report, load_W, now_us)
        if load_W is not None and load_W > member.value_W and not self.fleet.is_common:
            # Grant it now, before the next plan, from power that is not lent yet.
            self._targets.values_W[place] = max(self._targets.values_W[place], load_W)
            self._heard.add(place)

    def hear_answer(self, name: str, data: bytes, now_us: int) -> None:
        """Take a datagram from the answer topic of a cabinet."""
        place = self._by_name.get(name)
        heard = None if place is None else self.members[place].exchange.heard(data, now_us)
        if place is None or heard is None:
            self.counts["foreign_answer"] += 1
            return
        member = self.members[place]
        self.counts["answers"] += 1
        member.hear(heard, h.text(heard.code)[0], now_us)
        self._heard.add(place)
        if heard.is_newest:
            member.compare_fallback(heard.fallback_W)
            is_kept = not member.exchange.problem
            self.ledger.note_fallback(place, heard.fallback_W if is_kept else None)
        if heard.counts:
            before = self.ledger.answered(
                place, heard.sequence, heard.value_W, heard.left_ms, now_us
            )
            if before is not None:
                member.note(heard, before, now_us)
        elif not h.taken(heard.code):
            name = h.text(heard.code)[0] if heard.code in h.TEXTS else "unknown code"
            self.counts[f"refused_{name.replace(' ', '_')}"] += 1
            if heard.code == h.OTHER_BOOT and not member.problem:
                member.restarted(now_us)

    @property
    def deposed(self) -> str:
        """Names of the cabinets that take the hints of a later dispatcher. "" if only one of
        several cabinets does so, because a single cabinet may be wrong.
        """
        names = [member.cabinet.name for member in self.members if member.exchange.is_deposed]
        return ", ".join(names[:NAMES_MAX]) if len(names) >= min(2, len(self.members)) else ""

    # -- what goes out

    def step(self, now_us: int) -> list[Sent]:
        """The datagrams to send."""
        datagrams = list[Sent]()
        members = self.members
        order = sorted(
            self._due(now_us), key=lambda place: self._wanted_W(place) >= members[place].value_W
        )
        for place in order:  # values that fall go first
            with self.last.of(members[place].cabinet.name):
                datagrams += self._datagrams(place, now_us)
        return datagrams

    def _due(self, now_us: int) -> Sequence[int]:
        """Places of the cabinets to look at. After a new plan these are all; otherwise those that
        have answered, and those that wait for power that an answer may have freed.
        """
        heard, self._heard = self._heard, set()
        count = len(self.members)
        if now_us - self._planned_us >= max(PLAN_US, count * PLAN_EACH_US):
            self._planned_us = now_us
            self.ledger.forget_ended(now_us)
            with self.last.of("all: they keep their last values"):
                self._plan(now_us)
            self._waiting = {
                place
                for place, member in enumerate(self.members)
                if self._wanted_W(place) > member.value_W + self._step_W
            }
            return range(count)
        return sorted(heard | self._waiting) if heard else ()

    @property
    def _step_W(self) -> int:
        """A smaller change of a value is not sent."""
        return self.fleet.connection_W * STEP_PERMILLE // 1000 // len(self.members)

    def _wanted_W(self, place: int) -> int:
        return self._targets.values_W[place]

    def _datagrams(self, place: int, now_us: int) -> list[Sent]:
        """A heartbeat if one is due, and the value if it changes or must be renewed."""
        member = self.members[place]
        exchange, name = member.exchange, member.cabinet.name
        datagrams: list[Sent] = []
        if member.is_due(now_us):
            member.heartbeat_sent(now_us)
            datagrams.append((name, exchange.heartbeat(self.ledger.next_sequence(), now_us)))
        is_ready = exchange.is_fenced and member.is_live(now_us)
        if exchange.needs_clock(now_us) or member.is_withheld or not is_ready:
            return datagrams
        value_W = self._next_W(place, now_us)
        if value_W is not None and self.ledger.fits(place, value_W, now_us):
            sequence = self.ledger.next_sequence()
            self.ledger.sent(place, sequence, value_W, now_us)
            member.limit_sent(value_W, now_us)
            datagrams.append((name, exchange.hint(sequence, value_W, now_us)))
        return datagrams

    def _next_W(self, place: int, now_us: int) -> int | None:
        """The value to send now; None: nothing is to be sent."""
        member = self.members[place]
        fallback_W, age_us = member.cabinet.fallback_W, now_us - member.hint_us
        wanted_W = min(max(self._wanted_W(place), fallback_W), self.ledger.most_W(place))
        if member.problem:
            wanted_W = fallback_W
        value_W = min(wanted_W, self.ledger.room_W(place, now_us))
        if value_W < member.value_W <= wanted_W:
            return None  # do not lower a needed share because others' holds are high for a moment
        is_moved = abs(value_W - member.value_W) > self._step_W
        if is_moved or age_us >= member.renew_us:
            return value_W
        if not member.is_answered and age_us >= AGAIN_US:
            return member.value_W
        return None

    def _plan(self, now_us: int) -> None:
        views = [self._view(place, now_us) for place in range(len(self.members))]
        unseen_W = rise_W = 0
        if self.fleet.is_common:
            self._common.note(now_us, sum(view.load_W for view in views))
            unseen_W, rise_W = int(self._common.unseen_W), self._common.rise_W(now_us)
        self._targets = self._planner.step(
            views, self.fleet.connection_W - unseen_W, max(self.fleet.spare_W, rise_W)
        )

    def _view(self, place: int, now_us: int) -> targets.View:
        """A cabinet whose facts cannot be judged counts as silent, with its last value."""
        member = self.members[place]
        with self.last.of(member.cabinet.name):
            return self._known_view(place, now_us)
        load_W = max(member.load_W, member.value_W)
        return targets.View(load_W, 0, member.cabinet.fallback_W, False, 1)

    def _known_view(self, place: int, now_us: int) -> targets.View:
        member = self.members[place]
        is_lent_on = self.ledger.is_lent_on(place) and not self.ledger.lends_in_s(now_us)
        member.judge(now_us, is_lent_on)
        is_live, load_W = member.is_live(now_us), member.load_W
        if not is_live and self.fleet.is_common:
            load_W = self._common.load_W(now_us) * member.cabinet.load_permille // 1000
        if not is_live:
            load_W = max(load_W, self.ledger.hold_W(place, now_us))
        can_give = is_live and member.exchange.is_known and not member.problem
        return targets.View(
            load_W,
            discharge_W=member.report.discharge_W_max if can_give else 0,
            fallback_W=member.cabinet.fallback_W,
            is_live=is_live,
            part=member.cabinet.load_permille or 1,
            report=member.report,
        )

    # -- what is shown

    def problems(self) -> list[tuple[str, str]]:
        """(name, problem) of each cabinet that cannot be lent to."""
        return [(m.cabinet.name, m.problem) for m in self.members if m.problem]

    def facts(self, now_us: int, places: range) -> dict[str, Any]:
        """The state of the fleet in SI units. places: those of the cabinets to show."""
        cabinets = {}
        for place in places:
            with self.last.of(name := self.members[place].cabinet.name):
                cabinets[name] = self._shown(place, now_us)
        return {
            "connection_W": self.fleet.connection_W,
            "epoch": self.ledger.epoch,
            "lends_in_s": self.ledger.lends_in_s(now_us),
            "held_back_W": self._targets.held_W,
            "short_W": self._targets.short_W,
            "cabinets": cabinets,
            "counts": {**self.counts, "faults": self.last.count},
        }

    def _shown(self, place: int, now_us: int) -> dict[str, Any]:
        member, share = self.members[place], self.ledger.shares[place]
        share_W, left_s = member.share(share, now_us)
        return {
            "is_live": member.is_live(now_us),
            "share_W": share_W,
            "left_s": left_s,
            "short_W": member.short_W,
            "hold_W": self.ledger.hold_W(place, now_us),
            "fallback_W": member.cabinet.fallback_W,
            "load_W": member.load_W,
            "problem": member.problem,
            "DERControl": member.controls(share, now_us),
        }
