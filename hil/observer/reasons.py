"""Judges, ten times a second, conditions that must not last while the cabinet stays on.

Each condition belongs to a row of the cause-and-effect matrix. It may last as long as that row may
take to act (hil/oracle/design.py). If another row must act first, the limit is the process safety
time of the hazard.
"""

from collections.abc import Callable

from hil.observer.unit_witness import UnitWitness
from hil.observer.wire_witness import NOT_HEARD, WireWitness
from hil.observer.wiring import Wiring
from hil.oracle import design
from hil.plant.cabinet import CabinetPlant
from hil.plant.rack import Rack

CLOSED = 2  # state of a contactor
Condition = tuple[str, str]  # name, and the unit; "" for the whole cabinet or its only unit
ZERO_SHARE, AGAINST_SHARE, MORE_SHARE = 0.01, 0.1, 0.02
# Largest permitted difference between reported and true values: total current of the racks,
# current of one rack, temperature, cell voltage. The total may differ by a share of rated current,
# because a swinging load changes it between two readings (hazard H2).
APART_SHARE, APART_A, APART_K, APART_V = 0.25, 10.0, 10.0, 0.2


def _until_us(stage: str, letters: set[str]) -> int:
    """Time until the stage is active and its action is complete, plus 0.1 s of sampling, us."""
    return 1000 * (design.decision_ms(stage) + (design.acts_ms(stage, letters) or 0) + 100)


def _safety_us(stage: str) -> int:
    """Process safety time of the stage's hazard, us."""
    return 1000 * design.process_safety_ms(stage)


AGAINST = "power against the set-point"
# {condition: how long it may last, us}
LIMITS_us = {
    AGAINST: _safety_us("56a"),
    "charging of cells above row 19's temperature": _until_us("19a", {"ich"}),
    "charging of cells below 0 degC": _until_us("25a", {"ich"}),
    "charging of a cell above row 28's voltage": _until_us("28", {"ich"}),
    "charging with a silent grid meter": _until_us("50a", {"ich"}),
    "power that worsens a violation of the grid connection": _until_us("57b", {"r"}),
    "energy with a silent BMS": _until_us("40c", {"Z"}),
    "energy with a silent converter": _until_us("41c", {"Z"}),
    "energy while the racks report a wrong total current": _safety_us("55"),
    "energy while the converter reports a wrong power": _safety_us("41d"),
    "energy while a rack reports a wrong current": _safety_us("54"),
    "energy while a rack reports a wrong temperature": _safety_us("54"),
    "energy while a rack reports a wrong cell voltage": _safety_us("54"),
}


class Reasons:
    """Call `see` with each sample. A condition that lasts too long is reported again and again.
    Each unit has its own conditions.
    """

    def __init__(self, wiring: Wiring, report: Callable[[int, str], None]) -> None:
        """report(now_us, text) takes each finding."""
        self._wiring, self._report = wiring, report
        self._since_us: dict[Condition, int] = {}

    def see(self, now_us: int, plant: CabinetPlant, wires: WireWitness) -> None:
        """Judge one sample of the plant and the state of the wires."""
        conditions = [(name, "") for name in self._worsened(plant)]
        for number, unit in enumerate(wires.units):
            racks = [plant.racks[rack] for rack in unit.wiring.racks]
            power_W = plant.pcs[number].ac_power_W
            # no set-point applies to a converter that forms an island
            follows_load = plant.is_off_grid and plant.pcs[number].is_forming
            names = _wrong_way(now_us, racks, wires, unit, power_W)
            if follows_load and AGAINST in names:
                names.remove(AGAINST)
            are_open = [rack.contactors.state != CLOSED for rack in racks]
            is_open = plant.relays.breaker_open or all(are_open)
            if not is_open or abs(power_W) > ZERO_SHARE * unit.wiring.rated_W:
                names += self._unheard(now_us, wires, unit)
                names += self._contradicted(racks, wires, unit, power_W)
            conditions += [(name, unit.scope) for name in names]
        self._keep(now_us, conditions)

    def _keep(self, now_us: int, conditions: list[Condition]) -> None:
        for condition in self._since_us.keys() - {*conditions}:
            del self._since_us[condition]
        for condition in conditions:
            name, scope = condition
            since_us = self._since_us.setdefault(condition, now_us)
            if now_us - since_us > LIMITS_us[name]:
                self._since_us[condition] = now_us
                where = f"{scope}: " if scope else ""
                self._report(now_us, f"{where}{name} for {LIMITS_us[name] / 1e6:.1f} s")

    def _worsened(self, plant: CabinetPlant) -> list[str]:
        """Names of the conditions that concern the power of all units together."""
        power_W = plant.battery_W
        import_W, export_W = self._wiring.connection_W
        beyond_W = (
            min(plant.grid_power_W - import_W, -power_W),
            min(-plant.grid_power_W - export_W, power_W),
        )
        is_worse = max(beyond_W) > MORE_SHARE * max(import_W, export_W)
        return ["power that worsens a violation of the grid connection"] if is_worse else []

    def _unheard(self, now_us: int, wires: WireWitness, unit: UnitWitness) -> list[str]:
        """Conditions of a silent device, whose time counts from the device's last frame."""
        names = []
        heard_us = {
            "energy with a silent BMS": min([wires.bms_us[rack] for rack in unit.wiring.racks]),
            "energy with a silent converter": wires.pcs_us(unit),
        }
        for name, last_us in heard_us.items():
            if last_us != NOT_HEARD and now_us > last_us:
                names.append(name)
                condition = name, unit.scope
                self._since_us[condition] = max(last_us, self._since_us.get(condition, 0))
        return names

    def _contradicted(
        self, racks: list[Rack], wires: WireWitness, unit: UnitWitness, power_W: float
    ) -> list[str]:
        """Conditions in which reported values differ from the plant."""
        apart_A = rated_A = 0.0
        names = []
        for number, rack in zip(unit.wiring.racks, racks):
            values = wires.reported_rack(number)
            apart_A += values.get("current_A", rack.current_A) - rack.current_A
            rated_A += self._wiring.rack_rated_A[number]
            names += _of_rack(rack, values)
        if abs(apart_A) > APART_SHARE * rated_A:
            names.append("energy while the racks report a wrong total current")
        reported_W = power_W if unit.reported_W is None else unit.reported_W
        if abs(reported_W - power_W) > AGAINST_SHARE * unit.wiring.rated_W:
            names.append("energy while the converter reports a wrong power")
        return list(dict.fromkeys(names))


def _wrong_way(
    now_us: int, racks: list[Rack], wires: WireWitness, unit: UnitWitness, power_W: float
) -> list[str]:
    """Conditions in which a unit's power has a forbidden direction."""
    rated_W, asked_W = unit.wiring.rated_W, unit.setpoint_W
    against_W = AGAINST_SHARE * rated_W
    opposite = (power_W > against_W and asked_W <= 0) or (power_W < -against_W and asked_W >= 0)
    names = [AGAINST] if opposite else []
    return names + (_charging(now_us, racks, wires) if power_W < -MORE_SHARE * rated_W else [])


def _charging(now_us: int, racks: list[Rack], wires: WireWitness) -> list[str]:
    """Conditions under which charging is forbidden."""
    temperatures_degC = [degC for rack in racks for degC in rack.temperatures_degC]
    highest_V = max([rack.cell_voltage_V_max for rack in racks])
    rows = design.ROWS
    reasons = {
        "charging of cells above row 19's temperature": max(temperatures_degC) * 10
        > rows["19a"].at,
        "charging of cells below 0 degC": min(temperatures_degC) * 10 < rows["25a"].at,
        "charging of a cell above row 28's voltage": highest_V * 1000 > rows["28"].at,
        "charging with a silent grid meter": wires.is_silent(now_us, *wires.wiring.grid_meter),
    }
    return [name for name, is_forbidden in reasons.items() if is_forbidden]


def _of_rack(rack: Rack, reported: dict[str, float]) -> list[str]:
    """Conditions of one rack. reported: {name: value}, decoded from the frames of its BMS."""
    truths = {
        "current": (reported.get("current_A"), rack.current_A, APART_A),
        "temperature": (reported.get("degC_max"), max(rack.temperatures_degC), APART_K),
        "cell voltage": (reported.get("cell_V_max"), rack.cell_voltage_V_max, APART_V),
    }
    return [
        f"energy while a rack reports a wrong {name}"
        for name, (value, true, apart) in truths.items()
        if value is not None and abs(value - true) > apart
    ]
