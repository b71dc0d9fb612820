"""The balance of the site in each tick: signals that the others contradict are unknown and named.

The algebra is in ../balance.py. Here are the times: a contradiction counts after it has lasted, and
a signal is believed again after a time without one. Readings of different moments do not add up
while a load moves, so the sum must stay open in one direction.

A device's signal that is contradicted is unknown to every other function (DeviceView.doubted). A
wrong contact of the transfer switch makes the source the grid, a doubtful one makes it unknown.
Then the limits of the connection act.
"""

from array import array

from controller.core import balance, contract
from controller.core.balance import FIRST, FORMING, LOAD, SOURCE, Readings, Source, Verdict
from controller.core.contract import DeviceView, Function, Setup
from controller.core.found import Found
from controller.core.integers import approach, low_pass
from controller.core.known import GRID, ISLAND, Known
from controller.core.policies.balance_words import TEXTS, contradicted, signals
from controller.core.policies.source_reports import gives

CHECK_MS = 100
# Until a contradiction counts; until it has ended. The limit of the connection does not act before
# a wrong contact counts. Contact and grid meter are read every 0.1 s.
SET_MS, SOURCE_SET_MS, CLEAR_MS = 5000, 2000, 10_000
LEAK_PARTS = 4  # a signal that jumps is right by chance: then the time goes back more slowly
OTHERS_MS = 30_000  # time constant of the draw that no meter sees
CALM_MS = 3000  # a reading of a device may be so old (records.STALE)
STILL_MS = 1000  # a meter that works shows another power by then
# The grid may have failed when its meter shows no power for so long: the contact of the transfer
# switch can be broken. But sets that carry the load can hold a sound grid at 0 as well.
QUIET_MS = 60_000
# Each change of an engine's report counts CHANGE_MS, and time counts them down: an engine does not
# start and stop every second.
CHANGE_MS, CHATTER_MS = 5000, 10_000
MS_MAX = 1_000_000_000

# Masks of the signals that are wrong, and doubtful. Time since the last check. Draw that no meter
# sees (W << 16), and whether it is known. Whether a converter has shown that it forms the voltage,
# and whether sets carry the load. Load meter at its last move, grid meter at its last change, and
# the time since each. Time since the grid meter last showed power. Whether any time runs. Then for
# each signal for how long it has been wrong, and doubtful (below 0: it counts, at least until 0).
S_WRONG, S_DOUBTFUL, S_PASSED_MS, S_OTHERS, S_IS_LEARNT, S_IS_FORMED, S_IS_CARRIED = range(7)
S_LOAD_W, S_CALM_MS, S_GRID_W, S_GRID_MS, S_QUIET_MS, S_IS_OPEN, S_TIMES = range(7, 14)
# For each set its last report, the count of its changes, for how long it has been asked to run, and
# for how long it has run as asked without power; 0: it does not.
WORDS = S_RUNS, S_CHANGES, S_ASKED_MS, S_WARM_MS = range(4)


def lasting_ms(before_ms: int, is_now: bool, passed_ms: int, set_ms: int) -> int:
    """A word of S_TIMES from one check to the next."""
    if before_ms < 0:
        return -CLEAR_MS if is_now else min(before_ms + passed_ms, 0)
    if not is_now:
        return max(0, before_ms - passed_ms // LEAK_PARTS)
    after_ms = before_ms + passed_ms
    return after_ms if after_ms < set_ms else -CLEAR_MS


class SiteBalance(Function):
    """The source of the site as it is believed; before the mode, which rests on it."""

    NAME, STAGE = "site_balance", contract.BALANCE
    READS = (
        *("battery_W", "contact", "grid_meter_W", "is_reported_forming", "load_meter_W"),
        *("reported_forming_W", "setpoint_W"),
    )
    BEFORE = ("is_off_grid",)
    WRITES = (
        *("forming_W", "is_carried_by_sets", "is_forming", "is_load_wrong", "others_W", "source"),
    )
    TEXTS = TEXTS

    def __init__(self, setup: Setup):
        settings = setup.settings
        self._sets = setup.site.feeding(is_engine=True)
        self._suns = setup.site.feeding(is_engine=False)
        self._tick_ms, self._rated_W = setup.tick_ms, setup.rated_W
        self._connection_W = settings["grid_import_W_max"]
        # Several cabinets do not see each other's batteries: then the sum is not known.
        self._is_whole = settings["share_permille"] == 1000
        self._is_load_fitted = bool(settings["load_meter_fitted"])
        self._others = low_pass(CHECK_MS, OTHERS_MS)
        self._of_sets = S_TIMES + 2 * len(self.signals())
        self.state = array("q", [0] * self._of_sets + [-1, 0, 0, 0] * len(self._sets))
        self.out = array("i", [0, 0])
        self._applied = 0

    @staticmethod
    def output_names(source_count: int) -> tuple[str, ...]:
        """See Function. A bit for each signal, in the order of `signals`."""
        return "balance_wrong", "balance_doubtful"

    def signals(self) -> list[tuple[str, int]]:
        """(name, reason code while it is contradicted) of each signal, by its number."""
        sets, suns = ([each.device.name for each in of] for of in (self._sets, self._suns))
        return signals(sets, suns)

    def contradicted(self) -> list[tuple[str, int]]:
        """(name, reason code) of each signal that is wrong, then of those that are doubtful."""
        return contradicted(self.signals(), *self.out)

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> tuple:
        """No answer: contradicted signals become unknown to the others."""
        found.source, found.is_forming = known.contact, known.is_reported_forming
        found.forming_W = known.reported_forming_W
        is_off_grid, state = known.contact == ISLAND, self.state
        if not (self._sets or is_off_grid or state[S_IS_OPEN]):
            return ()
        state[S_PASSED_MS] += elapsed_ticks * self._tick_ms
        if state[S_PASSED_MS] >= CHECK_MS:
            self._check(known, found, is_off_grid, state[S_PASSED_MS])
            state[S_PASSED_MS] = 0
        self._apply(found)
        return ()

    def _check(self, known: Known, found: Found, is_off_grid: bool, passed_ms: int) -> None:
        state = self.state
        for place, device in enumerate(self._sets):
            self._watch(self._of_sets + place * len(WORDS), device, passed_ms)
        self._look_at_meters(known, passed_ms)
        if is_off_grid or self._is_disputed():
            site = self._readings(known, found, is_off_grid)
            self._keep(self._judged(site), passed_ms)
            battery_W = site.battery_W or 0
            follows = abs(battery_W - site.setpoint_W) < balance.tolerance_W(self._rated_W)
            state[S_IS_FORMED] = known.is_reported_forming and (state[S_IS_FORMED] or not follows)
            state[S_IS_CARRIED] = not state[S_IS_FORMED] and balance.carries(site)
        else:
            state[S_IS_FORMED] = state[S_IS_CARRIED] = 0
            if not found.is_off_grid:
                self._learn(known)

    def _is_disputed(self) -> bool:
        """Only sets are compared on the grid: if one gives power without a report of its engine, or
        while no meter shows a grid.
        """
        for each in self._sets:
            power_W = each.reported("power_W") or 0
            is_known = self.state[S_QUIET_MS] < QUIET_MS and each.reported("is_running")
            if not is_known and power_W >= balance.NOISE_W_MIN:
                return True
        return self.state[S_IS_OPEN] != 0

    def _watch(self, at: int, device: DeviceView, passed_ms: int) -> None:
        """How often the report of an engine changes, for how long it has been asked to run, and for
        how long it warms up.
        """
        state = self.state
        now = device.reported("is_running")
        changes = max(0, state[at + S_CHANGES] - passed_ms)
        is_risen = now == 1 and state[at + S_RUNS] == 0
        if now is not None and now != state[at + S_RUNS]:
            changes += CHANGE_MS * (state[at + S_RUNS] >= 0)
            state[at + S_RUNS] = now
        state[at + S_CHANGES] = min(changes, 2 * CHATTER_MS)
        is_asked, warm_ms = device.sent("run") != 0, state[at + S_WARM_MS]
        state[at + S_ASKED_MS] = min(state[at + S_ASKED_MS] + passed_ms, MS_MAX) * is_asked
        if is_risen or warm_ms:
            is_warming = is_asked and now != 0 and not gives(device)
            state[at + S_WARM_MS] = min(warm_ms + passed_ms, MS_MAX) * is_warming

    def _readings(self, known: Known, found: Found, is_off_grid: bool) -> Readings:
        state, is_fitted = self.state, self._is_load_fitted
        return Readings(
            is_off_grid,
            known.is_reported_forming,
            is_fitted and known.load_meter_W is None,
            state[S_CALM_MS] >= CALM_MS,
            # a meter without current keeps its last value
            known.grid_meter_W if self._is_grid_seen(is_off_grid) else None,
            self._load_W(known),
            known.battery_W,
            found.setpoint_W,
            self._rated_W,
            self._connection_W,
            state[S_OTHERS] >> 16,
            tuple([self._set(place, each) for place, each in enumerate(self._sets)]),
            tuple([Source(*_power(each)) for each in self._suns]),
            (state[S_WRONG] | state[S_DOUBTFUL]) >> SOURCE & 1 != 0,
        )

    def _is_grid_seen(self, is_off_grid: bool) -> bool:
        if is_off_grid:
            return self.state[S_GRID_MS] < STILL_MS
        return self.state[S_QUIET_MS] < QUIET_MS

    def _set(self, place: int, device: DeviceView) -> Source:
        settings = device.settings
        at, accept_ms = self._of_sets + place * len(WORDS), settings["accept_after_s"] * 1000
        is_due = self.state[at + S_ASKED_MS] >= settings["start_s_max"] * 1000 + accept_ms
        is_warming = 0 < self.state[at + S_WARM_MS] <= accept_ms
        return Source(*_power(device), device.reported("is_running"), is_due, is_warming)

    def _look_at_meters(self, known: Known, passed_ms: int) -> None:
        """Time for which the load has not moved, and the grid meter has shown the same value."""
        state, load_W, grid_W = self.state, known.load_meter_W or 0, known.grid_meter_W or 0
        state[S_CALM_MS] = min(state[S_CALM_MS] + passed_ms, MS_MAX)
        if abs(load_W - state[S_LOAD_W]) > balance.tolerance_W(load_W):
            state[S_LOAD_W], state[S_CALM_MS] = load_W, 0
        state[S_GRID_MS] = min(state[S_GRID_MS] + passed_ms, MS_MAX)
        if grid_W != state[S_GRID_W]:
            state[S_GRID_W], state[S_GRID_MS] = grid_W, 0
        state[S_QUIET_MS] = min(state[S_QUIET_MS] + passed_ms, MS_MAX)
        if abs(grid_W) >= balance.noise_W(2 * self._connection_W):
            state[S_QUIET_MS] = 0

    def _learn(self, known: Known) -> None:
        """The sum of all powers on the grid is what no meter sees."""
        state, load_W = self.state, self._load_W(known)
        if load_W is None or known.grid_meter_W is None or known.battery_W is None:
            return
        sources = [each.reported("power_W") or 0 for each in self._sets + self._suns]
        others = known.grid_meter_W + known.battery_W + sum(sources) - load_W << 16
        slow = approach(state[S_OTHERS], others, self._others, 1)
        state[S_OTHERS] = slow if state[S_IS_LEARNT] else others
        state[S_IS_LEARNT] = 1

    def _load_W(self, known: Known) -> int | None:
        return known.load_meter_W if self._is_load_fitted and self._is_whole else None

    def _judged(self, site: Readings) -> Verdict:
        wrong, doubtful = balance.judge(site)
        for place in range(len(self._sets)):
            if self.state[self._of_sets + place * len(WORDS) + S_CHANGES] >= CHATTER_MS:
                wrong |= 1 << FIRST + 2 * place + 1
        return Verdict(wrong, doubtful)

    def _keep(self, verdict: Verdict, passed_ms: int) -> None:
        """Count for how long each signal has been contradicted; find those that have lasted."""
        state = self.state
        if not (verdict.wrong | verdict.doubtful | state[S_IS_OPEN]):
            return
        wrong = doubtful = is_open = 0
        for number in range((self._of_sets - S_TIMES) // 2):
            set_ms = SOURCE_SET_MS if number == SOURCE else SET_MS
            at, bit = S_TIMES + 2 * number, 1 << number
            for word, mask in enumerate(verdict):
                is_now = mask & bit != 0
                state[at + word] = lasting_ms(state[at + word], is_now, passed_ms, set_ms)
            wrong |= bit * (state[at] < 0)
            doubtful |= bit * (state[at + 1] < 0)
            is_open |= state[at] != 0 or state[at + 1] != 0
        state[S_WRONG], state[S_DOUBTFUL], state[S_IS_OPEN] = wrong, doubtful, is_open

    def _apply(self, found: Found) -> None:
        """Contradicted signals are unknown, also in the first tick after a restart."""
        wrong, doubtful = self.state[S_WRONG], self.state[S_DOUBTFUL]
        found.is_carried_by_sets = self.state[S_IS_CARRIED] != 0
        found.is_load_wrong = wrong >> LOAD & 1 != 0
        found.others_W = self.state[S_OTHERS] >> 16
        if wrong != self._applied:
            self._doubt(wrong)
        self.out[0], self.out[1] = wrong, doubtful
        if (wrong | doubtful) >> SOURCE & 1:
            found.source = GRID if wrong >> SOURCE & 1 else None
            found.is_forming, found.forming_W = False, 0
        if wrong >> FORMING & 1:
            found.is_forming, found.forming_W = False, 0

    def _doubt(self, wrong: int) -> None:
        """Tell the devices which of their signals are unknown."""
        self._applied = wrong
        doubted = {name for number, (name, _) in enumerate(self.signals()) if wrong >> number & 1}
        for each in self._sets + self._suns:
            name = each.device.name
            bits = [bit for signal, bit in each.bits.items() if f"{name}.{signal}" in doubted]
            each.doubted = sum(bits)


def _power(device: DeviceView) -> tuple[int | None, int]:
    return device.reported("power_W"), device.settings["rated_W"]
