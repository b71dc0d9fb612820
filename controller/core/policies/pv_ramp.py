"""The PV ramp limit: the battery bridges clouds, so that the connection sees a slow sun.

A cloud takes most of the sun within seconds, and a grid operator may allow only so many W/s. The
naive way holds back the next power of the sun by its difference from the last. It forgets where it
was, and each cloud leaves energy behind. Here the connection gets a reference that follows the sun
at the ramp, and the battery gives the rest:

    request = reference - sun                  (the state keeps this difference, not the reference)
    reference -> sun - energy given / RETURN_MS            by at most the ramp

So the energy is bounded: without a return, each of many short clouds would take some of it. A sun
that comes back after a silence moves nothing, because only a change between two known reports
counts. While an inverter is silent, the request runs out at the ramp.

The request is added to the base request, and takes what it leaves of the available power. Load
tracking gets the rest (left_low_W and left_high_W), and does not return the energy of the bridge a
second time (bridged_permille). Without a load meter tracking itself holds the sun, as a part of the
load that it calculates. Then this request runs out.
"""

from array import array

from controller.core.base import reasons
from controller.core.base.answers import FastRequest
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import BASE, Found, Function, Known, Setup
from controller.core.policies.site_load import MEASURED

OFF_W_PER_S = 100_000_000
# The energy of a bridge is at most that of the whole sun in this time, and of one ramp.
RETURN_MS = 900_000
MJ_PER_WH = 3_600_000  # mJ
UNKNOWN = -1
PV_RAMP = 116  # reason code


class State(Words):
    """The bridge: the power that the battery gives for the missing sun."""

    bridge_mW: int
    given: int  # energy of the bridge so far, mW x ms


class PvRamp(Function):
    """The request that bridges; none if the ramp is OFF_W_PER_S."""

    state: State
    NAME, STAGE = "pv_ramp", BASE
    READS = ("left_high_W", "left_low_W", "load_source")
    WRITES = ("bridge_W", "bridged_permille")
    PARAMETERS = (
        # What the connection may change in a second because of PV. OFF_W_PER_S: no rule.
        ("pv_ramp_W_per_s", "W/s", 1, OFF_W_PER_S, OFF_W_PER_S, "down"),
    )
    TEXTS = reasons.texts(
        """
        PV_RAMP | PV ramp | The battery bridges a fast change of the PV power: the grid follows at
          the ramp of its operator. | Nothing.
        """,
        PV_RAMP=PV_RAMP,
    )

    def __init__(self, setup: Setup):
        self._ramp_W_per_s = setup.settings["pv_ramp_W_per_s"]
        self._share = setup.settings["share_permille"]
        self._quantum_W = setup.settings["setpoint_quantum_W"]
        self._tick_ms = setup.tick_ms
        self._permille = setup.settings["energy_Wh"] * MJ_PER_WH
        self._suns = setup.site.suns
        self._reports_W = array("q", [UNKNOWN] * len(self._suns))
        self.state, self.more = State.zero(), [self._reports_W]

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[FastRequest, ...]:
        """The request of this tick."""
        if self._ramp_W_per_s == OFF_W_PER_S or not self._suns:
            return ()
        state, elapsed_ms = self.state, elapsed_ticks * self._tick_ms
        state.given += state.bridge_mW * elapsed_ms
        moved_W = self._moved_W()
        if findings.load_source == MEASURED:
            state.bridge_mW -= moved_W * self._share
        step_mW = self._ramp_W_per_s * self._share * elapsed_ms // 1000
        back_mW = within(-state.given // RETURN_MS - state.bridge_mW, -step_mW, step_mW)
        low_W, high_W = (
            findings.left_low_W + findings.bridge_W,
            findings.left_high_W + findings.bridge_W,
        )
        low_mW, high_mW = 1000 * min(0, low_W), 1000 * max(0, high_W)
        state.bridge_mW = within(state.bridge_mW + back_mW, low_mW, high_mW)
        findings.bridged_permille = state.given // self._permille
        quantum_mW = 1000 * self._quantum_W
        findings.bridge_W = (state.bridge_mW + quantum_mW // 2) // quantum_mW * self._quantum_W
        return (FastRequest(findings.bridge_W, PV_RAMP),)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Forget the bridge off the grid; the sun of the return begins anew."""
        self.state[:] = State.zero()
        self._moved_W()
        findings.bridge_W = findings.bridged_permille = 0

    def _moved_W(self) -> int:
        """Change of the sun since the last tick, of all inverters that were and are known."""
        moved_W, reports_W = 0, self._reports_W
        for place, inverter in enumerate(self._suns):
            before_W, power_W = reports_W[place], inverter.value("power_W")
            now_W = UNKNOWN if power_W is None else within(power_W, 0, inverter.settings["rated_W"])
            if UNKNOWN not in (before_W, now_W):
                moved_W += now_W - before_W
            reports_W[place] = now_W
        return moved_W
