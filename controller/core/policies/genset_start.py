"""Generator set: start, load in steps, least load, and the run after an outage (../ISLAND.md).

The set starts at a low state of charge, in a black start, or when an island lacks power (shed.py).
It stops at a high one while the battery alone can carry the load, and after an outage as soon as
the grid is certain. It runs on while nothing else carries the bus. A start is
tried again when the engine does not run in time, or stops by itself. Time in which the set is not
in automatic mode, or an emergency stop is active, is no start.

While no converter forms the voltage, an obligation gives the battery what the set does not take.
Below its least load the engine would soot, so the battery charges with the difference. The
generator's own controller cranks, synchronises, protects and cools down.
"""

from array import array

from controller.core import contract, reasons
from controller.core.answers import Answer, BaseRequest, ForDevice, Obligation, grid_obligation
from controller.core.contract import DeviceView, Function, Setup
from controller.core.found import Found
from controller.core.integers import approach, low_pass
from controller.core.known import Known
from controller.core.policies.modes import BLACK_START, GRID, RETURN
from controller.core.policies.source_reports import given_W, gives, is_loaded, metered_W, runs

SHARE = (30, "genset")
START = (95, "genset_start")  # above the least times: an engine that did not start has not run
# Battery and engine are measured at different moments; the low-pass hides the difference.
LOAD_MS = 5000
MS_MAX = 1_000_000_000
OFF, STARTING, WAITING, RUNNING, FAILED = range(5)
# Pause after starts_max starts while an island needs the set: it may start after all, and a dark
# site has nothing to lose (project).
FAILED_MS = 300_000
# Since the start of the controller. An engine that is found running runs on until the contact of
# the transfer switch, which needs 0.5 s, is certain.
NOT_HEARD, FOUND_MS = -1, 5000
FOUND_RUN_MS = MS_MAX - FOUND_MS  # the steps of its load are long over

# The load of battery and sets, least and most (W << 16). Then for each set: whether it is wanted,
# whether since an outage, its phase and for how long, starts. For how long its engine has run, and
# for how long it has not been ready.
S_LOAD, S_LOAD_MOST, FIRST = range(3)
WORDS = S_WANTED, S_OUTAGE, S_PHASE, S_MS, S_STARTS, S_RUN_MS, S_AWAY_MS = range(7)


Soc = tuple[int, int] | None  # permille: lowest of the racks, mean


class GensetStart(Function):
    """Everything stays as it is while the state of charge, or a set, is unknown."""

    NAME, STAGE, ROLES = "genset_start", contract.BOUND, ("genset",)
    READS = (
        *("battery_W", "is_carried_by_sets", "is_estop", "is_forming", "is_load_wrong"),
        *("is_off_grid", "load_meter_W", "mode", "others_W", "soc_permille"),
    )
    BEFORE = ("is_set_needed",)
    WRITES = ("genset_W",)
    TEXTS = {
        reasons.GENSET_NEEDED: (
            "generator needed",
            "Charge or limits of the battery are low, or the bus is dead: the set is asked to run.",
            "Nothing. The set stops when the battery can carry the load, or when the grid is back.",
        ),
        reasons.GENSET_NOT_READY: (
            "generator not ready",
            "The generator set is needed, but reports a fault or is not in automatic mode.",
            "Look at the generator's own panel: clear the fault, then choose automatic mode.",
        ),
        reasons.GENSET_STARTS_AGAIN: (
            "generator start repeated",
            "The generator set did not start, or stopped by itself: the start is tried again.",
            "Wait. See starts_max and start_s_max of the device.",
        ),
        reasons.GENSET_FAILED: (
            "generator does not start",
            "No start of the generator set has succeeded. Off the grid it is tried each 5 min.",
            "Find the cause at the generator's own panel, then choose automatic mode again.",
        ),
        reasons.GENSET_ACCEPTS: (
            "generator takes load",
            "The generator set takes load in steps: the battery gives the rest.",
            "Nothing.",
        ),
        reasons.GENSET_LEAST_LOAD: (
            "generator least load",
            "The load is below the generator set's least load: the battery charges with the rest.",
            "Nothing.",
        ),
    }

    def __init__(self, setup: Setup):
        self._sets = setup.actuators(self.ROLES)
        self._suns = setup.site.feeding(is_engine=False)
        self._share_permille = setup.settings["share_permille"]
        self._tick_ms = setup.tick_ms
        self._quantum_W = setup.settings["setpoint_quantum_W"]
        self._speed = low_pass(setup.tick_ms, LOAD_MS)
        self.state = array("q", [0, 0, *[NOT_HEARD, 0, 0, 0, 0, 0, 0] * len(self._sets)])

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> list[Answer | ForDevice]:
        """Request of each set and what overrides its least times; the battery's obligation."""
        answers: list[Answer | ForDevice] = []
        passed_ms, found.genset_W = elapsed_ticks * self._tick_ms, 0
        for place, (device, number) in enumerate(self._sets):
            at = FIRST + place * len(WORDS)
            is_running = runs(device)
            self._count_run(at, device, is_running, passed_ms)
            self._want(at, known.soc_permille, found, device, is_running, passed_ms)
            self._go_on(at, known, found, device, is_running, passed_ms)
            answers += [ForDevice(number, each) for each in self._asked(at, device)]
            if found.is_off_grid:
                found.genset_W += self._accepted_W(at, device, found.is_forming)
        return answers + self._share(known, found, elapsed_ticks)

    def _count_run(
        self, at: int, device: DeviceView, is_running: int | None, passed_ms: int
    ) -> None:
        if is_running is None and self.state[at + S_RUN_MS] and gives(device):
            is_running = 1
        if is_running is not None:
            run_ms = min(self.state[at + S_RUN_MS] + passed_ms, MS_MAX)
            self.state[at + S_RUN_MS] = run_ms if is_running > 0 else 0

    def _find(self, at: int, device: DeviceView, runs: int | None, passed_ms: int) -> None:
        """The start of the controller: a set that runs, or gives power, is wanted. Its power may
        be reported a little after its engine.
        """
        state, is_running = self.state, bool(runs) or is_loaded(device)
        if device.reported("is_running") is None and not is_running:
            return
        state[at + S_MS] = min(state[at + S_MS] + passed_ms, MS_MAX)
        is_awaited = device.bits["power_W"] and not device.is_heard("power_W")
        if is_awaited and not is_running and state[at + S_MS] < FOUND_MS:
            return
        state[at + S_WANTED] = is_running
        if is_running:
            run_ms = FOUND_RUN_MS + state[at + S_RUN_MS]
            state[at + S_RUN_MS] = min(run_ms, MS_MAX)

    def _want(
        self, at: int, soc: Soc, found: Found, device: DeviceView, runs: int | None, passed_ms: int
    ) -> None:
        state, settings = self.state, device.settings
        if state[at + S_WANTED] == NOT_HEARD:
            self._find(at, device, runs, passed_ms)
        if state[at + S_WANTED] == NOT_HEARD:
            return
        is_found = FOUND_RUN_MS <= state[at + S_RUN_MS] < MS_MAX
        was = state[at + S_WANTED]
        wanted, is_needed = was, found.is_off_grid and found.is_set_needed
        is_low = soc and soc[0] <= settings["start_soc_permille"]
        if found.mode == BLACK_START or is_low or is_needed:
            wanted = 1
        elif soc and not is_found and self._may_stop(found):
            is_back = found.mode == GRID and state[at + S_OUTAGE]
            wanted = 0 if is_back or soc[0] >= settings["stop_soc_permille"] else was
        state[at + S_WANTED] = wanted
        state[at + S_OUTAGE] = found.mode != GRID and (wanted == 1 or state[at + S_OUTAGE])

    def _may_stop(self, found: Found) -> bool:
        """Another source carries the bus, for certain."""
        is_other = found.is_forming or not found.is_off_grid
        return found.mode != RETURN and is_other and not found.is_carried_by_sets

    def _go_on(
        self,
        at: int,
        known: Known,
        found: Found,
        device: DeviceView,
        is_running: int | None,
        passed_ms: int,
    ) -> None:
        """The next phase of a start."""
        state = self.state
        if state[at + S_WANTED] == NOT_HEARD:
            return
        if state[at + S_WANTED] != 1:
            self._enter(at, OFF)
            state[at + S_STARTS] = 0
        elif is_running or gives(device) or device.is_doubted("is_running"):
            # without a report to believe the set is asked to run, and never stopped by a start
            self._enter(at, RUNNING)
            if state[at + S_RUN_MS] >= device.settings["start_s_max"] * 1000:
                state[at + S_STARTS] = 0
        elif is_running is not None:
            state[at + S_MS] = min(state[at + S_MS] + passed_ms, MS_MAX)
            if known.is_estop:
                state[at + S_STARTS] -= state[at + S_PHASE] == STARTING
                self._enter(at, OFF)
            elif device.value("is_ready_ok") == 0:
                state[at + S_AWAY_MS] = min(state[at + S_AWAY_MS] + passed_ms, MS_MAX)
                self._give_up(at, found, device)
            else:
                self._start(at, found, device)

    def _give_up(self, at: int, found: Found, device: DeviceView) -> None:
        """The set is not ready. A start that a fault ends has failed."""
        phase = self.state[at + S_PHASE]
        if phase == STARTING:
            self._fail(at, found, device)
        elif phase != FAILED:
            self._enter(at, OFF)

    def _start(self, at: int, found: Found, device: DeviceView) -> None:
        """The set is ready and does not run."""
        state, settings = self.state, device.settings
        again_ms = settings["start_again_s"] * 1000
        if state[at + S_AWAY_MS] >= again_ms:  # somebody has been at the panel
            self._enter(at, OFF)
            state[at + S_STARTS] = 0
        state[at + S_AWAY_MS] = 0
        phase, ms = state[at + S_PHASE], state[at + S_MS]
        if state[at + S_STARTS] >= settings["starts_max"]:
            again_ms = FAILED_MS
        waits = phase == WAITING or phase == FAILED and found.is_off_grid
        if phase == OFF or waits and ms >= again_ms:
            self._enter(at, STARTING)
            state[at + S_STARTS] = min(state[at + S_STARTS] + 1, MS_MAX)
        elif phase == RUNNING or phase == STARTING and ms >= settings["start_s_max"] * 1000:
            self._fail(at, found, device)

    def _fail(self, at: int, found: Found, device: DeviceView) -> None:
        is_last = self.state[at + S_STARTS] >= device.settings["starts_max"]
        self._enter(at, FAILED if is_last and not found.is_off_grid else WAITING)

    def _enter(self, at: int, phase: int) -> None:
        self.state[at + S_PHASE], self.state[at + S_MS] = phase, 0

    def _asked(self, at: int, device: DeviceView) -> list[BaseRequest | Obligation]:
        phase, starts = self.state[at + S_PHASE], self.state[at + S_STARTS]
        if phase == OFF:
            is_wanted = self.state[at + S_WANTED] == 1
            return [BaseRequest(0, reasons.GENSET_NOT_READY if is_wanted else reasons.NO_REQUEST)]
        asked: list[BaseRequest | Obligation] = [BaseRequest(1, reasons.GENSET_NEEDED)]
        if phase in (WAITING, FAILED):
            is_failed = starts >= device.settings["starts_max"]
            code = reasons.GENSET_FAILED if is_failed else reasons.GENSET_STARTS_AGAIN
            return [*asked, Obligation(START, 0, code, 0, code)]
        if phase == STARTING and starts > 1:
            code = reasons.GENSET_STARTS_AGAIN
            return [*asked, Obligation(START, 1, code, 1, code)]
        return asked

    def _accepted_W(self, at: int, device: DeviceView, is_forming: bool) -> int:
        """Power that this set takes; of one that the controller does not want, what it gives.

        Such a set may carry the bus alone. If its own power were what it takes, the battery would
        push it down further with each fall of the load.
        """
        settings = device.settings
        after_ms = self.state[at + S_RUN_MS] - settings["accept_after_s"] * 1000
        if not self.state[at + S_RUN_MS] or after_ms < 0:
            return 0
        power_W = max(0, device.value("power_W") or 0)
        if self.state[at + S_WANTED] != 1 and (is_forming or not power_W):
            return power_W
        rated_W, steps = settings["rated_W"], 1 + after_ms // (settings["accept_every_s"] * 1000)
        return min(rated_W, steps * settings["accept_permille"] * rated_W // 1000)

    def _share(self, known: Known, found: Found, elapsed_ticks: int) -> list[Obligation]:
        """The battery takes what the sets cannot, while they carry the bus. Powers of battery and
        sets give the load, and so does the load meter. While the two differ, the battery does no
        more than either of them needs. A set that reports 0 kW of 100 once let the battery charge
        more and more, until the set was overloaded.
        """
        loads_W = [] if found.is_forming or not found.genset_W else self._loads_W(known, found)
        if not loads_W:
            self.state[S_LOAD] = self.state[S_LOAD_MOST] = 0
            return []
        for word, load_W in ((S_LOAD, min(loads_W)), (S_LOAD_MOST, max(loads_W))):
            before = self.state[word] or load_W << 16
            self.state[word] = approach(before, load_W << 16, self._speed, elapsed_ticks)
        load_W, most_W = self.state[S_LOAD] >> 16, self.state[S_LOAD_MOST] >> 16
        taken = found.genset_W, reasons.GENSET_ACCEPTS
        left_W = most_W - load_W - min(found.genset_W, self._least_W())
        left = left_W, reasons.GENSET_LEAST_LOAD
        return [grid_obligation(SHARE, load_W, taken, left, self._quantum_W)]

    def _loads_W(self, known: Known, found: Found) -> list[int]:
        """Power that battery and sets carry, by each way that is known. Empty: unknown."""
        if known.battery_W is None:
            return []
        sum_W = given_W(known, [device for device, _ in self._sets])
        loads_W = [] if sum_W is None else [sum_W]
        load_W = metered_W(known, found, self._suns, self._share_permille)
        if load_W is not None:
            loads_W += [load_W + min(0, found.others_W), load_W + max(0, found.others_W)]
        return loads_W

    def _least_W(self) -> int:
        """Least load of the sets that run."""
        running = [
            device.settings
            for place, (device, _) in enumerate(self._sets)
            if self.state[FIRST + place * len(WORDS) + S_RUN_MS]
        ]
        return sum([each["rated_W"] * each["least_permille"] // 1000 for each in running])
