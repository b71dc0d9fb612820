"""Rows with the controller killed: the wiring acts, or the expiry of the I/O modules."""

from hil.campaigns.rows.course import Course, do
from hil.campaigns.rows.courses import BROKEN, COURSES, KILL, GENTLE_kW
from hil.plant.relays import LFL_RELAY_PCT

STOPPED_COURSES = (
    Course("1a", (KILL, do("estop_press")), before=BROKEN, name="1 stopped"),
    Course("2", (KILL, do("fire_alarm")), before=BROKEN, name="2 stopped"),
    Course("3", (KILL, do("suppression")), before=BROKEN, name="3 stopped"),
    Course(
        "12b",
        (do("gas", lfl_pct=60, detector=1), do("controller_kill", 1.2)),
        before=BROKEN,
        seen=lambda plant: plant.gas_lfl_pct[0] >= LFL_RELAY_PCT,
        name="12 stopped",
    ),
    Course(
        "30",
        (do("cell_offset", rack=1, offset_mV=530), do("controller_kill", 0.1)),
        GENTLE_kW,
        before=BROKEN,
        seen=lambda plant: not plant.relays.cell_voltage_closed,
        name="30 stopped",
    ),
    Course("44c", (KILL,), name="44 stopped"),
)
STOPPED = {each.label: each for each in STOPPED_COURSES}
EVERY = COURSES | STOPPED
