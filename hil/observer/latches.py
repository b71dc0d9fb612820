"""What must be latched, as the wires tell it: a contact or a rack's value that was beyond its row's
threshold for longer than the row needs, until somebody resets it.
"""

from hil import oracle

# contact: the stage that its being open trips
CONTACTS = {"estop_1": "1a", "estop_2": "1b", "fire_alarm": "2", "suppression": "3"}
CONTACTS |= {"gas_relay": "12b", "cell_voltage": "30", "bms_fault": "40e"}
VALUES = {"temperature_ddegC_max": ("degC_max", 10)}
VALUES |= {"cell_voltage_mV_max": ("cell_V_max", 1000), "cell_voltage_mV_min": ("cell_V_min", 1000)}
RACK = {
    stage: row
    for stage, row in oracle.ROWS.items()
    if row.watches in VALUES and row.reset >= oracle.REMOTE and not row.gate
}
READ_US = 200_000  # a value that was beyond for its debounce and this was read as such in time


def _latches(stage, duration_us):
    return duration_us > 1000 * oracle.ROWS[stage].debounce_ms + READ_US


def _is_beyond(row, told):
    name, scale = VALUES[row.watches]
    if name not in told:
        return False
    value = round(told[name] * scale)
    return value >= row.at if row.above else value <= row.at


class Latches:
    """`stages`: {stage that waits for a reset: its kind}, in the order in which they came."""

    def __init__(self):
        self.stages = {}
        self._since_us = {}

    def contact(self, time_us, name, is_closed):
        """A contact was read; one that is still open keeps everything open by itself."""
        if name in CONTACTS:
            self._see(time_us, CONTACTS[name], not is_closed)

    def racks(self, time_us, told):
        """What each rack tells of itself; ask often."""
        for stage, row in RACK.items():
            self._see(time_us, stage, any([_is_beyond(row, each) for each in told]))

    def _see(self, time_us, stage, is_beyond):
        if is_beyond:
            since_us = self._since_us.setdefault(stage, time_us)
        else:
            since_us = self._since_us.pop(stage, time_us)
        if _latches(stage, time_us - since_us):
            self.stages[stage] = oracle.ROWS[stage].reset

    def reset(self, kind):
        """Somebody resets what waits for this kind, or for less."""
        self.stages = {stage: own for stage, own in self.stages.items() if own > kind}
