"""The balance of the site in each tick: a signal that contradicts the others becomes unknown.

A broken contact of the transfer switch would choose the wrong mode. So would an engine that reports
"stopped" while it carries the bus. The naive check adds up all powers and doubts a signal as soon
as the sum is not 0. But readings of different moments do not add up while a load moves.

    grid + PV + sets + battery = load + unmetered draw (the algebra: ../base/balance.py)

    sum not 0 in one direction, or above a rating --> a timer counts up to SET_MS: contradicted
    no contradiction                              --> the timer counts down, more slowly
    no contradiction for CLEAR_MS                 --> the signal counts again
    PV power jumps, and the sum stays             --> it really jumped: it counts at once
    PV power jumps, and the sum jumps with it     --> only the report jumped: ../base/integrity.py

A contradicted signal of a device is unknown to every other function (DeviceView.doubted). If the
contact of the transfer switch is wrong, the source is the grid. If the contact is doubtful, the
source is unknown, and the limits of the connection act. A contradicted meter is unknown to the
other functions while the site is on the grid. The obligation of the connection then follows the
other meter.
"""

from array import array

from controller.core.base import balance
from controller.core.base.balance import FIRST, FORMING, LOAD, SOURCE, Readings, Source, Verdict
from controller.core.base.integers import step_timer
from controller.core.policies.balance_words import (
    TEXTS,
    Engine,
    State,
    Timer,
    contradicted,
    genset_source,
    power_and_rating,
    signals,
)
from controller.core.policies.contract import BALANCE, DeviceView, Found, Function, Known, Setup
from controller.core.policies.known import GRID, ISLAND
from controller.core.policies.rest import CHECK_MS, Rest
from controller.core.policies.source_reports import gives

# Time until a contradiction counts. It is shorter for the contact, and for the meters on the grid,
# because the limit of the connection does not act until then. Both are read every 0.1 s.
SET_MS, URGENT_SET_MS = 5000, 2000
CLEAR_MS = 10_000  # time without a contradiction until the signal counts again
LEAK_PARTS = 4  # the timer runs back slowly, because a jumping signal is sometimes right by chance
CALM_MS = 3000  # the load is calm after this time, the largest age of a reading (records.STALE)
STILL_MS = 1000  # within this time a working meter shows another power
# If the grid meter shows no power for this time, the grid may have failed and the contact of the
# transfer switch be broken, so a set that then gives power starts the check. But sets that carry
# the load can also hold a sound grid at 0.
QUIET_MS = 60_000
MS_MAX = 1_000_000_000


class SiteBalance(Function):
    """Finds the source of the site and the contradicted signals, before the mode is found."""

    state: State
    NAME, STAGE = "site_balance", BALANCE
    READS = (
        "battery_W",
        "contact",
        "grid_W",
        "grid_meter_W",
        "is_load_low",
        "is_reported_forming",
        "load_meter_W",
        "reported_forming_W",
        "setpoint_W",
        "shown_W",
    )
    BEFORE = ("is_off_grid",)
    WRITES = (
        "forming_W",
        "is_carried_by_sets",
        "is_forming",
        "is_grid_wrong",
        "is_load_wrong",
        "is_meter_disputed",
        "source",
        "unmetered_W",
    )
    OUTPUTS = "balance_wrong", "balance_doubtful"  # a bit for each of `signals`
    TEXTS = TEXTS

    def __init__(self, setup: Setup):
        settings = setup.settings
        self._sets = setup.site.engines
        self._inverters = setup.site.inverters
        self._sources = self._sets + self._inverters
        self.state = State.zero()
        self.rest = Rest(setup, self.state)
        self._tick_ms, self._rated_W = setup.tick_ms, setup.rated_W
        self._import_W_max = settings["grid_import_W_max"]
        self._engines = [Engine.zero() for _ in self._sets]
        # timers of each signal: it is wrong, it is doubtful
        self._timers = [(Timer.zero(), Timer.zero()) for _ in self.signals()]
        self.more = *self._engines, *[timer for pair in self._timers for timer in pair]
        self.out = array("i", [0, 0])
        self._applied = 0

    def signals(self) -> list[tuple[str, int]]:
        """(name, reason code while it is contradicted) of each signal, by its number."""
        return signals(self._sets, self._inverters)

    def contradicted(self) -> list[tuple[str, int]]:
        """(name, reason code) of each wrong signal, then of each doubtful signal."""
        return contradicted(self.signals(), *self.out)

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[()]:
        """Make contradicted signals unknown to the other functions. There is no answer."""
        findings.source, findings.is_forming = known.contact, known.is_reported_forming
        findings.forming_W = known.reported_forming_W
        is_off_grid, state = known.contact == ISLAND, self.state
        if not (
            self._sources or self.rest.are_meters_compared or is_off_grid or state.is_timer_running
        ):
            return ()
        passed_ms = elapsed_ticks * self._tick_ms
        doubted = self.rest.judge_jumps(known, is_off_grid, passed_ms)
        state.passed_ms += passed_ms
        if state.passed_ms >= CHECK_MS:
            self._check(known, findings, is_off_grid, state.passed_ms)
            state.passed_ms = 0
        self._apply(findings, doubted)
        return ()

    def _check(self, known: Known, findings: Found, is_off_grid: bool, passed_ms: int) -> None:
        state = self.state
        for engine, device in zip(self._engines, self._sets):
            self._watch(engine, device, passed_ms)
        self._look_at_meters(known, passed_ms)
        rest_W = self.rest.now_W(known)
        if is_off_grid or self._is_disputed(known, rest_W):
            site = self._readings(known, findings, is_off_grid)
            self._run_timers(self._judged(site), is_off_grid, passed_ms)
            battery_W = site.battery_W or 0
            follows = abs(battery_W - site.setpoint_W) < balance.tolerance_W(self._rated_W)
            # a converter that forms the voltage follows the load instead of its set-point
            is_shown = known.shown_W is not None or not follows
            state.is_formed = known.is_reported_forming and (state.is_formed or is_shown)
            state.is_carried = not state.is_formed and balance.carries(site)
        else:
            state.is_formed = state.is_carried = 0
            if not findings.is_off_grid:
                self.rest.learn(known, rest_W)

    def _is_disputed(self, known: Known, rest_W: int | None) -> bool:
        """True if the meters differ or a timer runs. Also true if a set gives power, and either its
        engine does not report "running" or the grid meter has shown no power for QUIET_MS.
        """
        state = self.state
        if known.grid_W is None or not state.is_learnt or not self.rest.are_meters_compared:
            rest_W = None
        if rest_W is not None and abs(rest_W - (state.others >> 16)) > self._import_W_max:
            return True
        for device in self._sets:
            power_W = device.reported("power_W") or 0
            is_explained = state.quiet_ms < QUIET_MS and device.reported("is_running")
            if not is_explained and power_W >= balance.NOISE_W_MIN:
                return True
        return state.is_timer_running != 0

    def _watch(self, engine: Engine, device: DeviceView, passed_ms: int) -> None:
        """Count how long an engine has been asked to run, and how long it has been warming up."""
        now = device.reported("is_running")
        is_risen = now == 1 and engine.is_heard and not engine.runs
        if now is not None:
            engine.runs, engine.is_heard = now, 1
        is_asked, warm_ms = device.sent("run") != 0, engine.warm_ms
        engine.asked_ms = min(engine.asked_ms + passed_ms, MS_MAX) if is_asked else 0
        if is_risen or warm_ms:
            is_warming = is_asked and now != 0 and not gives(device)
            engine.warm_ms = min(warm_ms + passed_ms, MS_MAX) if is_warming else 0

    def _readings(self, known: Known, findings: Found, is_off_grid: bool) -> Readings:
        state = self.state
        # a meter without current keeps its last value
        is_seen = state.grid_ms < STILL_MS if is_off_grid else state.quiet_ms < QUIET_MS
        # in a deep sag a meter answers, but wrongly
        is_load_shown = self.rest.are_meters_compared and not known.is_load_low
        return Readings(
            is_off_grid=is_off_grid,
            is_forming=known.is_reported_forming,
            is_dead=self.rest.is_load_fitted and (known.load_meter_W is None or known.is_load_low),
            is_calm=state.calm_ms >= CALM_MS,
            grid_W=known.grid_meter_W if is_seen else None,
            load_W=known.load_meter_W if is_load_shown else None,
            battery_W=known.battery_W,
            setpoint_W=findings.setpoint_W,
            battery_rated_W=self._rated_W,
            connection_W=self._import_W_max,
            unmetered_W=self.rest.unmetered_W,
            sets=tuple([genset_source(*pair) for pair in zip(self._engines, self._sets)]),
            inverters=tuple([Source(*power_and_rating(pv)) for pv in self._inverters]),
            is_contact_doubted=(state.wrong | state.doubtful) >> SOURCE & 1 != 0,
        )

    def _look_at_meters(self, known: Known, passed_ms: int) -> None:
        """Count how long the load has not moved, and the grid meter has shown the same value."""
        state, load_W, grid_W = self.state, known.load_meter_W or 0, known.grid_meter_W or 0
        state.calm_ms = min(state.calm_ms + passed_ms, MS_MAX)
        if abs(load_W - state.load_W) > balance.tolerance_W(load_W):
            state.load_W, state.calm_ms = load_W, 0
        state.grid_ms = min(state.grid_ms + passed_ms, MS_MAX)
        if grid_W != state.grid_W:
            state.grid_W, state.grid_ms = grid_W, 0
        state.quiet_ms = min(state.quiet_ms + passed_ms, MS_MAX)
        if abs(grid_W) >= balance.noise_W(2 * self._import_W_max):
            state.quiet_ms = 0

    def _judged(self, site: Readings) -> Verdict:
        wrong, doubtful = balance.judge(site)
        for place, device in enumerate(self._sets):
            # A flapping report (debounce.py) is wrong: no engine starts and stops every second.
            if device.reported("is_running") is not None and device.settled("is_running") is None:
                wrong |= 1 << FIRST + 2 * place + 1
        return Verdict(wrong, doubtful)

    def _run_timers(self, verdict: Verdict, is_off_grid: bool, passed_ms: int) -> None:
        """Count how long each signal has been contradicted, and find the contradictions
        that count.
        """
        state = self.state
        if not (verdict.wrong | verdict.doubtful | state.is_timer_running):
            return
        wrong = doubtful = is_running = 0
        urgent_signals = (SOURCE,) if is_off_grid else (SOURCE, balance.GRID, LOAD)
        for number, timers in enumerate(self._timers):
            set_ms, bit = URGENT_SET_MS if number in urgent_signals else SET_MS, 1 << number
            for timer, mask in zip(timers, verdict):
                now = timer.ms, timer.is_effective, mask & bit != 0
                timer.ms, timer.is_effective = step_timer(
                    *now, passed_ms, (set_ms, CLEAR_MS, LEAK_PARTS)
                )
                is_running |= timer.ms != 0
            wrong |= bit * timers[0].is_effective
            doubtful |= bit * timers[1].is_effective
        state.wrong, state.doubtful, state.is_timer_running = wrong, doubtful, is_running

    def _apply(self, findings: Found, doubted: int) -> None:
        """Make contradicted signals unknown, also in the first tick after a restart. doubted: a bit
        for each power that jumps against the others.
        """
        wrong, doubtful = self.state.wrong | doubted, self.state.doubtful
        findings.is_carried_by_sets = self.state.is_carried != 0
        findings.is_load_wrong = wrong >> LOAD & 1 != 0
        findings.is_grid_wrong = wrong >> balance.GRID & 1 != 0
        findings.is_meter_disputed = self.state.is_timer_running != 0 and self._is_meter_disputed()
        findings.unmetered_W = self.rest.unmetered_W
        if wrong != self._applied:
            self._contradict(wrong)
        self.out[0], self.out[1] = wrong, doubtful
        is_source_uncertain = (wrong | doubtful) >> SOURCE & 1
        if is_source_uncertain:
            findings.source = GRID if wrong >> SOURCE & 1 else None
        if is_source_uncertain or wrong >> FORMING & 1:
            findings.is_forming, findings.forming_W = False, 0

    def _is_meter_disputed(self) -> bool:
        """True if the meters contradict each other, but not for long enough to count."""
        meters = [self._timers[number][0] for number in (balance.GRID, LOAD)]
        return any([meter.ms > 0 and not meter.is_effective for meter in meters])

    def _contradict(self, wrong: int) -> None:
        """Mark the contradicted signals of each device."""
        self._applied = wrong
        names = {name for number, (name, _) in enumerate(self.signals()) if wrong >> number & 1}
        for view in self._sources:
            device = view.device.name
            bits = [bit for signal, bit in view.bits.items() if f"{device}.{signal}" in names]
            view.doubted = sum(bits)
