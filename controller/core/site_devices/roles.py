"""The roles (kinds) of site devices, one record for each. From this record everything else follows:
configuration keys, words of the journal, status, why, console, simulated counterpart.
"""

from controller.core.site_devices.reading_roles import CLOCK, GRID_CONTACT, LOAD_UPS, METER
from controller.core.site_devices.records import (
    GO_ON,
    HOLD,
    POWER_W_MAX,
    RATED,
    STALE,
    TO_REST,
    Actuator,
    Feed,
    Role,
    Signal,
    least_s,
    power,
    state,
    threshold,
)
from drivers import plausible

STAGES_MAX = 8
# A device is read once a second. One wrong reading, or a contact that bounces for a second, then
# looks like a state of up to 2 s. "Not ready" is less urgent than "stopped", so its time is longer.
READY_MS, RUNNING_MS = 3000, 2000
# A larger change between two reports of the sun needs a confirmation by the balance.
SUN_PERMILLE = 50

# Thresholds of the warmest cell. The first taper of charging begins at 35 degC (safety/tapers.py).
CELLS = (threshold("cells_start_ddegC", 330), threshold("cells_stop_ddegC", 300))
# Thresholds of the temperature difference between the warmest and the coolest unit.
SPREAD = (
    ("spread_start_ddegC", "ddegC", 1, 500, 15, "free"),
    ("spread_stop_ddegC", "ddegC", 0, 500, 8, "free"),
)

PV = Role(
    "pv",
    1,
    "PV inverter",
    feed=Feed("its DC cables are live in daylight, also with the grid and this cabinet off"),
    signals=(
        power(
            "power_W", "power that the inverter feeds in", plausible.PV, jump_permille=SUN_PERMILLE
        ),
        power("available_W", "power that the sun would give", plausible.PANELS),
    ),
    actuators=(
        Actuator(
            "limit_W",
            "limit_W_max",
            "most power that the inverter may feed in",
            "the inverter goes to its own fallback power after its time-out",
            "power_W",
            TO_REST,
        ),
    ),
    parameters=(
        STALE,
        RATED,
        ("ramp_W_per_s", "W/s", 1, POWER_W_MAX, 20_000, "free"),
        # fixed by the installer or the grid operator, such as 70 %; no higher limit is written
        ("limit_W_max", "W", 1, POWER_W_MAX, "rated_W", "down"),
    ),
)

GENSET = Role(
    "genset",
    2,
    "generator set",
    feed=Feed(
        "this program starts it by itself, also without the grid: stop it at its own panel",
        is_engine=True,
    ),
    signals=(
        power("power_W", "power that the generator gives", plausible.GENSET),
        state("is_running", "1: the engine runs and the voltage is present", RUNNING_MS),
        state("is_ready_ok", "1: in automatic mode and without a fault", READY_MS),
        Signal("fuel_permille", 0, 1000, "fuel in the tank"),
    ),
    actuators=(
        Actuator(
            "run",
            1,
            "start and run",
            "the generator controller stops the engine when the start contact opens",
            "is_running",
            TO_REST,
            silent=HOLD,  # an engine that carries an island runs on
        ),
    ),
    parameters=(
        STALE,
        RATED,
        least_s("on_s_min", 900),
        least_s("off_s_min", 300),
        ("start_soc_permille", "permille", 0, 1000, 150, "free"),
        ("stop_soc_permille", "permille", 0, 1000, 400, "free"),
        # a start that takes longer than start_s_max is tried again, at most starts_max times in all
        ("start_s_max", "s", 1, 600, 60, "free"),
        ("starts_max", "count", 1, 10, 3, "down"),
        ("start_again_s", "s", 1, 3600, 30, "up"),
        # off the grid: time from its start until it takes load, then size and time of each step
        ("accept_after_s", "s", 0, 3600, 10, "up"),
        ("accept_permille", "permille", 10, 1000, 300, "down"),
        ("accept_every_s", "s", 1, 600, 10, "up"),
        ("least_permille", "permille", 0, 800, 300, "up"),
    ),
)

LOAD_SHED = Role(
    "load_shed",
    3,
    "load shedding",
    signals=(Signal("stages", 0, STAGES_MAX, "stages whose contactors report open"),),
    actuators=(
        Actuator(
            "stages",
            "stages_max",
            "number of stages to shed, the first one first",
            "the relay module connects every load again after its time-out",
            "stages",
            HOLD,
            silent=HOLD,  # otherwise all open stages would come back at once
        ),
    ),
    parameters=(
        STALE,
        ("stages_max", "count", 1, STAGES_MAX, None, "fixed"),
        ("stage_W", "W", 1, POWER_W_MAX, None, "fixed"),
        least_s("on_s_min", 60),
        # the device with the lowest number is shed first and comes back last
        ("shed_order", "count", 1, 8, 1, "fixed"),
        # off the grid: state of charge that sheds the first stage; the others follow down to 0
        ("island_soc_permille", "permille", 0, 1000, 300, "up"),
    ),
)

CHILLER = Role(
    "chiller",
    4,
    "chiller",
    signals=(
        Signal("supply_temperature_ddegC", -500, 1000, "temperature of the supplied water"),
        state("is_ready_ok", "1: without a fault", READY_MS),
    ),
    actuators=(
        Actuator(
            "pre_cool",
            1,
            "cool below the normal set-point",
            "the chiller goes back to its own set-point",
            "is_ready_ok",
            GO_ON,
        ),
    ),
    parameters=(
        STALE,
        least_s("on_s_min", 300),
        least_s("off_s_min", 300),
        threshold("start_ddegC", 320),
        threshold("stop_ddegC", 280),
        *CELLS,
        *SPREAD,
    ),
)

FAN = Role(
    "fan",
    7,
    "fan",
    signals=(
        Signal("speed_permille", 0, 1000, "speed of the fan"),
        state("is_ready_ok", "1: without a fault", READY_MS),
    ),
    actuators=(
        Actuator(
            "boost",
            1,
            "move more air than the fan's own control does",
            "the fan goes back to its own speed",
            "is_ready_ok",
            TO_REST,
        ),
    ),
    parameters=(
        STALE,
        ("fan_unit", "count", 0, 16, 0, "fixed"),  # the unit that the fan cools; 0: all units
        least_s("on_s_min", 300),
        least_s("off_s_min", 60),
        *CELLS,
        *SPREAD,
    ),
)

HEATER = Role(
    "heater",
    8,
    "heater",
    signals=(
        power("power_W", "power that the heater draws", plausible.CONSUMER),
        state("is_ready_ok", "1: without a fault, its own thermostat closed", READY_MS),
    ),
    actuators=(
        Actuator(
            "heat",
            1,
            "heat the air of the cabinet",
            "the heater goes off after its time-out",
            "is_ready_ok",
            TO_REST,
        ),
    ),
    parameters=(
        STALE,
        RATED,
        least_s("on_s_min", 60),
        least_s("off_s_min", 60),
        # of the coldest cell: charging opens at 0 degC and is full at 10 degC (safety/tapers.py)
        threshold("start_ddegC", 30),
        threshold("stop_ddegC", 80),
        # before a scheduled charge: heat ahead_min earlier, up to ahead_ddegC
        ("ahead_min", "min", 0, 1440, 120, "free"),
        threshold("ahead_ddegC", 150),
    ),
)

LOAD_CAP = Role(
    "load_cap",
    9,
    "load cap",
    signals=(
        power(
            "lowered_W",
            "power by which the scheduler has lowered the load",
            plausible.CONSUMER,
            "lower_W_max",
        ),
        state("is_ready_ok", "1: the scheduler takes requests", READY_MS),
    ),
    actuators=(
        Actuator(
            "lower_W",
            "lower_W_max",
            "power by which the load should be lower",
            "the scheduler lets the load run again after its time-out",
            "lowered_W",
            HOLD,
            silent=HOLD,  # otherwise the load would return while the import has no room for it
        ),
    ),
    parameters=(
        STALE,
        ("lower_W_max", "W", 1, POWER_W_MAX, None, "down"),  # agreed with the scheduler
        ("follow_s", "s", 1, 600, 30, "free"),  # time in which the load follows a request
        ("start_soc_permille", "permille", 0, 1000, 200, "free"),
        least_s("on_s_min", 300),
    ),
)

_ALL = (PV, GENSET, LOAD_SHED, CHILLER, CLOCK, METER, FAN, HEATER, LOAD_CAP, LOAD_UPS, GRID_CONTACT)
ROLES = {role.name: role for role in _ALL}
BY_NUMBER = {role.number: role for role in ROLES.values()}
# roles that a configured device may have; the clock belongs to the box itself
OF_DEVICES = tuple([name for name in ROLES if name != CLOCK.name])
PARAMETERS = tuple([row for name in OF_DEVICES for row in ROLES[name].parameters])
