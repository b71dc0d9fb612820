"""The start of one generator set, and the power that it may take (genset_start.py).

An engine that is asked to run may fail to start, may stop by itself, or may be switched off at its
panel. The naive way asks once and assumes that the engine runs. So a start has phases:

    OFF --> STARTING --> RUNNING      the engine reports that it runs, or gives power
               |            |
               +-- WAITING <+         it does not run within start_s_max, or stopped by itself;
                      |               next start after start_again_s, starts_max times in all
                    FAILED            on the grid; off the grid it tries again every FAILED_MS

While the set is not in automatic mode, or an emergency stop is active, no start is counted.
"""

from controller.core.base import reasons
from controller.core.base.answers import BaseRequest, Obligation
from controller.core.base.words import Words
from controller.core.policies.contract import DeviceView
from controller.core.policies.source_reports import gives, is_loaded

# Rank above the least run and pause times of the set, because an engine that did not start has not
# run.
START = (95, "genset_start")
MS_MAX = 1_000_000_000
OFF, STARTING, WAITING, RUNNING, FAILED = range(5)
# Pause between further starts after starts_max while an island needs the set. Further starts do no
# harm at a dark site (project).
FAILED_MS = 300_000
# An engine that runs at the controller's start is kept running until the contact of the transfer
# switch is certain, which takes 0.5 s.
FOUND_MS = 5000


class State(Words):
    """The words of one generator set."""

    is_heard: int  # it has reported since the start of the controller
    is_wanted: int
    is_outage: int  # it has been wanted in the present outage
    phase: int
    # time in this phase; before the set has reported: since the start of the controller
    phase_ms: int
    starts: int
    run_ms: int  # time for which the engine has run; MS_MAX if it was found running
    found_ms: int  # time for which an engine that was found running must still run
    away_ms: int  # time for which the set has not been ready


class EngineStart:
    """The start of one set. number: place of its actuator; grid_permille: state of charge below
    which the battery does not discharge on the grid.
    """

    def __init__(self, device: DeviceView, number: int, grid_permille: int):
        self.device, self.number, self.state = device, number, State.zero()
        self._grid_permille = min(grid_permille, device.settings["start_soc_permille"])

    def count_run(self, is_running: int | None, passed_ms: int) -> None:
        """Count how long the engine has run."""
        state = self.state
        if is_running is None and state.run_ms and gives(self.device):
            is_running = 1
        if is_running:
            state.run_ms = min(state.run_ms + passed_ms, MS_MAX)
            state.found_ms = max(0, state.found_ms - passed_ms)
        elif is_running is not None:
            state.run_ms = state.found_ms = 0

    def adopt(self, is_running: int | None, passed_ms: int) -> None:
        """Keep a set running that already runs or gives power at the controller's start. The report
        of its power may come later.
        """
        state, device = self.state, self.device
        is_found = bool(is_running) or is_loaded(device)
        if device.reported("is_running") is None and not is_found:
            return
        state.phase_ms = min(state.phase_ms + passed_ms, MS_MAX)
        is_awaited = device.bits["power_W"] and not device.is_heard("power_W")
        if is_awaited and not is_found and state.phase_ms < FOUND_MS:
            return
        state.is_heard, state.is_wanted = 1, is_found
        if is_found:
            state.found_ms, state.run_ms = max(0, FOUND_MS - state.run_ms), MS_MAX

    def decide(
        self,
        soc_permille: tuple[int, int] | None,
        is_called: bool,
        may_stop: bool,
        is_on_grid: bool,
    ) -> None:
        """Decide whether the set is wanted. soc_permille: lowest of the racks, mean; is_called:
        wanted at any state of charge; may_stop: another source carries the bus.
        """
        state, settings = self.state, self.device.settings
        level_permille = self._grid_permille if is_on_grid else settings["start_soc_permille"]
        is_low = soc_permille and soc_permille[0] <= level_permille
        if is_called or is_low:
            state.is_wanted = 1
        elif soc_permille and may_stop and not state.found_ms:
            is_back = is_on_grid and state.is_outage
            if is_back or soc_permille[0] >= settings["stop_soc_permille"]:
                state.is_wanted = 0
        state.is_outage = not is_on_grid and (state.is_wanted or state.is_outage)

    def step(
        self, is_running: int | None, is_estop: bool, is_off_grid: bool, passed_ms: int
    ) -> None:
        """Step the phase of the start."""
        state, device = self.state, self.device
        if not state.is_heard:
            return
        if not state.is_wanted:
            self._enter(OFF)
            state.starts = 0
        elif is_running or gives(device) or device.is_doubted("is_running"):
            # While the report is contradicted, the set is asked to run, and a failed start does not
            # stop it.
            self._enter(RUNNING)
            if state.run_ms >= device.settings["start_s_max"] * 1000:
                state.starts = 0
        elif is_running is not None:
            state.phase_ms = min(state.phase_ms + passed_ms, MS_MAX)
            if is_estop:
                state.starts -= state.phase == STARTING
                self._enter(OFF)
            elif device.value("is_ready_ok") == 0:
                state.away_ms = min(state.away_ms + passed_ms, MS_MAX)
                if state.phase == STARTING:  # this start has failed
                    self._fail(is_off_grid)
                elif state.phase != FAILED:
                    self._enter(OFF)
            else:
                self._start(is_off_grid)

    def _start(self, is_off_grid: bool) -> None:
        """Step the phase of a set that is ready and does not run."""
        state, settings = self.state, self.device.settings
        again_ms = settings["start_again_s"] * 1000
        if state.away_ms >= again_ms:  # a person has been at the panel
            self._enter(OFF)
            state.starts = 0
        state.away_ms = 0
        phase, phase_ms = state.phase, state.phase_ms
        if state.starts >= settings["starts_max"]:
            again_ms = FAILED_MS
        may_start_again = phase == WAITING or phase == FAILED and is_off_grid
        if phase == OFF or may_start_again and phase_ms >= again_ms:
            self._enter(STARTING)
            state.starts = min(state.starts + 1, MS_MAX)
        elif phase == RUNNING or phase == STARTING and phase_ms >= settings["start_s_max"] * 1000:
            self._fail(is_off_grid)

    def _fail(self, is_off_grid: bool) -> None:
        is_last = self.state.starts >= self.device.settings["starts_max"]
        self._enter(FAILED if is_last and not is_off_grid else WAITING)

    def _enter(self, phase: int) -> None:
        self.state.phase, self.state.phase_ms = phase, 0

    def answers(self) -> list[BaseRequest | Obligation]:
        """Request of the set, and the obligation that overrides its least times."""
        phase, starts = self.state.phase, self.state.starts
        if phase == OFF:
            is_wanted = self.state.is_wanted
            return [BaseRequest(0, reasons.GENSET_NOT_READY if is_wanted else reasons.NO_REQUEST)]
        request, code = BaseRequest(1, reasons.GENSET_NEEDED), reasons.GENSET_STARTS_AGAIN
        if phase in (WAITING, FAILED):
            if starts >= self.device.settings["starts_max"]:
                code = reasons.GENSET_FAILED
            return [request, Obligation(START, 0, code, 0, code)]
        if phase == STARTING and starts > 1:
            return [request, Obligation(START, 1, code, 1, code)]
        return [request]

    def accepted_W(self, is_forming: bool) -> int:
        """Power with which this set may be loaded, W.

        If a converter forms the voltage, a set that is not wanted may keep its present power.
        Without such a converter the set may carry the bus alone. Its present power must not be its
        limit then, because the battery would reduce it further with each fall of the load.
        """
        settings, state = self.device.settings, self.state
        after_ms = state.run_ms - settings["accept_after_s"] * 1000
        if not state.run_ms or after_ms < 0:
            return 0
        power_W = max(0, self.device.value("power_W") or 0)
        if not state.is_wanted and (is_forming or not power_W):
            return power_W
        rated_W, steps = settings["rated_W"], 1 + after_ms // (settings["accept_every_s"] * 1000)
        return min(rated_W, steps * settings["accept_permille"] * rated_W // 1000)
