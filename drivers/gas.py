"""Gas detector family: concentration as 0.1 % of the lower flammable limit, health, days until calibration is due."""

from drivers.buses import rtu

FULL_SCALE_PERMILLE = 1000  # of the lower flammable limit; a saturated cell reads at least this


class GasDetector:
    """One detector: stores concentration, `ok` and the calibration days into the sink, all three or none."""

    def __init__(self, profile, unit_id, sink, lfl_index, ok_index, calibration_index, group):
        """The indexes are into sink.inp, group into sink.fresh."""
        self.profile = profile
        self.unit_id = unit_id
        self.replies = self.refused = self.failures = 0
        self._inp, self._fresh = sink.inp, sink.fresh
        self._lfl_index, self._ok_index = lfl_index, ok_index
        self._calibration_index, self._group = calibration_index, group
        self._fault_mask = profile.settings["fault_mask"]
        self._over_range_mask = profile.settings["over_range_mask"]
        names = ("concentration", "status", "calibration_due", "today")
        self._address, self._count, layout = profile.block(names)
        self._unpack = layout.unpack_from
        self._limits = [(profile.registers[name].low, profile.registers[name].high) for name in names]
        self._pdu = None

    def periodic(self):
        """[(Request, period in us)]: the one read."""
        function = self.profile.registers["concentration"].function
        request = rtu.read_request((self.unit_id, "gas"), self.unit_id, function, self._address, self._count,
                                   self._on_reply, self._on_failure)
        return [(request, self.profile.period_ms * 1000)]

    schedule = periodic

    def _on_reply(self, pdu, now_us):
        self.replies += 1
        if pdu != self._pdu and not self._store(self._unpack(pdu, 2)):
            self.refused += 1
            return
        self._pdu = pdu
        self._fresh[self._group] = 1

    def _on_failure(self, kind, code, now_us):
        self.failures += 1

    def _store(self, values):
        """True when all values are within their ranges; then they are in the sink."""
        for value, (low, high) in zip(values, self._limits):
            if not low <= value <= high:
                return False
        concentration, status, due, today = values
        if status & self._over_range_mask or concentration > FULL_SCALE_PERMILLE:
            concentration = FULL_SCALE_PERMILLE
        self._inp[self._lfl_index] = concentration
        self._inp[self._ok_index] = 0 if status & self._fault_mask else 1
        self._inp[self._calibration_index] = max(-36500, min(36500, due - today))
        return True
