"""A situation for tests of `ask`. An even load of 300 kW on a connection of 500 kW. A battery of
250 kW at its target, with 200 kWh above the reserve of 15 %.
"""

from controller.core.base.answers import WIDE_W
from controller.state.situation_forms import Battery, Connection, Situation, Tracking

LOAD_W = 300_000
CABINET = 1  # owner of the charge in the words of load tracking
_WORDS = (LOAD_W, LOAD_W, 0, LOAD_W, None, 0, LOAD_W - 250_000, 500_000, None, None)
REFERENCE = tuple([0 if each is None else each << 16 for each in _WORDS])
CONNECTION = Connection((LOAD_W,) * 6, 500_000, 301, 0, 1000)
_POWERS = {"charge_W_max": 250_000, "discharge_W_max": 250_000, "rated_W": 250_000}
_CHARGE = {"remaining_Wh": 200_000, "full_Wh": 600_000, "reserve_permille": 150}
_CHARGE |= {"soc_permille": 483, "target_permille": 483, "efficiency_permille": 1000}
_HEAT = {"hottest_ddegC": 250, "taper_ddegC": (450, 550)}
BATTERY = Battery(discharge_reason=213, **_POWERS, **_CHARGE, **_HEAT)
TRACKING = Tracking(
    (-WIDE_W, WIDE_W), 0, False, False, (*REFERENCE[:4], CABINET, *REFERENCE[5:]), 600_000, 250, 250
)


def situation(connection=None, battery=None, tracking=None, **changes):
    plain = dict.fromkeys(("unknown", "unknown_battery", "slots", "steps"), ()) | {"peak": None}
    plain["ramp_W_per_s"] = 10_000_000
    plain["connection"] = CONNECTION._replace(**connection or {})
    plain["battery"] = BATTERY._replace(**battery or {})
    plain["tracking"] = TRACKING._replace(**tracking or {})
    return Situation(**plain | changes)
