"""The mode of the site: grid, hand-over, island, black start or return (../ISLAND.md).

Control functions act differently off the grid (functions.py). The naive way reads only the contact
of the transfer switch. But the contact may be unknown or wrong, and it does not show whether an
island has a voltage. So a table gives the next mode from the state of the bus. The mode changes
only after this state has lasted for some time:

    grid --> hand-over --> island       a source carries the bus for 2 s
     ^           +-------> black start  no voltage for 2 s
     +-- return <-- the switch is back on the grid

The site is off the grid in hand-over, island and black start. An unknown contact of the transfer
switch counts as grid, as in row 56 of the matrix. A contact that other measurements contradict also
counts as grid (site_balance.py). But a return does not end while the contact is unknown, so stages
of the load stay shed, and a generator set keeps running, until the grid is certain.
"""

from array import array

from controller.core.base import reasons
from controller.core.base.words import Words
from controller.core.policies.contract import MODE, Found, Function, Known, Setup
from controller.core.policies.known import ISLAND as OFF_GRID_SOURCE
from controller.core.policies.source_reports import gives, runs

GRID, HAND_OVER, ISLAND, BLACK_START, RETURN = range(5)
OFF_GRID = HAND_OVER, ISLAND, BLACK_START
# State of the bus. Off the grid, a DEAD bus has no voltage, a CARRIED bus has a source, and an
# UNCERTAIN bus may be either.
ON_GRID, DEAD, CARRIED, UNCERTAIN = range(4)
NEXT = (
    # One row for each mode: the next mode by the state of the bus.
    (GRID, HAND_OVER, HAND_OVER, HAND_OVER),
    (RETURN, BLACK_START, ISLAND, HAND_OVER),
    (RETURN, BLACK_START, ISLAND, ISLAND),
    (RETURN, BLACK_START, ISLAND, BLACK_START),
    (GRID, HAND_OVER, HAND_OVER, HAND_OVER),
)
# Time for which a state of the bus must last. A seamless transfer is shorter, and so is a voltage
# that comes and goes in a black start.
SETTLE_MS = 2000
LIVE_W = 1000  # a battery that gives or takes more proves that the bus has a voltage
MS_MAX = 1_000_000_000


class State(Words):
    """The mode of the site."""

    mode: int
    next: int  # mode that the state of the bus asks for
    asked_ms: int  # time for which it has asked for this mode


class Modes(Function):
    """Finds the mode. It gives no answer to the chains."""

    state: State
    NAME, STAGE = "modes", MODE
    READS = ("battery_W", "is_forming", "is_load_low", "load_meter_W", "source")
    WRITES = ("is_off_grid", "mode")
    OUTPUTS = ("mode_reason",)  # reason code of the mode
    PARAMETERS = (
        # time back on the grid until the generator set stops and the mode is "grid" again
        ("mode_return_s", "s", 1, 3600, 30, "up"),
    )
    TEXTS = reasons.texts("""
        MODE_GRID | on the grid | The site is on the grid. | Nothing.
        MODE_HAND_OVER | hand-over | The site has left the grid. No other source has carried the bus
          for 2 s yet. | Wait. If it lasts, see if a converter forms the voltage or a generator set
          runs.
        MODE_ISLAND | island | A converter or a generator set carries the site. The backup reserve
          is open, to 3 %. | Watch the state of charge. Stages of the load are shed before the
          battery is empty.
        MODE_BLACK_START | black start | The bus has no voltage. All stages of the load are shed
          until a source carries it. | See page Alarms and the panel of the generator set. The
          stages come back in order.
        MODE_RETURN | return to the grid | The grid is back, or the transfer switch's contact is
          unknown. Generator sets run on. | Wait. If it lasts, check I/O module 3: page Links.
    """)

    def __init__(self, setup: Setup):
        self._tick_ms = setup.tick_ms
        self._after_ms = [setup.settings["mode_return_s"] * 1000, 0, SETTLE_MS, SETTLE_MS, 0]
        self._engines = setup.site.engines
        self.state = State.zero()
        self.out = array("i", [reasons.MODE + GRID])

    def step(self, known: Known, findings: Found, elapsed_ticks: int) -> tuple[()]:
        """Write the mode into Found. There is no answer."""
        state, is_on_grid = self.state, findings.source != OFF_GRID_SOURCE
        if not is_on_grid or state.mode != GRID:
            bus = ON_GRID if is_on_grid else self._off_grid_bus(known, findings)
            is_certain = findings.source is not None or state.mode != RETURN
            following = NEXT[state.mode][bus]
            passed_ms = elapsed_ticks * self._tick_ms if is_certain else 0
            is_same = following == state.next
            state.asked_ms = min(state.asked_ms + passed_ms, MS_MAX) if is_same else 0
            state.next = following
            if state.asked_ms >= self._after_ms[following]:
                state.mode = following
        self.out[0] = reasons.MODE + state.mode
        findings.mode, findings.is_off_grid = state.mode, state.mode in OFF_GRID
        return ()

    def _off_grid_bus(self, known: Known, findings: Found) -> int:
        """State of the bus off the grid. Any sign of a voltage counts, because all load is shed on
        a dead bus. A load meter also answers in a deep sag, so its answer counts only if each phase
        has at least half the voltage.
        """
        is_measured = known.load_meter_W is not None and not known.is_load_low
        is_live = findings.is_forming or is_measured or abs(known.battery_W or 0) >= LIVE_W
        if is_live or any([runs(engine) or gives(engine) for engine in self._engines]):
            return CARRIED
        return UNCERTAIN if known.battery_W is None else DEAD
