"""The loop of the planner: it measures, plans, sends the schedule, and writes `plan.json`.

It plans at each full hour and when prices, jobs or warnings change. After a failure it tries again
each minute. A schedule acts only while its heartbeat is valid, and a plan that is too old has no
heartbeat: then the controller's own peak shaving and reserve act. So a failed feed, a planner that
hangs and a planner that has ended have the same result.
"""

import os
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from controller.planner import able, accounts, books, exact, inputs, planning, report, site_file
from controller.planner.accounts import Shadows
from controller.planner.daily import Daily
from controller.planner.measured import Measured
from controller.planner.planning import SLOT_S, Known, Planned
from controller.planner.sender import Sender
from controller.series.middle import median
from controller.state import plan_file
from controller.system import caught
from controller.system.local_days import number_of
from controller.system.paths import Say, why
from controller.system.utc import Clocks, WallClock, is_set

HOUR_S, SECOND_US = 3600, 1_000_000
CHECK_US, RETRY_US = 300 * SECOND_US, 60 * SECOND_US  # checks of inputs; pause after a failure
LATE_S = 60.0  # longest wait after the full hour for the recorder's last quarter
PLAN_OLD_US = 7200 * SECOND_US  # an older plan has no heartbeat
CLOCK_ERROR_US_MAX = 10 * SECOND_US  # as schedule_clock_ms_max of the controller
NIGHT_HOUR = 2  # local time from which the share of the optimum is computed anew
NO_SHARE: tuple[float | None, int] = (None, 0)
LINES_MAX = 100  # messages about unexpected errors
REMEDY = "give it a time source (NTP)"


class Places(NamedTuple):
    """Files and folders of a planner. trusts_clock: for a rig without a time source."""

    site: str
    run_directory: str
    state_directory: str
    out_directory: str
    key_path: str
    source: str = "planner"
    trusts_clock: bool = False


class TimedPlan(NamedTuple):
    """One plan. first: number of its first quarter; known: its inputs."""

    planned: Planned
    known: Known
    habit: str
    first: int
    uptime_us: int
    utc_s: float
    slots: list[dict[str, Any]]
    short: list[str]  # at most one line about a reserve that is not reached


class Process:
    """`step` does what is due. say(line): shows a message to the operator."""

    def __init__(self, places: Places, say: Say, clocks: Clocks | None = None):
        """Raises ConfigError for a wrong planner.toml, OSError for a state directory."""
        self._places, self._say = places, say
        self._planner = planner = site_file.load(places.site)
        self._site, self._wall = planner.site, WallClock(clocks)
        self._inputs, self._daily = inputs.Inputs(planner), Daily(planner.site)
        self._feeds: inputs.Given | None = None
        self._books = books.Books(places.state_directory, planner.zone)
        self._measured = Measured(places.run_directory, planner.site, planner.zone)
        self._sender = Sender(places.run_directory, places.source, places.key_path)
        self._last = caught.Last("planner: tried again", LINES_MAX, say)
        self._series: books.Series | None = None
        self._shadows, self._share, self._share_day = Shadows(planner.site), NO_SHARE, -1
        self._now_us = self._check_us = self._retry_us = self._hour = 0
        self._written = self._looked = 0  # quarters
        self._now_s = 0.0
        self._current: TimedPlan | None = None
        self._expected = dict[int, dict[str, Any]]()  # slot of the plan by number of the quarter
        self._waits, self._by_file = dict[str, str](), list[str]()
        self._rows = list[books.Quarter]()  # of the books, by the usual battery
        self._is_changed = True

    def step(self) -> bool:
        """Do what is due. True when the shadows (accounts.py) have more to simulate."""
        self._now_us, step_us = self._wall.poll()
        self._now_s = int(self._wall.utc(self._now_us)) / SECOND_US
        if step_us:  # the slots of a plan count by the clock
            self._current, self._retry_us, self._hour = None, 0, 0
        for action in (self._measure, self._plan, self._send):
            with self._last:
                action()
        more = False
        with self._last:
            more = self._shadow()
        if self._is_changed or self._now != self._written:  # an old file means a dead planner
            self._is_changed, self._written = False, self._now
            with self._last:
                self._write()
        return more

    @property
    def _now(self) -> int:
        """Number of this quarter of an hour since 1970, UTC."""
        return int(self._now_s // SLOT_S)

    def _local(self) -> datetime:
        return datetime.fromtimestamp(int(self._now_s), self._planner.zone)

    def _wait(self, subject: str, line: str) -> None:
        """Keep the reason for waiting, "" for none. A new reason is logged."""
        if line != self._waits.get(subject, ""):
            self._is_changed = True
            if line:
                self._say(f"planner waits: {line}")
        self._waits[subject] = line

    # -- quarters of an hour that have ended

    def _measure(self) -> None:
        """Take new quarters of the recorder into the books."""
        is_new = self._measured.look()
        self._wait("measured", self._measured.line)
        if not is_new and self._now == self._looked:
            return
        self._looked = self._now
        self._books.look(self._now)
        ended = self._measured.ended(self._now)
        fresh = [slot for slot in ended if self._books.lacks(slot, self._measured.powers_W(slot))]
        if fresh:
            self._add_to_books(fresh)
        values = self._measured.able(self._now)
        self._daily.site = able.site_of(self._site, values, itemgetter(-1))
        self._daily.usual = self._shadows.site = usual = able.site_of(self._site, values, median)
        self._by_file = able.doubts(values)
        self._rows = books.worn(self._books.rows, usual.full_J / self._site.full_J)
        self._series = books.series_of(self._rows)
        self._measured.forget()

    def _add_to_books(self, fresh: list[int]) -> None:
        feeds, line = self._read(), ""
        rows = [self._measured.quarter(slot, feeds, self._expected.pop(slot, {})) for slot in fresh]
        try:
            self._books.add(rows, self._now)
        except OSError as error:
            line = f"books: {self._places.state_directory}: {why(error)}"
        self._wait("books", line)
        self._is_changed = True

    # -- the plan

    def _read(self) -> inputs.Given:
        self._feeds = feeds = self._inputs.read(self._now_s, self._now_us / SECOND_US)
        self._check_us = self._now_us + CHECK_US
        return feeds

    def _plan(self) -> None:
        """Plan at the full hour, after a change of the inputs, and again after a failure."""
        is_day = is_set(self._wall.utc(self._now_us))
        self._wait("day", "" if is_day else f"the clock of this box is not set: {REMEDY}")
        if not is_day or not self._is_due():
            return
        self._hour, self._retry_us = -1, self._now_us + RETRY_US
        self._is_changed, plan = True, self._planned(self._read())
        if plan is None:
            return
        self._hour, self._current = int(self._now_s // HOUR_S), plan
        self._expected |= {plan.first + index: slot for index, slot in enumerate(plan.slots)}
        self._sender.renew()
        self._say(report.of_plan(plan.planned, plan.habit, plan.known.time))

    def _is_due(self) -> bool:
        is_check = self._now_us >= self._check_us and self._hour >= 0
        if is_check and self._current and self._is_news(self._current, self._read()):
            return True
        hour, since_s = divmod(self._now_s, HOUR_S)
        if hour == self._hour or self._now_us < self._retry_us:
            return False
        return self._measured.newest(self._now) >= self._now - 1 or since_s >= LATE_S

    def _is_news(self, plan: TimedPlan, feeds: inputs.Given) -> bool:
        """True if prices, jobs or warnings differ from those of the last plan, within its slots."""
        passed, count = self._now - plan.first, len(plan.slots)
        kinds = "price_per_kWh", "load_W", "warned"
        pairs = [(getattr(feeds, kind), getattr(plan.known, kind)) for kind in kinds]
        return any([list(old[passed:count]) != new[: count - passed] for new, old in pairs])

    def _planned(self, feeds: inputs.Given) -> TimedPlan | None:
        charge = self._measured.charge(self._now)
        missing = [*feeds.lacks, *(["state of charge"] if charge is None else [])]
        self._wait("inputs", f"unknown: {', '.join(missing)}" if missing else "")
        peaks_W, yielded_h = self._month()
        known = inputs.known(feeds, (charge or 0.0) * self._daily.site.full_J, peaks_W)
        if known is None or missing:
            return None
        known = known._replace(yielded_h=yielded_h)
        planned = self._daily.planned(known)
        slots = report.slots(self._daily.site, known, planned, feeds.carbon_g_per_kWh)
        short, moment = report.short_of(known, planned), (self._now, self._now_us, self._now_s)
        return TimedPlan(planned, known, self._daily.habit.name, *moment, slots, short)

    def _month(self) -> tuple[list[float], float]:
        """The month's highest billed imports so far, and hours in which the load was lowered."""
        series, now = self._series, self._local()
        nothing = accounts.peaks_W(self._site, now, []), 0.0
        if series is None:
            return nothing
        first = accounts.month_begin(series)
        start = planning.later(series.start, first)
        if (start.year, start.month) != (now.year, now.month):
            return nothing
        outcome = accounts.part(series, first, len(series.grid_W))[1]
        return accounts.peaks_W(self._site, start, outcome.grid_W), outcome.yielded_h

    # -- the controller

    def _send(self) -> None:
        """Renew heartbeat and schedule, unless the plan is too old or the clock is not sure."""
        plan = self._current
        if plan is None or self._now_us - plan.uptime_us > PLAN_OLD_US or self._is_unsure():
            return
        rows = plan.planned.rows[self._now - plan.first :]
        if self._sender.step(self._now_us, self._now * SLOT_S // 60, rows):
            if self._sender.sent.at_us == self._now_us:
                self._sent_at, self._is_changed = self._local().isoformat(), True
            self._wait("send", self._sender.line)
            self._wait("schedule", self._sender.sent.waits)

    def _is_unsure(self) -> bool:
        """True if the clock may be wrong by too much. No plan is sent then."""
        _, source, error_us = self._wall.label(self._now_us)
        is_sure = error_us is not None and error_us <= CLOCK_ERROR_US_MAX
        is_sure |= self._places.trusts_clock
        line = f"the clock of this box is not sure (its source: {source}): {REMEDY}"
        self._wait("clock", "" if is_sure else line)
        return not is_sure

    # -- for people

    def _shadow(self) -> bool:
        """Simulate one hour of the habits. Once a night, compute the share of the optimum."""
        series, feeds = self._series, self._feeds
        if series is None or feeds is None:
            return False
        now = self._local()
        if self._share_day != now.day and (now.hour >= NIGHT_HOUR or self._share_day < 0):
            self._share, self._share_day = accounts.share(self._daily.usual, series), now.day
            self._is_changed = True
            return True
        missing = number_of(feeds.time) - self._books.newest - 1
        before = feeds.past_price_per_kWh[-missing:] if missing > 0 else []
        return self._shadows.step(series, [*before, *feeds.price_per_kWh])

    def _write(self) -> None:
        plan, feeds, sent = self._current, self._feeds, self._sender.sent
        doubts = [*(plan.short if plan else []), *(feeds.doubts if feeds else []), *self._by_file]
        now, series = self._local(), self._series
        next_s = (self._now_s // HOUR_S + 1) * HOUR_S
        month = report.no_month(now)
        if series is not None:
            month = accounts.month(self._site, series, self._share, self._shadows.costs(series))
        charge, full_Wh = self._measured.charge(self._now), self._daily.site.full_J / exact.J_PER_WH
        content = report.content(
            at=now.isoformat(),
            zone=str(self._planner.zone),
            currency=self._site.tariff["currency"],
            site=self._places.site,
            made_at=plan and _iso(plan.utc_s, now),
            next_at=_iso(next_s, now),
            habit=plan and plan.habit,
            cap_W=plan and plan.planned.cap_W,
            stored_Wh=None if charge is None else charge * full_Wh,
            full_Wh=full_Wh,
            sent=sent.code and {"at": self._sent_at, "code": sent.code, "text": sent.text} or None,
            waits=report.lines(list(filter(None, self._waits.values()))),
            doubts=report.lines(doubts),
            slots=plan.slots if plan else [],
            actual=report.actual(self._site, self._rows),
            month=month,
        )
        line = ""
        try:
            plan_file.written(os.path.join(self._places.out_directory, plan_file.FILE), content)
        except OSError as error:
            line = f"plan.json: {self._places.out_directory}: {why(error)}"
        self._wait("file", line)
        self._is_changed |= bool(line)


def _iso(at_s: float, now: datetime) -> str:
    return datetime.fromtimestamp(int(at_s), now.tzinfo).isoformat()
