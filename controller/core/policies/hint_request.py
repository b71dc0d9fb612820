"""The base request: the power that an operator, a hint or the schedule asks for.

Several systems may ask for power at once. The naive way follows the newest request without a ramp.
Two senders would then take turns, and one of them could empty the battery. A request that a limit
holds back would grow unnoticed, and jump when the limit ends. So the requests have an order, a ramp
and a quota:

    operator > lowest priority number > schedule whose band excludes 0
    power    changes by at most request_ramp_W_per_s, from the power that the limits allow
    bucket   fills with the power of the request, drains half of energy_Wh_per_h_max in an hour

A request that ends goes to zero at the same ramp. The bucket holds half of energy_Wh_per_h_max and
drains the other half in an hour, so no hour gets more than energy_Wh_per_h_max. If a request and
its ramp down would fill the bucket, the request rests: it waits until a quarter of the bucket is
free.
"""

from array import array

from controller.core.base import hint_codes, hint_sources, reasons
from controller.core.base.answers import BaseRequest
from controller.core.base.integers import within
from controller.core.base.words import Words
from controller.core.policies import hint_outputs as outputs, hint_table as table
from controller.core.policies.contract import BASE, Found, Function, Known, Setup

MS_PER_H = 3_600_000
RESUME_QUARTERS = 3  # a resting request resumes when less than three quarters are filled
LEVEL_MAX = 1 << 62
_PLACE = hint_sources.QUANTITIES.index(hint_codes.POWER_W)


class State(Words):
    """A source is stored as its index + 1, 0 for none. From LEVEL on follow the levels of the
    buckets, W x ms.
    """

    is_idle: int  # nothing is requested, and every bucket is empty
    effective_W: int  # part of the base request that the limits allow
    owner: int  # the source whose bucket counts this power: the last source in control
    control: int  # the source in control
    rests: int  # the request of the schedule rests


LEVEL = len(State.__annotations__)


class HintRequest(Function):
    """The base request."""

    state: State
    NAME, STAGE = "hint_request", BASE
    READS = ("added_W", "high_W", "low_W", "scheduled_W", "scheduled_source", "setpoint_W")
    BEFORE = ("bridge_W",)
    ASKS = (table.HintTable.NAME,)
    WRITES = ("is_exact", "is_requested", "left_high_W", "left_low_W", "left_setpoint_W")
    TEXTS = reasons.texts("""
        OPERATOR | operator instruction | An operator instruction is in force. | See page Sources
          for its source and validity.
        HINT | hint | An upstream system asks for this power. | See page Sources for its source and
          validity.
        REQUEST_RESTS | request waits | An upstream request has used up its energy of this hour and
          waits. | Wait, or raise energy_Wh_per_h_max of its source; see page Sources.
        REQUEST_ENDED | request ended | A request has ended; its power goes to zero at the ramp of
          its source. | Nothing.
    """)

    def __init__(self, setup: Setup):
        hints, sources = setup.functions[table.HintTable.NAME], setup.sources
        self._table, self._tick_ms = hints, setup.tick_ms
        is_operator = [source.rank == hint_sources.OPERATOR for source in sources]
        order = [
            (not is_operator[index], source.priority, index) for index, source in enumerate(sources)
        ]
        self._order = [
            index for *_, index in sorted(order) if sources[index].rank >= hint_sources.REQUEST
        ]
        self._entries = list(hints.entries[_PLACE :: len(hint_sources.QUANTITIES)])
        self._reasons = [reasons.OPERATOR if is_chief else reasons.HINT for is_chief in is_operator]
        self._ramps_W_per_s = [source.request_ramp_W_per_s for source in sources]
        self._leaks_W = [source.energy_Wh_per_h_max // 2 for source in sources]
        self._bucket_sizes = [-(-source.energy_Wh_per_h_max // 2) * MS_PER_H for source in sources]
        self.state = State.zero(len(sources))
        self.state.is_idle = 1

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[BaseRequest, ...]:
        """The base request. Found gets the set-point and the available power, both less the
        effective request and less the power that bridges a cloud.
        """
        state = self.state
        findings.is_requested, findings.is_exact = findings.scheduled_W != 0, False
        findings.left_setpoint_W = findings.setpoint_W - findings.added_W - findings.bridge_W
        findings.left_low_W = findings.low_W - findings.bridge_W
        findings.left_high_W = findings.high_W - findings.bridge_W
        if state.is_idle and not findings.scheduled_W and not self._wake_up():
            return ()
        findings.left_setpoint_W -= state.effective_W
        request = self._request(findings, elapsed_ticks * self._tick_ms)
        findings.left_low_W -= state.effective_W
        findings.left_high_W -= state.effective_W
        findings.is_requested = state.control > 0 or findings.scheduled_W != 0
        return (request,)

    def hold(self, known: Known, findings: Found, elapsed_ticks: int) -> None:
        """Drop the request off the grid. The bucket of each source continues to drain."""
        findings.is_requested = findings.is_exact = False
        self.state[:LEVEL] = array("q", [0] * LEVEL)
        self._table.set_control(0)
        self._count_energy(elapsed_ticks * self._tick_ms)

    def _request(self, findings: Found, elapsed_ms: int) -> BaseRequest:
        state = self.state
        self._count_energy(elapsed_ms)
        best, rests = self._choose_source(elapsed_ms)
        asked_W, reason = 0, reasons.NONE
        if best >= 0:
            reason = self._reasons[best]
            asked_W = self._table.state[self._entries[best] + table.E_VALUE_W]
            findings.is_exact = self._table.state[self._entries[best] + table.E_EXACT] > 0
        elif findings.scheduled_W:
            asked_W, reason = findings.scheduled_W, reasons.SCHEDULE
            best, rests = self._choose_schedule(findings, rests, elapsed_ms)
        state.control = best + 1
        self._table.set_control(best + 1)
        if best >= 0:
            state.owner = best + 1
        ends_W = min(findings.low_W, 0), max(findings.high_W, 0)
        base_W = self._ramped(asked_W if best >= 0 else 0, *ends_W, elapsed_ms)
        if best >= 0:
            return BaseRequest(base_W, reason)
        state.is_idle = not (base_W or rests or any(state[LEVEL:]))
        ended = reasons.REQUEST_ENDED if base_W else reasons.NONE
        return BaseRequest(base_W, reasons.REQUEST_RESTS if rests else ended)

    def _wake_up(self) -> bool:
        """True if a request has come. The function is no longer idle then."""
        table_state = self._table.state
        for index in self._order:
            if table_state[self._entries[index]]:
                self.state.is_idle = 0
                return True
        return False

    def _count_energy(self, elapsed_ms: int) -> None:
        state = self.state
        for index in self._order:
            power_W = abs(state.effective_W) if state.owner == index + 1 else 0
            level = state[LEVEL + index] + (power_W - self._leaks_W[index]) * elapsed_ms
            state[LEVEL + index] = within(level, 0, LEVEL_MAX)

    def _choose_source(self, elapsed_ms: int) -> tuple[int, bool]:
        """(index of the source in control or -1, True if a request rests)."""
        table_state, best, rests = self._table.state, -1, False
        for index in self._order:
            place = self._entries[index] + table.E_STATE
            if table_state[place] == outputs.NONE:
                continue
            asked_W = table_state[self._entries[index] + table.E_VALUE_W]
            was_resting = table_state[place] == outputs.RESTING
            is_resting = self._is_resting(index, was_resting, asked_W, elapsed_ms)
            self._table.let_rest(self._entries[index], is_resting)
            if is_resting:
                rests = True
            elif best < 0:
                best = index
        return best, rests

    def _choose_schedule(self, findings: Found, rests: bool, elapsed_ms: int) -> tuple[int, bool]:
        """Decide whether the schedule's request acts or rests. Returns as _choose_source does."""
        index, state = findings.scheduled_source - 1, self.state
        is_resting = self._is_resting(index, state.rests > 0, findings.scheduled_W, elapsed_ms)
        state.rests = is_resting
        return (-1, True) if is_resting else (index, rests)

    def _is_resting(self, index: int, was_resting: bool, asked_W: int, elapsed_ms: int) -> bool:
        """True if this tick and a ramp down would overfill the bucket of the source."""
        level, size = self.state[LEVEL + index], self._bucket_sizes[index]
        if was_resting and 4 * level >= RESUME_QUARTERS * size:
            return True
        moving_W = abs(self.state.effective_W) if self.state.owner == index + 1 else 0
        step_W = self._step_W(index, elapsed_ms)
        power_W = min(moving_W + step_W, max(moving_W, abs(asked_W)))
        energy_ahead = power_W * elapsed_ms * (2 * step_W + power_W) // (2 * step_W)
        return level + energy_ahead >= size

    def _step_W(self, index: int, elapsed_ms: int) -> int:
        return max(1, self._ramps_W_per_s[index] * elapsed_ms // 1000)

    def _ramped(self, asked_W: int, low_W: int, high_W: int, elapsed_ms: int) -> int:
        """Base request after one more step of the ramp, W. If limits hold the ramp back, it is the
        whole power asked for. Then the limits stay visible as the reason.
        """
        state = self.state
        if not state.owner:
            return 0
        step_W = self._step_W(state.owner - 1, elapsed_ms)
        ramped_W = within(asked_W, state.effective_W - step_W, state.effective_W + step_W)
        state.effective_W = within(ramped_W, low_W, high_W)
        if ramped_W > high_W:
            return max(asked_W, ramped_W)
        return min(asked_W, ramped_W) if ramped_W < low_W else ramped_W
