"""The deterministic core: kernel, control and set-point chain over one frozen process image.
Integers in, integers out.

It reads no clock and does no I/O; built from two integer images, it gives the same outputs for the
same inputs, which is what replay relies on. `out` holds the kernel's outputs, the chain's trace,
one set-point per unit, and which stage instances stand (active or latched), 30 to a word, so that
whoever reads the journal can name every alarm. What hints make of the chain is published between
the trace and the set-points (control/hint_table.py).
"""

from array import array

from controller.core import image, parameters, reasons, setpoint
from controller.core.policies import hint_request, hint_table, reserve, site_load, track
from controller.core.split import Split
from safety import matrix
from safety import parameters as p
from safety import signals as s
from safety.kernel import Kernel

STANDING_BITS = 30
FLASH_MS = 250


class Core:
    """`inp`, `fresh` are filled by the caller before `tick`; `out` is valid after it."""

    def __init__(self, safety_image, control_image, source_image):
        """All array('i'). ValueError when an image is not of this version."""
        if len(control_image) != len(parameters.CONTROL_PARAMETERS):
            raise ValueError("control image length does not fit this version")
        self.safety_image, self.control_image = safety_image, control_image
        self.kernel = Kernel(safety_image)
        self.layout = layout = self.kernel.layout
        self.inp, self.fresh = array("i", [0] * image.words(layout)), self.kernel.fresh
        self._kernel_inp, self._kernel_words = (
            memoryview(self.kernel.inp),
            memoryview(self.inp)[: layout.inputs],
        )
        tick_ms = safety_image[p.H_TICK_MS]
        self.chain = setpoint.Chain(control_image, tick_ms)
        self.track = track.Track(control_image, tick_ms)
        self.load = site_load.SiteLoad(control_image, tick_ms)
        first = p.ImageMap(layout.units, layout.racks, matrix.STAGES_PER_SCOPE).unit
        self.rated_W = [
            safety_image[first + unit * len(p.UNIT_PARAMETERS) + p.U_RATED_W]
            for unit in range(layout.units)
        ]
        self.reserve = reserve.Reserve(control_image, tick_ms, sum(self.rated_W))
        # kW; Split wants < 2^20
        self._weights = [min(rated_W // 1000, (1 << 20) - 1) for rated_W in self.rated_W]
        self.split = Split(layout.units)
        self.chain_at = layout.outputs
        self.hints = hint_table.HintTable(source_image, tick_ms)
        self.requests = hint_request.Requests(source_image, tick_ms, self.hints)
        self.hinted = self.hints.count > 0  # without sources there is nothing to do for hints
        self.hint_at = self.chain_at + len(setpoint.CHAIN_OUTPUTS)
        self.setpoint_at = self.hint_at + len(self.hints.out)
        self.standing_at = self.setpoint_at + layout.units
        self._lamp_test_at = image.places(layout)["lamp_test"].start
        self.out = array(
            "i", [0] * (self.standing_at + -(-self.kernel.evaluator.count // STANDING_BITS))
        )
        self._mask = 0
        self._lowest_permille, self._lowest_ok = -1, 0  # what remaining_Wh was published for
        self._charge_W = array("i", [0] * layout.units)
        self._discharge_W = array("i", [0] * layout.units)
        self._limits_at = [
            (layout.unit_output(unit, s.CHARGE_W_MAX), layout.unit_output(unit, s.DISCHARGE_W_MAX))
            for unit in range(layout.units)
        ]
        self._reason_at = (
            layout.unit_output(0, s.CHARGE_REASON),
            layout.unit_output(0, s.DISCHARGE_REASON),
        )
        self._soc_at = [layout.rack_input(rack, s.SOC_PERMILLE) for rack in range(layout.racks)]
        self._soc_group = [layout.rack_group(rack, s.G_BMS_CHARGE) for rack in range(layout.racks)]

    def tick(self, elapsed_ticks):
        """One tick over the frozen inputs."""
        kernel = self.kernel
        self._kernel_inp[:] = self._kernel_words
        kernel.step(elapsed_ticks)
        self._measure()
        self._bounds(elapsed_ticks)
        total_W = self._decide(elapsed_ticks)
        self.split.step(total_W, self._charge_W, self._discharge_W, self._weights)
        out = self.out
        out[: self.chain_at] = kernel.out
        out[self.chain_at : self.hint_at] = self.chain.out
        if self.hinted:
            out[self.hint_at : self.setpoint_at] = self.hints.out
        out[self.setpoint_at : self.standing_at] = self.split.out
        if kernel.out[s.CAUSE_MASK] != self._mask:
            self._name_standing()
        # flashing: a steady lamp would say that there is no energy
        if self.inp[self._lamp_test_at] // FLASH_MS & 1:
            out[s.LAMP_ON] = out[s.RED_LAMP_ON] = 1

    def _measure(self):
        """Load and connection from what is fresh; a frozen meter counts as silent."""
        inp, ages = self.inp, self.kernel.features.ages
        frozen = self.kernel.features.value[matrix.F_METER_FROZEN_MS] >= self.kernel.frozen_ms
        battery_W, battery_ok = 0, 1
        layout = self.layout
        for unit in range(layout.units):
            battery_W += inp[layout.unit_input(unit, s.PCS_POWER_W)]
            battery_ok &= ages.known(layout.unit_group(unit, s.G_PCS_MEASURE))
        self.load.step(
            ages.known(s.G_METER_LOAD) and not frozen,
            inp[s.LOAD_POWER_W],
            self.kernel.out[s.OBLIGATIONS_OK],
            inp[s.GRID_POWER_W],
            battery_ok,
            battery_W,
        )

    def _soc(self):
        """(known, lowest, mean) of the racks' states of charge, permille; unknown if any rack's
        is.
        """
        ages = self.kernel.features.ages
        for group in self._soc_group:
            if not ages.known(group):
                return 0, 0, 0
        inp = self.inp
        soc = [inp[at] for at in self._soc_at]
        return 1, min(soc), sum(soc) // len(soc)

    def _bounds(self, elapsed_ticks):
        chain, out = self.chain, self.kernel.out
        known, lowest, self.soc_permille = self._soc()
        self.soc_ok = known
        self.reserve.step(known, lowest, elapsed_ticks)
        kept = self.reserve.state
        chain.begin()
        # wide open it bounds nothing, nor is a reason
        if kept[reserve.S_SOFT_DISCHARGE_W_MAX] < self.reserve.rated_W:
            chain.caps.narrow(
                setpoint.WIDE_W,
                reasons.NONE,
                kept[reserve.S_SOFT_DISCHARGE_W_MAX],
                kept[reserve.S_SOFT_REASON],
            )
        if kept[reserve.S_HARD_DISCHARGE_W_MAX] < self.reserve.rated_W:
            chain.limits.narrow(
                setpoint.WIDE_W,
                reasons.NONE,
                kept[reserve.S_HARD_DISCHARGE_W_MAX],
                kept[reserve.S_HARD_REASON],
            )
        for unit, (charge_at, discharge_at) in enumerate(self._limits_at):
            self._charge_W[unit] = out[charge_at]
            self._discharge_W[unit] = out[discharge_at]
        charge = reasons.KERNEL_CHARGE[out[self._reason_at[0]]]
        discharge = reasons.KERNEL_DISCHARGE[out[self._reason_at[1]]]
        chain.limits.narrow(sum(self._charge_W), charge, sum(self._discharge_W), discharge)
        state = self.load.state
        setpoint.connection(
            chain.obligations,
            state[site_load.S_CONNECTION_OK],
            state[site_load.S_CONNECTION_W],
            self.control_image,
        )
        if self.hinted:
            self.hints.step(self.inp, self.layout.inputs, elapsed_ticks)
            self.hints.narrow(
                chain,
                state[site_load.S_CONNECTION_OK],
                state[site_load.S_CONNECTION_W],
                self.control_image[parameters.C_SETPOINT_QUANTUM_W],
            )
        if lowest != self._lowest_permille or known != self._lowest_ok:
            self._publish_remaining(known, lowest)

    def _decide(self, elapsed_ticks):
        """Set-point from the base request, if anybody sends one, and load tracking in what that
        leaves.

        While a request is in force the state of charge is its sender's: load tracking does not
        bring it back.
        """
        load, chain, requests = self.load.state, self.chain, self.requests
        low_W, high_W = chain.available()
        soc_ok, before_W = self.soc_ok, chain.state[0]
        base_W, base_reason = 0, reasons.NONE
        if self.hinted:
            before_W -= requests.state[hint_request.S_EFFECTIVE_W]
            base_W, base_reason = requests.step(low_W, high_W, elapsed_ticks)
            soc_ok = soc_ok and not requests.state[hint_request.S_CONTROL]
            low_W -= requests.state[hint_request.S_EFFECTIVE_W]
            high_W -= requests.state[hint_request.S_EFFECTIVE_W]
        fast_W = self.track.step(
            load[site_load.S_SOURCE],
            load[site_load.S_LOAD_W],
            soc_ok,
            self.soc_permille,
            low_W,
            high_W,
            before_W,
            elapsed_ticks,
        )
        known = load[site_load.S_SOURCE] != track.UNKNOWN
        return chain.finish(
            base_W,
            base_reason,
            fast_W,
            reasons.LOAD_TRACKING if known else reasons.LOAD_UNKNOWN,
            elapsed_ticks,
        )

    def _publish_remaining(self, soc_ok, soc_permille):
        """Energy above the soft reserve, of the rack that has least; -1 while it is unknown."""
        self._lowest_ok, self._lowest_permille = soc_ok, soc_permille
        image = self.control_image
        above = max(0, soc_permille - image[parameters.C_SOC_RESERVE_SOFT_PERMILLE])
        self.hints.out[hint_table.O_REMAINING_WH] = (
            image[parameters.C_ENERGY_WH] * above // 1000 if soc_ok else -1
        )
        self.out[self.hint_at : self.setpoint_at] = self.hints.out

    def setpoints(self):
        """Set-point of each unit, W, of the last tick."""
        return self.out[self.setpoint_at : self.standing_at]

    def _name_standing(self):
        """Write the standing stage instances into `out`; only when the cause mask has changed."""
        evaluator, out = self.kernel.evaluator, self.out
        self._mask = self.kernel.out[s.CAUSE_MASK]
        for word in range(self.standing_at, len(out)):
            out[word] = 0
        for index in range(evaluator.count):
            if evaluator.standing(index):
                out[self.standing_at + index // STANDING_BITS] |= 1 << index % STANDING_BITS

    def _blocks(self):
        return (
            *self.kernel.state_blocks(),
            self.chain.state,
            self.track.state,
            self.load.state,
            self.reserve.state,
            self.hints.state,
            self.hints.out,
            self.requests.state,
        )

    def state_words(self):
        """Everything that carries over to the next tick, as array('i') (each block padded to whole
        words).
        """
        words = array("i")
        for block in self._blocks():
            data = bytes(block)
            words.frombytes(data + bytes(-len(data) % words.itemsize))
        return words

    def load_state(self, words):
        """Take over what state_words gave. ValueError when the length does not fit."""
        data, at = words.tobytes(), 0
        for block in self._blocks():
            view = memoryview(block).cast("B")
            if at + len(view) > len(data):
                raise ValueError("state words do not fit this topology")
            view[:] = data[at : at + len(view)]
            at += len(view) + -len(view) % words.itemsize
        if at != len(data):
            raise ValueError("state words do not fit this topology")
        self._lowest_permille = -1
        self._name_standing()
