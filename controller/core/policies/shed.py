"""Load shedding: opens stages of the load, in order, while the sources cannot carry it.

Stages are shed when power has been missing for SHED_MS, those of the lowest `shed_order` first. The
last one comes back when there has been room for it, and a tenth more, for RETURN_MS. So stages come
back in reverse order, one at a time, each after the device reports the one before it. While the
missing power is unknown the stages stay.

Off the grid without a generator set, stages also go by the state of charge, from
`island_soc_permille` on: the rest of the load then lasts longer. They come back HYSTERESIS_PERMILLE
above. In a black start every stage is shed, so that the next source finds little load. If no device
reports the source of an island, the missing power is unknown.

If battery and PV alone lack power for NEED_MS in an island, a set is asked to run
(genset_start.py).
The need ends when the battery has been able to carry the load and the next stage for SPARE_MS.
Otherwise each dip of the load would stop the set, and shed stages until the next start.
"""

from array import array

from controller.core import contract, reasons
from controller.core.answers import BaseRequest, ForDevice
from controller.core.contract import Function, Setup
from controller.core.found import Found
from controller.core.integers import within
from controller.core.known import Known
from controller.core.policies.modes import BLACK_START, GRID, ISLAND
from controller.core.policies.source_reports import given_W, metered_W
from controller.core.words import Words

SHED_MS, RETURN_MS = 500, 30_000
NEED_MS, SPARE_MS = 5000, 300_000
TENTH_MORE = 11, 10
HYSTERESIS_PERMILLE = 50
NOT_HEARD = -1  # since the start of the controller


class State(Words):
    """STAGES and on: how many stages each device has to shed."""

    short_ms: int  # for which power has been missing
    room_ms: int  # for which there was room for the next stage
    is_outage: int  # a stage has been open since an outage
    # above 0 the ms for which an island has needed a set; below 0 one is needed, at least until 0
    need_ms: int


STAGES = len(State.__annotations__)


def needed_ms(before_ms: int, is_short: bool, passed_ms: int) -> int:
    """State.need_ms from one tick to the next. Need is forgotten at a tenth of its speed, because a
    load that swings would otherwise never need a set.
    """
    after_ms = before_ms + passed_ms
    if before_ms < 0:
        return -SPARE_MS if is_short else min(after_ms, 0)
    if not is_short:
        return max(0, before_ms - passed_ms // 10)
    return after_ms if after_ms < NEED_MS else -SPARE_MS


class Shed(Function):
    """One request for each shedding device."""

    state: State
    NAME, STAGE = "shed", contract.BASE
    ROLES = ("load_shed", "genset")  # of a set it commands nothing: it finds the missing power
    READS = (
        *("battery_W", "connection_W", "forming_W", "genset_W", "high_W", "is_forming"),
        *("is_load_wrong", "is_off_grid", "limit_W", "load_meter_W", "mode", "soc_permille"),
    )
    WRITES = ("is_set_needed", "is_shed")
    TEXTS = {
        reasons.SHED_LOAD: (
            "load shed",
            "Battery, generator and grid cannot carry the load: stages of it are switched off.",
            "Reduce the load, or wait until the battery is charged. The stages come back alone.",
        ),
        reasons.SHED_ENERGY: (
            "load shed, battery low",
            "Off the grid the battery is low: stages are switched off before it is empty.",
            "Start a generator set if there is one. The stages come back as the battery charges.",
        ),
        reasons.SHED_BLACK_START: (
            "load shed, black start",
            "The bus has no voltage: all stages are off, so the next source finds little load.",
            "See what keeps converter and generator set from carrying the bus.",
        ),
    }

    def __init__(self, setup: Setup):
        devices = setup.actuators(("load_shed",))
        self._devices = sorted(devices, key=lambda each: each[0].settings["shed_order"])
        self._suns = setup.site.feeding(is_engine=False)
        self._engines = setup.site.feeding(is_engine=True)
        self._import_W = setup.settings["grid_import_W_max"]
        self._share = setup.settings["share_permille"]
        self._tick_ms = setup.tick_ms
        self.state = State.zero(len(self._devices))
        self.state[STAGES:] = array("q", [NOT_HEARD] * len(self._devices))

    def step(self, known: Known, found: Found, elapsed_ticks: int) -> list[ForDevice]:
        """Number of stages that each device sheds."""
        missing_W = self._missing_W(known, found)
        self._find()
        if missing_W is not None:
            self._decide(known, found, missing_W, elapsed_ticks * self._tick_ms)
        self.state.need_ms *= found.is_off_grid
        answers = []
        for at, (device, number) in enumerate(self._devices, STAGES):
            least = self._least_stages(known, found, device.settings, 0)
            stages = self.state[at] = max(self.state[at], least or NOT_HEARD)
            reason = self._reason(found, least) if stages > 0 else reasons.NO_REQUEST
            answers.append(ForDevice(number, BaseRequest(max(0, stages), reason)))
        found.is_set_needed = self.state.need_ms < 0
        if found.is_off_grid or self.state.is_outage:
            found.is_shed = any([stages > 0 for stages in self.state[STAGES:]])
            self.state.is_outage = found.is_shed
        return answers

    def _find(self) -> None:
        """Stages that a device reports at the start of the controller stay open."""
        for at, (device, _) in enumerate(self._devices, STAGES):
            stages = device.value("stages")
            if self.state[at] == NOT_HEARD and stages is not None:
                self.state[at] = within(stages, 0, device.settings["stages_max"])

    def _reason(self, found: Found, least: int) -> int:
        if found.mode == BLACK_START:
            return reasons.SHED_BLACK_START
        return reasons.SHED_ENERGY if least else reasons.SHED_LOAD

    def _missing_W(self, known: Known, found: Found) -> int | None:
        """Power that no source gives; < 0: room. None while it is unknown."""
        if not found.is_off_grid:
            if found.connection_W is None:
                return None
            return found.connection_W - max(0, found.high_W) - self._import_W
        load_W = metered_W(known, found, self._suns, self._share)
        if load_W is None:
            # the load less the power of the sun
            running = [each for each in self._engines if each.value("is_running") != 0]
            load_W = given_W(known, running)
        if load_W is None or not (found.is_forming or found.genset_W):
            return None
        # a converter that follows stays at its set-point whatever the load is
        limit_W = min(found.limit_W, found.forming_W) if found.is_forming else found.limit_W
        return load_W - found.genset_W - limit_W

    def _least_stages(
        self, known: Known, found: Found, settings: dict[str, int], above_permille: int
    ) -> int:
        """Stages that stay open whatever power there is. above_permille: 0 to shed; to come back,
        the hysteresis.
        """
        most, level = settings["stages_max"], settings["island_soc_permille"]
        if found.mode == BLACK_START:
            return most
        if not (found.is_off_grid and found.is_forming) or found.genset_W:
            return 0
        if known.soc_permille is None:
            return most if above_permille else 0
        below = level - known.soc_permille[0] + above_permille
        return min(most, 1 + below * most // level) if level and below >= 0 else 0

    def _decide(self, known: Known, found: Found, missing_W: int, passed_ms: int) -> None:
        state, last = self.state, self._last(known, found)
        is_room = last >= 0 and missing_W <= -self._needed_W(last) and self._has_followed(last)
        if found.is_off_grid:
            next_W = self._needed_W(last) if last >= 0 else 0
            is_short = missing_W + found.genset_W + next_W > 0
            state.need_ms = needed_ms(state.need_ms, is_short, passed_ms)
        state.short_ms = min(state.short_ms + passed_ms, SHED_MS) * (missing_W > 0)
        state.room_ms = min(state.room_ms + passed_ms, RETURN_MS) * is_room
        if state.short_ms >= SHED_MS:
            self._open(missing_W)
            state.short_ms = 0
        elif state.room_ms >= RETURN_MS:
            state[STAGES + last] -= 1
            state.room_ms = 0

    def _has_followed(self, place: int) -> bool:
        """False while a stage that came back is still open, or unknown: its load does not show."""
        reported = self._devices[place][0].value("stages")
        return reported is not None and reported <= self.state[STAGES + place]

    def _needed_W(self, place: int) -> int:
        return self._devices[place][0].settings["stage_W"] * TENTH_MORE[0] // TENTH_MORE[1]

    def _last(self, known: Known, found: Found) -> int:
        """Place of the device whose stage comes back next, -1: none may."""
        if found.mode not in (GRID, ISLAND):
            return -1
        for place in range(len(self._devices) - 1, -1, -1):
            settings, stages = self._devices[place][0].settings, self.state[STAGES + place]
            if stages > 0:
                least = self._least_stages(known, found, settings, HYSTERESIS_PERMILLE)
                return place if stages > least else -1
        return -1

    def _open(self, missing_W: int) -> None:
        for at, (device, _) in enumerate(self._devices, STAGES):
            stage_W, most = device.settings["stage_W"], device.settings["stages_max"]
            stages = max(0, self.state[at])
            more = within(-(-missing_W // stage_W), 0, most - stages)
            self.state[at] = stages + more
            missing_W -= more * stage_W
