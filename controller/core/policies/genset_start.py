"""Starts a generator set, loads it in steps, keeps its least load, and stops it (../ISLAND.md).

A generator set saves an island whose battery runs low. The naive way switches the set on at a low
state of charge and off at a high one. On a bus without a forming converter this would stop the only
source. The engine would also get the whole load at once, and soot below its least load.

    start   low state of charge, black start, or an island lacks power (shed.py). engine_start.py
            has the phases of a start
    stop    high state of charge while the battery alone can carry the load; after an outage as
            soon as the grid is certain; never while no other source carries the bus
    load    in steps after accept_after_s. The battery gives the rest, or charges until the set has
            its least load. This is an obligation while no converter forms the voltage
"""

from controller.core.base import reasons
from controller.core.base.answers import Answer, ForDevice, Obligation, grid_obligation
from controller.core.base.integers import approach, low_pass
from controller.core.base.words import Words
from controller.core.policies.contract import BOUND, Found, Function, Known, Setup
from controller.core.policies.engine_start import EngineStart
from controller.core.policies.modes import BLACK_START, GRID, RETURN
from controller.core.policies.source_reports import given_W, metered_W, runs

SHARE = (30, "genset")
# Battery and engine are measured at different moments; a low-pass evens out the difference.
LOAD_MS = 5000


class State(Words):
    """The load that battery and sets carry, 1/65536 W: smallest and largest measurement."""

    least: int
    most: int


class GensetStart(Function):
    """Starts, loads and stops the generator sets. While the state of charge or the report of a set
    is unknown, no set is started or stopped.
    """

    state: State
    NAME, STAGE, ROLES = "genset_start", BOUND, ("genset",)
    READS = (
        "battery_W",
        "is_carried_by_sets",
        "is_estop",
        "is_forming",
        "is_load_wrong",
        "is_off_grid",
        "load_meter_W",
        "mode",
        "soc_permille",
        "unmetered_W",
    )
    BEFORE = ("is_set_needed",)
    WRITES = ("genset_W",)
    TEXTS = reasons.texts("""
        GENSET_NEEDED | generator needed | Charge or limits of the battery are low, or the bus is
          dead: the set is asked to run. | Nothing. The set stops when the battery can carry the
          load, or when the grid is back.
        GENSET_NOT_READY | generator not ready | The generator set is needed, but reports a fault or
          is not in automatic mode. | Look at the generator's own panel: clear the fault, then
          choose automatic mode.
        GENSET_STARTS_AGAIN | generator start repeated | The generator set did not start, or stopped
          by itself: the start is tried again. | Wait. See starts_max and start_s_max of the device.
        GENSET_FAILED | generator does not start | No start of the generator set has succeeded. Off
          the grid it is tried each 5 min. | Find the cause at the generator's own panel, then
          choose automatic mode again.
        GENSET_ACCEPTS | generator takes load | The generator set takes load in steps: the battery
          gives the rest. | Nothing.
        GENSET_LEAST_LOAD | generator least load | The load is below the generator set's least load:
          the battery charges with the rest. | Nothing.
    """)

    def __init__(self, setup: Setup):
        settings = setup.settings
        # On the grid the schedule may discharge below the start level; this must not start a set.
        hysteresis = settings["soc_reserve_hysteresis_permille"]
        grid_permille = settings["soc_reserve_backup_permille"] - hysteresis
        actuators = setup.actuators(self.ROLES)
        self.engines = [EngineStart(*actuator, grid_permille) for actuator in actuators]
        self.more = [engine.state for engine in self.engines]
        self._inverters = setup.site.inverters
        self._share_permille = settings["share_permille"]
        self._tick_ms = setup.tick_ms
        self._quantum_W = settings["setpoint_quantum_W"]
        self._speed = low_pass(setup.tick_ms, LOAD_MS)
        self.state = State.zero()

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> list[Answer | ForDevice]:
        """Request of each set, obligations that override its least times, obligation of the
        battery.
        """
        answers: list[Answer | ForDevice] = []
        passed_ms, findings.genset_W = elapsed_ticks * self._tick_ms, 0
        is_called = findings.mode == BLACK_START or findings.is_off_grid and findings.is_set_needed
        has_source = findings.is_forming or not findings.is_off_grid  # beside the sets
        may_stop = findings.mode != RETURN and has_source and not findings.is_carried_by_sets
        for engine in self.engines:
            is_running = runs(engine.device)
            engine.count_run(is_running, passed_ms)
            if not engine.state.is_heard:
                engine.adopt(is_running, passed_ms)
            if engine.state.is_heard:
                engine.decide(known.soc_permille, is_called, may_stop, findings.mode == GRID)
            engine.step(is_running, known.is_estop, findings.is_off_grid, passed_ms)
            answers += [ForDevice(engine.number, answer) for answer in engine.answers()]
            if findings.is_off_grid:
                findings.genset_W += engine.accepted_W(findings.is_forming)
        return answers + self._share(known, findings, elapsed_ticks)

    def _share(self, known: Known, findings: Found, elapsed_ticks: int) -> list[Obligation]:
        """The battery's share of the load while the sets carry the bus: the part that the sets must
        not carry. The load is measured at battery and sets, and by the load meter. If the two
        differ, the battery does no more than both measurements need. A 100 kW set that reported 0
        kW once made the battery charge more and more, until the set was overloaded.
        """
        state = self.state
        are_loaded = findings.genset_W and not findings.is_forming
        loads_W = self._loads_W(known, findings) if are_loaded else []
        if not loads_W:
            state.least = state.most = 0
            return []
        least, most = min(loads_W) << 16, max(loads_W) << 16
        state.least = approach(state.least or least, least, self._speed, elapsed_ticks)
        state.most = approach(state.most or most, most, self._speed, elapsed_ticks)
        load_W, most_W = state.least >> 16, state.most >> 16
        taken = findings.genset_W, reasons.GENSET_ACCEPTS
        running = [engine.device.settings for engine in self.engines if engine.state.run_ms]
        least_W = sum([own["rated_W"] * own["least_permille"] // 1000 for own in running])
        left_W = most_W - load_W - min(findings.genset_W, least_W)
        left = left_W, reasons.GENSET_LEAST_LOAD
        return [grid_obligation(SHARE, load_W, taken, left, self._quantum_W)]

    def _loads_W(self, known: Known, findings: Found) -> list[int]:
        """Power that battery and sets carry, by each known measurement. Empty if none is known."""
        if known.battery_W is None:
            return []
        sum_W = given_W(known, [engine.device for engine in self.engines])
        loads_W = [] if sum_W is None else [sum_W]
        load_W = metered_W(known, findings, self._inverters, self._share_permille)
        if load_W is not None:
            unmetered_W = findings.unmetered_W
            loads_W += [load_W + min(0, unmetered_W), load_W + max(0, unmetered_W)]
        return loads_W
