"""Judges from the wires which stages of the cause-and-effect matrix must be latched.

A stage must latch if its contact was open, or its rack value beyond the threshold, for longer than
the row's debounce time. A reset clears it.
"""

from hil.oracle import design

# contact: stage that trips when the contact is open
CONTACTS = {"estop_1": "1a", "estop_2": "1b", "fire_alarm": "2", "suppression": "3"}
CONTACTS |= {"gas_relay": "12b", "cell_voltage": "30", "bms_fault": "40e"}
VALUES = {"temperature_ddegC_max": ("degC_max", 10)}
VALUES |= {"cell_voltage_mV_max": ("cell_V_max", 1000), "cell_voltage_mV_min": ("cell_V_min", 1000)}
RACK = {
    stage: row
    for stage, row in design.ROWS.items()
    if row.watches in VALUES and row.reset >= design.REMOTE and not row.gate
}
READ_US = 200_000  # longest time until the controller has read a value


def _is_beyond(row: design.Row, reported: dict[str, float]) -> bool:
    name, scale = VALUES[row.watches]
    if name not in reported:
        return False
    value = round(reported[name] * scale)
    return value >= row.at if row.above else value <= row.at


class Latches:
    """`stages`: {stage that waits for a reset: kind of reset that it needs}, in order of time."""

    def __init__(self) -> None:
        self.stages: dict[str, int] = {}
        self._since_us: dict[str, int] = {}

    def contact(self, time_us: int, name: str, is_closed: bool) -> None:
        """Take the level of a contact. While it is open, it keeps the contactors open by itself."""
        if name in CONTACTS:
            self._see(time_us, CONTACTS[name], not is_closed)

    def racks(self, time_us: int, reported: list[dict[str, float]]) -> None:
        """Take the values that each rack reports. Call this often."""
        for stage, row in RACK.items():
            self._see(
                time_us, stage, any([_is_beyond(row, rack_values) for rack_values in reported])
            )

    def _see(self, time_us: int, stage: str, is_beyond: bool) -> None:
        if is_beyond:
            since_us = self._since_us.setdefault(stage, time_us)
        else:
            since_us = self._since_us.pop(stage, time_us)
        if time_us - since_us > 1000 * design.ROWS[stage].debounce_ms + READ_US:
            self.stages[stage] = design.ROWS[stage].reset

    def reset(self, kind: int) -> None:
        """Clear the stages that need this kind of reset or a lower kind."""
        self.stages = {stage: own for stage, own in self.stages.items() if own > kind}
