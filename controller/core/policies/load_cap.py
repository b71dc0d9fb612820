"""Load cap: asks a scheduler for less load while the battery cannot keep the import in its limit.

A peak of the import is paid for the whole month, so it pays to lower the load for a few hours. The
naive way asks again in each tick for the missing power. A scheduler
takes seconds to lower its load, so it would be asked for the same power many times. So each device
gets time to follow:

    obligations need more than the battery can give, for ASK_MS  --> ask for the rest
    they need discharge, and the state of charge is low          --> ask for all of it
    after a request                  --> wait follow_s, until the meter shows the lower load
    room for 1.1 times the requests, for RETURN_MS               --> ask the last device for 0

Only the grid meter shows that the load is lower. A promise of the scheduler does not count: the
battery keeps the limits as if there were no request. Off the grid, or while the power of the
connection is unknown, the requests stay, because the load must not rise then. The smallest request
is 0, so no request raises a load.
"""

from controller.core.base import reasons
from controller.core.base.answers import BaseRequest, ForDevice
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import BASE, Found, Function, Known, Setup

ASK_MS, RETURN_MS = 2000, 60_000
ROOM_TENTHS = 11  # room for the return of the load, relative to the requests
STEP_W = 1000  # requests are whole kW
LOAD_LOWERED, LOAD_LOWERED_LOW = 139, 140  # reason codes
_TEXTS = """
    LOAD_LOWERED | load asked for less | The battery cannot hold the limit of the import alone: the
      scheduler is asked to lower the load. | Nothing: the load may rise again when there is room.
    LOAD_LOWERED_LOW | less load asked, battery low | The battery is low and a limit of the
      import needs it: the scheduler is asked to lower the load. | Nothing: the load may rise again
      when there is room.
"""


class State(Words):
    """`is_low`: a low state of charge was the cause of the last request."""

    short_ms: int  # time for which power has been missing
    room_ms: int  # time for which there was room for the whole lowered load
    wait_ms: int  # time until the next request may be made
    is_low: int


class Asked(Words):
    """The request to one device."""

    is_adopted: int  # it has reported, or has been asked, since the start of the controller
    lower_W: int


class LoadCap(Function):
    """Makes one request for each device: the power in W by which the load should be lower."""

    state: State
    NAME, STAGE = "load_cap", BASE
    ROLES = ("load_cap",)
    READS = ("connection_W", "import_room_W", "is_off_grid", "limit_W", "soc_permille")
    TEXTS = reasons.texts(_TEXTS, LOAD_LOWERED=LOAD_LOWERED, LOAD_LOWERED_LOW=LOAD_LOWERED_LOW)

    def __init__(self, setup: Setup):
        self._devices = setup.actuators(self.ROLES)
        levels = [device.settings["start_soc_permille"] for device, _ in self._devices]
        self._low_permille = max(levels, default=0)
        self._tick_ms = setup.tick_ms
        # without devices the function has no state: an array without words
        self.state = State.zero() if self._devices else State("q")
        self.more = self.asked = [Asked.zero() for _ in self._devices]

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> list[ForDevice]:
        """The request for each device."""
        self._adopt_reported()
        if findings.connection_W is not None and not findings.is_off_grid:
            self._decide(known, findings, elapsed_ticks * self._tick_ms)
        code = LOAD_LOWERED_LOW if self.state.is_low else LOAD_LOWERED
        answers = []
        for asked, (_, number) in zip(self.asked, self._devices):
            reason = code if asked.lower_W else reasons.NO_REQUEST
            answers.append(ForDevice(number, BaseRequest(asked.lower_W, reason)))
        return answers

    def _adopt_reported(self) -> None:
        """Keep the request of a device that has lowered its load before the controller's start."""
        for asked, (device, _) in zip(self.asked, self._devices):
            reported_W = device.value("lowered_W")
            if not asked.is_adopted and reported_W is not None:
                asked.is_adopted = 1
                asked.lower_W = within(reported_W, 0, device.settings["lower_W_max"])

    def _decide(self, known: Known, findings: Found, passed_ms: int) -> None:
        state, room_W = self.state, findings.import_room_W
        need_W, asked_W = max(0, -room_W), sum([asked.lower_W for asked in self.asked])
        battery_W = max(0, findings.limit_W)
        wanted_W = need_W - battery_W
        soc = known.soc_permille
        uses_battery = need_W > 0 and battery_W > 0
        is_low = uses_battery and soc is not None and soc[0] <= self._low_permille
        if is_low:
            wanted_W = need_W
        is_room = asked_W > 0 and room_W >= asked_W * ROOM_TENTHS // 10
        state.wait_ms = max(0, state.wait_ms - passed_ms)
        state.short_ms = min(state.short_ms + passed_ms, ASK_MS) if wanted_W > 0 else 0
        state.room_ms = min(state.room_ms + passed_ms, RETURN_MS) if is_room else 0
        if state.short_ms >= ASK_MS and not state.wait_ms:
            state.is_low = is_low
            self._ask(wanted_W)
        elif state.room_ms >= RETURN_MS:
            state.room_ms = 0
            last = [asked for asked in self.asked if asked.lower_W][-1]
            last.lower_W = 0

    def _ask(self, wanted_W: int) -> None:
        """Ask the devices in their order. A device that is not ready is left out."""
        wanted_W = -(-wanted_W // STEP_W) * STEP_W
        for asked, (device, _) in zip(self.asked, self._devices):
            if device.value("is_ready_ok") == 0:
                continue
            more_W = within(wanted_W, 0, device.settings["lower_W_max"] - asked.lower_W)
            asked.is_adopted, asked.lower_W = 1, asked.lower_W + more_W
            wanted_W -= more_W
            if more_W:
                self.state.wait_ms = max(self.state.wait_ms, device.settings["follow_s"] * 1000)
