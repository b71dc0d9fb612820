"""Load shedding: opens stages (parts) of the load, in order, while the sources cannot carry it.

If the load is more than the sources can carry, the whole bus fails. The naive way opens a stage
when power is missing and closes it when there is room. Each dip of the load would then switch it.
So opening and closing both wait, and closing needs more room:

    missing power > 0               for SHED_MS    --> open, lowest shed_order first
    room for 1.1 times the stage    for RETURN_MS  --> close the last one

Stages come back one at a time; each waits until the device reports the stage before. In an island
PV power makes no room, because a cloud can take it away within seconds, and then the bus fails.
The stages stay as they are while the missing power or the PV power is unknown, for example in an
island whose source no device reports.

Off the grid stages are also shed by the state of charge, from `island_soc_permille` on, so that the
battery carries the other loads longer. They come back HYSTERESIS_PERMILLE above their levels. A
generator set may give less than it accepts, and the converters that form the voltage give the rest
until they are empty. So stages are also shed while a set runs, at a third of that state of charge.
In a black start every stage is shed, so that the next source finds little load.

If battery and PV alone lack power for NEED_MS in an island, a set is asked to run
(genset_start.py). The need ends when the battery has been able to carry the load and the next stage
for SPARE_MS. Otherwise each dip of the load would stop the set, and shed stages until the next
start.
"""

from controller.core.base import reasons
from controller.core.base.answers import BaseRequest, ForDevice
from controller.core.base.integers import step_timer, within
from controller.core.base.words import Words
from controller.core.policies.contract import BASE, Found, Function, Known, Setup
from controller.core.policies.modes import BLACK_START, GRID, ISLAND
from controller.core.policies.source_reports import given_W, metered_W

SHED_MS, RETURN_MS = 500, 30_000
NEED_MS, SPARE_MS = 5000, 300_000
NEED = NEED_MS, SPARE_MS, 10  # `times` of integers.step_timer
ROOM_TENTHS = 11  # room for the return of a stage, relative to its power
HYSTERESIS_PERMILLE, PARTS_BESIDE_SET = 50, 3


class State(Words):
    """`is_set_needed`: an island needs a generator set."""

    short_ms: int  # time for which power has been missing
    room_ms: int  # time for which there was room for the next stage
    is_outage: int  # a stage has been open since an outage
    is_set_needed: int
    need_ms: int  # time for which an island has needed a set; while is_set_needed: time left


class Stages(Words):
    """The stages of one device."""

    is_adopted: int  # it has reported, or has been asked, since the start of the controller
    open: int  # stages that it has to shed


class Shed(Function):
    """Makes one request for each shedding device."""

    state: State
    NAME, STAGE = "shed", BASE
    ROLES = ("load_shed", "genset")  # sets get no command, but `is_set_needed` is found for them
    READS = (
        "battery_W",
        "connection_W",
        "forming_W",
        "genset_W",
        "high_W",
        "is_forming",
        "is_load_wrong",
        "is_off_grid",
        "limit_W",
        "load_meter_W",
        "mode",
        "soc_permille",
    )
    WRITES = ("is_set_needed", "is_shed")
    TEXTS = reasons.texts("""
        SHED_LOAD | load shed | Battery, generator and grid cannot carry the load: stages of it are
          switched off. | Reduce the load, or wait until the battery is charged. The stages come
          back alone.
        SHED_ENERGY | load shed, battery low | Off the grid the battery is low: stages are switched
          off before it is empty. | Start a generator set if there is one. The stages come back as
          the battery charges.
        SHED_BLACK_START | load shed, black start | The bus has no voltage: all stages are off, so
          the next source finds little load. | See what keeps converter and generator set from
          carrying the bus.
    """)

    def __init__(self, setup: Setup):
        devices = setup.actuators(("load_shed",))
        self._devices = sorted(devices, key=lambda pair: pair[0].settings["shed_order"])
        self._inverters = setup.site.inverters
        self._engines = setup.site.engines
        self._import_W = setup.settings["grid_import_W_max"]
        self._share = setup.settings["share_permille"]
        self._tick_ms = setup.tick_ms
        self.state = State.zero()
        self.more = self.stages = [Stages.zero() for _ in self._devices]

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> list[ForDevice]:
        """Number of stages that each device sheds."""
        missing_W = self._missing_W(known, findings)
        self._adopt_reported()
        if missing_W is not None:
            self._decide(known, findings, missing_W, elapsed_ticks * self._tick_ms)
        if not findings.is_off_grid:
            self.state.need_ms = self.state.is_set_needed = 0
        answers = []
        for stages, (device, number) in zip(self.stages, self._devices):
            least = self._least_stages(known, findings, device.settings, 0)
            if least:
                stages.is_adopted, stages.open = 1, max(stages.open, least)
            reason = self._reason(findings, least) if stages.open else reasons.NO_REQUEST
            answers.append(ForDevice(number, BaseRequest(stages.open, reason)))
        findings.is_set_needed = self.state.is_set_needed != 0
        if findings.is_off_grid or self.state.is_outage:
            findings.is_shed = self.state.is_outage = any([stages.open for stages in self.stages])
        return answers

    def _adopt_reported(self) -> None:
        """Keep the stages open that a device reports at the start of the controller."""
        for stages, (device, _) in zip(self.stages, self._devices):
            reported = device.value("stages")
            if not stages.is_adopted and reported is not None:
                stages.is_adopted = 1
                stages.open = within(reported, 0, device.settings["stages_max"])

    def _reason(self, findings: Found, least: int) -> int:
        if findings.mode == BLACK_START:
            return reasons.SHED_BLACK_START
        return reasons.SHED_ENERGY if least else reasons.SHED_LOAD

    def _missing_W(self, known: Known, findings: Found) -> int | None:
        """Power that the sources cannot give, W; < 0: power to spare. None while it is unknown."""
        if not findings.is_off_grid:
            if findings.connection_W is None:
                return None
            return findings.connection_W - max(0, findings.high_W) - self._import_W
        load_W = metered_W(known, findings, self._inverters, self._share)
        if load_W is None:
            # power of battery and sets: the load less the PV power
            running = [engine for engine in self._engines if engine.value("is_running") != 0]
            load_W = given_W(known, running)
        if load_W is None or not (findings.is_forming or findings.genset_W):
            return None
        # a converter that forms nothing stays at its set-point, whatever the load is
        limit_W = findings.limit_W
        if findings.is_forming:
            limit_W = min(limit_W, findings.forming_W)
        return load_W - findings.genset_W - limit_W

    def _least_stages(
        self, known: Known, findings: Found, settings: dict[str, int], above_permille: int
    ) -> int:
        """Stages that must be open at any power. above_permille: hysteresis for closing, or 0."""
        most, parts = settings["stages_max"], PARTS_BESIDE_SET if findings.genset_W else 1
        if findings.mode == BLACK_START:
            return most
        if not (findings.is_off_grid and findings.is_forming):
            return 0
        if known.soc_permille is None:
            return most if above_permille and not findings.genset_W else 0
        level = settings["island_soc_permille"] // parts
        short_permille = level - known.soc_permille[0] + above_permille // parts
        return min(most, 1 + short_permille * most // level) if level and short_permille >= 0 else 0

    def _decide(self, known: Known, findings: Found, missing_W: int, passed_ms: int) -> None:
        state, last = self.state, self._last(known, findings)
        is_room = last >= 0 and self._is_room(findings, missing_W, last)
        is_room = is_room and self._has_followed(last)
        if findings.is_off_grid:
            next_W = self._needed_W(last) if last >= 0 else 0
            is_short = missing_W + findings.genset_W + next_W > 0
            need = state.need_ms, state.is_set_needed
            state.need_ms, state.is_set_needed = step_timer(*need, is_short, passed_ms, NEED)
        state.short_ms = min(state.short_ms + passed_ms, SHED_MS) if missing_W > 0 else 0
        state.room_ms = min(state.room_ms + passed_ms, RETURN_MS) if is_room else 0
        if state.short_ms >= SHED_MS:
            self._open(missing_W)
            state.short_ms = 0
        elif state.room_ms >= RETURN_MS:
            self.stages[last].open -= 1
            state.room_ms = 0

    def _is_room(self, findings: Found, missing_W: int, place: int) -> bool:
        """True if the next stage of this device fits. Off the grid PV does not count, but must be
        known.
        """
        pv_W = 0
        for inverter in self._inverters if findings.is_off_grid else ():
            power_W = inverter.value("power_W")
            if power_W is None:
                return False
            pv_W += max(0, power_W)
        return missing_W + pv_W <= -self._needed_W(place)

    def _has_followed(self, place: int) -> bool:
        """True if the device has closed all stages that it may close. Before that, their load is
        not measured yet.
        """
        reported = self._devices[place][0].value("stages")
        return reported is not None and reported <= self.stages[place].open

    def _needed_W(self, place: int) -> int:
        return self._devices[place][0].settings["stage_W"] * ROOM_TENTHS // 10

    def _last(self, known: Known, findings: Found) -> int:
        """Place of the device whose stage comes back next; -1 if no stage may come back."""
        if findings.mode not in (GRID, ISLAND):
            return -1
        for place in reversed(range(len(self._devices))):
            settings, stages = self._devices[place][0].settings, self.stages[place].open
            if stages > 0:
                least = self._least_stages(known, findings, settings, HYSTERESIS_PERMILLE)
                return place if stages > least else -1
        return -1

    def _open(self, missing_W: int) -> None:
        for stages, (device, _) in zip(self.stages, self._devices):
            stage_W, most = device.settings["stage_W"], device.settings["stages_max"]
            more = within(-(-missing_W // stage_W), 0, most - stages.open)
            stages.is_adopted, stages.open = 1, stages.open + more
            missing_W -= more * stage_W
