"""Finds when the plant shows the effects that a row of the cause-and-effect matrix demands.

The oracle (hil/oracle/design.py) names the demanded effects. Two outputs have no wire:
`maintenance` and `operator` only inform a person. An inhibit of closing shows only when a start is
requested.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from hil.oracle import design
from hil.plant import bms, contactors
from hil.plant.cabinet import CabinetPlant

ZERO_SHARE = 0.01  # of rated power, as for the observer's `power_zero`
DERATE_MARGIN_SHARE = 0.02  # of rated power: losses and error of the converter
ENABLE, POWER, OPENED = "PCS enable off", "power zero", "contactors open"
CHARGE, DISCHARGE, DERATED = LIMITED = "no charging", "no discharging", "derated"
FAN, HORN, LAMP, RED_LAMP = "fan", "horn", "lamp", "red lamp"
PANEL, PRE_ALARM, SHUNT_TRIP, AUX_SHED = "fire panel", "pre-alarm", "shunt trip", "aux loads off"


class Coil(NamedTuple):
    """A relay: its letters in the oracle, its name in the plant, its acting level, its output."""

    letters: set[str]
    coil: str
    level: bool
    output: str


COILS = {
    FAN: Coil({"fan"}, "fan_off", False, "fan_on"),
    HORN: Coil({"H"}, "horn", True, "horn_on"),
    LAMP: Coil({"L", "H", "red"}, "lamp", True, "lamp_on"),
    RED_LAMP: Coil({"red"}, "red_lamp_off", False, "red_lamp_on"),
    PANEL: Coil({"F"}, "supervisory", False, "supervisory_ok"),
    PRE_ALARM: Coil({"P"}, "pre_alarm", True, "pre_alarm_on"),
    SHUNT_TRIP: Coil({"T"}, "shunt_trip", True, "shunt_trip_on"),
    AUX_SHED: Coil({"A"}, "aux_load", False, "aux_load_ok"),
}
OTHERS = {ENABLE: {"S"}, POWER: {"S", "R"}, OPENED: {"Z", "I"}, CHARGE: {"ich"}, DISCHARGE: {"idc"}}
STOPS = "S"  # letter of the effect that drops the converters' permit
OPENS = {"Z", "I", "I0"}  # letters of the effects that open contactors
# Effects that are on or off. Limits are not among them, since measured values also cause limits.
DISCRETE = (ENABLE, POWER, OPENED, *COILS)


def demanded(stage_id: str) -> list[str]:
    """Names of the effects that a stage demands and the plant can show."""
    does = design.effects(stage_id)
    opens, moves = does & OPENS, not does & {"S", "R"}
    derates_pct = [design.derate_pct(stage_id, way) for way in "cd"]
    demands: dict[str, object] = {
        ENABLE: opens or "S" in does,
        POWER: not moves,
        OPENED: opens,
        **{name: does & coil.letters for name, coil in COILS.items()},
        CHARGE: moves and "ich" in does,
        DISCHARGE: moves and "idc" in does,
        DERATED: moves and any(derates_pct),
    }
    return [name for name, is_demanded in demands.items() if is_demanded]


def letters(effect: str) -> set[str]:
    """The oracle's letters that cause an effect and give its time."""
    return COILS[effect].letters if effect in COILS else OTHERS.get(effect, set())


def shown(plant: CabinetPlant, stage_id: str) -> dict[str, bool]:
    """{name: True while the plant shows it} of all effects. DERATED is judged by the derate of this
    stage.
    """
    rated_W = math.fsum(pcs.rated_W for pcs in plant.pcs)
    power_W = plant.battery_W
    derate_pct = design.derate_pct(stage_id, "d" if power_W > 0 else "c")
    coils, zero_W = plant.relays.coils, ZERO_SHARE * rated_W
    states = {
        ENABLE: not plant.relays.pcs_enable,
        POWER: abs(power_W) < zero_W,
        # A rack with welded contacts leaves the DC bus only by the breaker upstream.
        OPENED: plant.relays.breaker_open or not any([_is_on_bus(rack) for rack in plant.racks]),
        CHARGE: power_W > -zero_W,
        DISCHARGE: power_W < zero_W,
        DERATED: abs(power_W) <= rated_W * ((100 - derate_pct) / 100 + DERATE_MARGIN_SHARE),
    }
    return states | {name: coils[coil.coil] == coil.level for name, coil in COILS.items()}


def _is_on_bus(rack: Any) -> bool:
    return rack.contactors.conducting or rack.contactors.state == contactors.PRECHARGE


def asks_for_zero(names: Iterable[str], power_kW: float) -> bool:
    """True if one of these effects makes the power in this direction zero."""
    inhibit = DISCHARGE if power_kW > 0 else CHARGE
    return any(name in names for name in (ENABLE, OPENED, inhibit))


def racks_allow_none(plant: CabinetPlant, power_kW: float) -> bool:
    """True if a rack's limit allows no power this way, or will do so when its BMS next updates."""
    way = int(power_kW > 0)
    return any(
        [
            min((rack.charge_limit_A, rack.discharge_limit_A)[way], bms.shares(rack)[way]) <= 0
            for rack in plant.racks
        ]
    )


class Witness:
    """`since_us`: for each effect that the plant shows now, when it began; None for the others."""

    def __init__(self, plant: CabinetPlant, stage_id: str, now_us: int) -> None:
        self._plant, self._stage = plant, stage_id
        states = shown(plant, stage_id).items()
        self.at_first = {name for name, is_shown in states if is_shown}
        self.since_us: dict[str, int | None] = {
            name: now_us if is_shown else None for name, is_shown in states
        }
        self.unwanted: dict[str, int] = {}  # when an effect came that no active stage demanded

    def see(self, now_us: int, allowed: set[str]) -> None:
        """Look at the plant. allowed: names of DISCRETE that a stage demanded."""
        for name, is_shown in shown(self._plant, self._stage).items():
            if not is_shown:
                self.since_us[name] = None
            elif self.since_us[name] is None:
                self.since_us[name] = now_us
                if name in DISCRETE and name not in allowed:
                    self.unwanted.setdefault(name, now_us)
