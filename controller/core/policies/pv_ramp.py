"""The PV ramp limit: the battery bridges clouds, so that the PV power changes slowly at the
connection.

A cloud takes most of the PV power within seconds, and a grid operator may allow only so many W/s.
The naive way limits the step from the last PV power to the next one. It does not remember how much
energy it has given, and each cloud leaves an error. Here the connection gets a reference that
follows the PV power at the ramp, and the battery gives the difference:

    request = reference - PV                   (the state keeps this difference, not the reference)
    reference -> PV - energy given / RETURN_MS             by at most the ramp

The return bounds the energy: otherwise each of many short clouds would take some of it. PV that
comes back after a silence moves nothing, because only a change between two known reports counts.
While an inverter is silent, the request runs out at the ramp.

The request is added to the base request, and uses the available power that the base request leaves.
Load tracking gets the rest (left_low_W and left_high_W), and does not return the energy of the
bridge a second time (bridged_permille). Without a load meter, PV is a part of the load that load
tracking calculates and follows itself. Then this request runs out.
"""

from array import array

from controller.core.base import reasons
from controller.core.base.answers import FastRequest
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies.contract import BASE, Found, Function, Known, Setup
from controller.core.policies.site_load import MEASURED

OFF_W_PER_S = 100_000_000
# The energy of a bridge is at most the whole PV power in this time, and the energy of one ramp.
RETURN_MS = 900_000
MJ_PER_WH = 3_600_000  # mJ
UNKNOWN = -1
PV_RAMP = 116  # reason code


class State(Words):
    """The bridge: the power that the battery gives in place of the missing PV power."""

    bridge_mW: int
    energy: int  # energy of the bridge so far, mW x ms


class PvRamp(Function):
    """The request that bridges; none if the ramp is OFF_W_PER_S."""

    state: State
    NAME, STAGE = "pv_ramp", BASE
    READS = ("left_high_W", "left_low_W", "load_source")
    WRITES = ("bridge_W", "bridged_permille")
    PARAMETERS = (
        # Change of the connection's power in a second that PV may cause. OFF_W_PER_S: no rule.
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
        self._inverters = setup.site.inverters
        self._reports_W = array("q", [UNKNOWN] * len(self._inverters))
        self.state, self.more = State.zero(), [self._reports_W]

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[FastRequest, ...]:
        """The request of this tick."""
        if self._ramp_W_per_s == OFF_W_PER_S or not self._inverters:
            return ()
        state, elapsed_ms = self.state, elapsed_ticks * self._tick_ms
        state.energy += state.bridge_mW * elapsed_ms
        moved_W = self._moved_W()
        if findings.load_source == MEASURED:
            state.bridge_mW -= moved_W * self._share
        step_mW = self._ramp_W_per_s * self._share * elapsed_ms // 1000
        back_mW = within(-state.energy // RETURN_MS - state.bridge_mW, -step_mW, step_mW)
        low_mW = 1000 * min(0, findings.left_low_W + findings.bridge_W)
        high_mW = 1000 * max(0, findings.left_high_W + findings.bridge_W)
        state.bridge_mW = within(state.bridge_mW + back_mW, low_mW, high_mW)
        findings.bridged_permille = state.energy // self._permille
        quantum_mW = 1000 * self._quantum_W
        findings.bridge_W = (state.bridge_mW + quantum_mW // 2) // quantum_mW * self._quantum_W
        return (FastRequest(findings.bridge_W, PV_RAMP),)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Forget the bridge off the grid. After the return it begins anew."""
        self.state[:] = State.zero()
        self._moved_W()
        findings.bridge_W = findings.bridged_permille = 0

    def _moved_W(self) -> int:
        """Change of the PV power since the last tick, of all inverters that were and are known."""
        moved_W, reports_W = 0, self._reports_W
        for place, inverter in enumerate(self._inverters):
            before_W, power_W = reports_W[place], inverter.value("power_W")
            now_W = UNKNOWN if power_W is None else within(power_W, 0, inverter.settings["rated_W"])
            if UNKNOWN not in (before_W, now_W):
                moved_W += now_W - before_W
            reports_W[place] = now_W
        return moved_W
