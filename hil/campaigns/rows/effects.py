"""What a row does to the cabinet, as the plant shows it, and when: never from the controller's own
arrays.

Two outputs are on no wire: `maintenance` and `operator` inform a person. An inhibit of closing
shows only when a start is requested.
"""

from typing import NamedTuple

from hil.plant import bms, contactors
from safety import matrix as m

ZERO_SHARE = 0.01  # of rated power, as the observer's `power_zero`
DERATE_MARGIN_SHARE = 0.02  # of rated power: losses and the converter's own error
ENABLE, POWER, OPENED = "PCS enable off", "power zero", "contactors open"
CHARGE, DISCHARGE, DERATED = "no charging", "no discharging", "derated"
FAN, HORN, LAMP, RED_LAMP = "fan", "horn", "lamp", "red lamp"
PANEL, PRE_ALARM, SHUNT_TRIP, AUX_SHED = "fire panel", "pre-alarm", "shunt trip", "aux loads off"


class Coil(NamedTuple):
    """A demand that one relay carries: its name in the plant, its level when it acts, the
    controller's output.
    """

    demand: int
    coil: str
    level: bool
    output: str


COILS = {
    FAN: Coil(m.D_FAN, "fan_off", False, "fan_on"),
    HORN: Coil(m.D_HORN, "horn", True, "horn_on"),
    LAMP: Coil(m.D_LAMP, "lamp", True, "lamp_on"),
    RED_LAMP: Coil(m.D_RED_LAMP, "red_lamp_off", False, "red_lamp_on"),
    PANEL: Coil(m.D_FACU, "supervisory", False, "supervisory_ok"),
    PRE_ALARM: Coil(m.D_PRE_ALARM, "pre_alarm", True, "pre_alarm_on"),
    SHUNT_TRIP: Coil(m.D_SHUNT_TRIP, "shunt_trip", True, "shunt_trip_on"),
    AUX_SHED: Coil(m.D_AUX_SHED, "aux_load", False, "aux_load_ok"),
}
# either there or not; limits also follow from what is measured
DISCRETE = (ENABLE, POWER, OPENED, *COILS)


def demanded(stage):
    """Names of what a stage of the matrix asks for that can be seen, in the order of its
    demands.
    """
    demand = stage[m.S_DEMAND]
    found = [ENABLE] if _disables(demand) else []
    found += [POWER] if demand[m.D_PCS] else []
    found += [OPENED] if demand[m.D_DC] >= m.DC_OPEN_AT_ZERO else []
    found += [name for name, coil in COILS.items() if demand[coil.demand]]
    if not demand[m.D_PCS]:
        found += [CHARGE] * bool(demand[m.D_CHARGE_INHIBIT]) + [DISCHARGE] * bool(
            demand[m.D_DISCHARGE_INHIBIT]
        )
        found += [DERATED] * bool(demand[m.D_CHARGE_DERATE_PCT] or demand[m.D_DISCHARGE_DERATE_PCT])
    return found


def _disables(demand):
    return demand[m.D_PCS] == m.PCS_STOP or demand[m.D_DC] >= m.DC_OPEN_AT_ZERO


def shown(plant, stage):
    """{name: True while it can be seen} of all effects; the derate is that of `stage`."""
    rated_W = sum([pcs.rated_W for pcs in plant.pcs])
    power_W = sum([pcs.ac_power_W for pcs in plant.pcs])
    coils, zero_W = plant.relays.coils, ZERO_SHARE * rated_W
    found = {
        ENABLE: not plant.relays.pcs_enable,
        POWER: abs(power_W) < zero_W,
        # A welded rack stays on the DC bus; the breaker upstream is what opens it.
        OPENED: plant.relays.breaker_open
        or all(
            [
                not rack.contactors.conducting and rack.contactors.state != contactors.PRECHARGE
                for rack in plant.racks
            ]
        ),
        CHARGE: power_W > -zero_W,
        DISCHARGE: power_W < zero_W,
        DERATED: _derated(power_W, rated_W, stage[m.S_DEMAND]),
    }
    return found | {name: coils[each.coil] == each.level for name, each in COILS.items()}


def _derated(power_W, rated_W, demand):
    derate_pct = demand[m.D_DISCHARGE_DERATE_PCT if power_W > 0 else m.D_CHARGE_DERATE_PCT]
    return abs(power_W) <= rated_W * ((100 - derate_pct) / 100 + DERATE_MARGIN_SHARE)


def asks_for_zero(names, power_kW):
    """True if power that flows this way is zero wherever these effects hold."""
    inhibit = DISCHARGE if power_kW > 0 else CHARGE
    return any([name in names for name in (ENABLE, OPENED, inhibit)])


def racks_allow_none(plant, power_kW):
    """True if a rack's own limit leaves no power this way, or its cells will not once the BMS looks
    at them: it does so once in a while only, and a controller that has heard of the cells may be
    ahead of it.
    """
    way = int(power_kW > 0)
    return any(
        [
            min((rack.charge_limit_A, rack.discharge_limit_A)[way], bms.shares(rack)[way]) <= 0
            for rack in plant.racks
        ]
    )


class Witness:
    """`since_us`: when each effect that shows now began to show, None while it does not."""

    def __init__(self, plant, stage, now_us):
        self._plant, self._stage = plant, stage
        self.since_us = {
            name: now_us if is_shown else None for name, is_shown in shown(plant, stage).items()
        }
        self.at_first = {name for name, since_us in self.since_us.items() if since_us is not None}
        self.unwanted = {}  # name: when it came although nothing that stood asked for it

    def see(self, now_us, allowed):
        """Sample the plant; allowed: names of DISCRETE that something asks for."""
        for name, is_shown in shown(self._plant, self._stage).items():
            if not is_shown:
                self.since_us[name] = None
            elif self.since_us[name] is None:
                self.since_us[name] = now_us
                if name in DISCRETE and name not in allowed:
                    self.unwanted.setdefault(name, now_us)
