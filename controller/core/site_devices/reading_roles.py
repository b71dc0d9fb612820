"""The roles of site devices that are only read, one record for each (roles.py)."""

from controller.core.site_devices.records import (
    POWER_W_MAX,
    RATED,
    STALE,
    Role,
    Signal,
    power,
    state,
)
from drivers import plausible

ON_LINE, ON_BATTERY, BYPASS, OFF = range(4)  # states of a UPS
# A device is read once a second. A contact that bounces then looks like a state of up to 2 s.
CONTACT_MS = 2000

CLOCK = Role(
    "clock",
    5,
    "clock",
    signals=(
        Signal("day_d", 0, 100_000, "days since 1970-01-01, UTC"),
        Signal("time_of_day_s", 0, 86_400, "seconds since midnight, UTC"),
        Signal("uncertainty_ms", 0, 1_000_000_000, "largest error that the time source states"),
    ),
    parameters=(STALE,),
)

METER = Role(
    "meter",
    6,
    "meter",
    signals=(power("power_W", "power towards the load behind the meter", plausible.METER),),
    # rated_W: of the branch, by its fuse or its current transformers
    parameters=(STALE, ("rated_W", "W", 1, POWER_W_MAX, POWER_W_MAX, "down")),
)

LOAD_UPS = Role(
    "load_ups",
    10,
    "UPS of the load",
    signals=(
        Signal("state_code", ON_LINE, OFF, "0 on line, 1 on battery, 2 bypass, 3 off"),
        Signal("charge_permille", 0, 1000, "charge of its battery"),
        Signal("bridging_s", 0, 1_000_000, "time for which its battery carries the load of now"),
        power("load_W", "power that it gives the load", plausible.UPS),
    ),
    parameters=(
        STALE,
        RATED,
        # energy of the full battery at the output of the UPS
        ("energy_Wh", "Wh", 1, POWER_W_MAX, None, "down"),
    ),
)

GRID_CONTACT = Role(
    "grid_contact",
    11,
    "contacts of the grid operator",
    signals=tuple(
        [
            state(f"contact_{number}", f"1: contact {number} is closed", CONTACT_MS)
            for number in (1, 2, 3)
        ]
    ),
    parameters=(
        STALE,
        # part of the connection's limit that is left while the contact is closed
        *[
            (f"contact_{number}_{direction}_permille", "permille", 0, 1000, 1000, "down")
            for number in (1, 2, 3)
            for direction in ("import", "export")
        ],
    ),
)
