"""Load shedding: opens stages of the load, in order, while battery and connection cannot carry it.

A stage is shed when the power that is missing has lasted for SHED_MS. The last stage comes back
when there has been room for it, and a tenth more, for RETURN_MS. While the grid power is unknown
the number of stages stays.
"""

from array import array

from controller.core import contract, reasons
from controller.core.answers import BaseRequest, ForDevice
from controller.core.contract import Function, Setup, View

SHED_MS, RETURN_MS = 500, 30_000
TENTH_MORE = 11, 10

# for each device: stages to shed; ms for which power has been missing, and for which there was room
WORDS = S_STAGES, S_SHORT_MS, S_ROOM_MS = range(3)


class Shed(Function):
    """One request for each shedding device; several devices shed alike."""

    NAME, STAGE = "shed", contract.BASE
    ROLES = ("load_shed",)
    TEXTS = {
        reasons.SHED_LOAD: (
            "load shed",
            "Battery and grid connection cannot carry the load: stages of it are switched off.",
            "Reduce the load, or wait until the battery is charged. The stages come back alone.",
        )
    }

    def __init__(self, setup: Setup):
        self._devices = setup.actuators(self.ROLES)
        self._import_W = setup.settings["grid_import_W_max"]
        self._tick_ms = setup.tick_ms
        self.state = array("i", [0] * (len(WORDS) * len(self._devices)))

    def step(self, view: View, elapsed_ticks: int) -> list[ForDevice]:
        """For each device the number of stages to shed."""
        missing_W = None
        if view.connection_W is not None:
            missing_W = view.connection_W - max(0, view.high_W) - self._import_W
        found = []
        for place, (device, number) in enumerate(self._devices):
            at = place * len(WORDS)
            if missing_W is not None:
                self._decide(at, device.settings, missing_W, elapsed_ticks * self._tick_ms)
            stages = self.state[at + S_STAGES]
            reason = reasons.SHED_LOAD if stages else reasons.NO_REQUEST
            found.append(ForDevice(number, BaseRequest(stages, reason)))
        return found

    def _decide(self, at: int, settings: dict[str, int], missing_W: int, passed_ms: int) -> None:
        state, stage_W = self.state, settings["stage_W"]
        needed_W = stage_W * TENTH_MORE[0] // TENTH_MORE[1]
        is_room = state[at + S_STAGES] > 0 and missing_W <= -needed_W
        state[at + S_SHORT_MS] = min(state[at + S_SHORT_MS] + passed_ms, SHED_MS) * (missing_W > 0)
        state[at + S_ROOM_MS] = min(state[at + S_ROOM_MS] + passed_ms, RETURN_MS) * is_room
        if state[at + S_SHORT_MS] >= SHED_MS:
            more = -(-missing_W // stage_W)
            state[at + S_STAGES] = min(state[at + S_STAGES] + more, settings["stages_max"])
            state[at + S_SHORT_MS] = 0
        elif state[at + S_ROOM_MS] >= RETURN_MS:
            state[at + S_STAGES] -= 1
            state[at + S_ROOM_MS] = 0
