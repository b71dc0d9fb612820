"""A cabinet that stays on must have a reason: conditions that must not last.

The observer judges them ten times a second from plant and wires. Each condition may last as long as
its row needs by the oracle. If the row may act later, the limit is the process safety time of the
hazard.
"""

from collections.abc import Callable

from hil import oracle
from hil.observer.wire_witness import NOT_HEARD, WireWitness
from hil.observer.wiring import Wiring
from hil.plant.cabinet import CabinetPlant
from hil.plant.rack import Rack

CLOSED = 2  # of a contactor
ZERO_SHARE, AGAINST_SHARE, MORE_SHARE = 0.01, 0.1, 0.02
# Largest difference between reported and true values: sum of the racks' currents, current of a
# rack, module, cell. The sum is a share, because a swing of the load makes a difference (H2).
APART_SHARE, APART_A, APART_K, APART_V = 0.25, 10.0, 10.0, 0.2


def _until_us(stage: str, letters: set[str]) -> int:
    """Time until the stage is active and has acted, plus 0.1 s of sampling."""
    return 1000 * (oracle.decision_ms(stage) + oracle.acts_ms(stage, letters) + 100)


def _safety_us(stage: str) -> int:
    """Process safety time of the stage's hazard."""
    return 1000 * oracle.process_safety_ms(stage)


# condition: how long it may last
LIMITS_us = {
    "power against the set-point": _safety_us("56a"),
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
    """Call `see` with each sample. A condition that lasts too long is reported, periodically.

    Set-point and reported power are those of the first converter.
    """

    def __init__(self, wiring: Wiring, report: Callable[[int, str], None]) -> None:
        """report(now_us, text)."""
        self._wiring, self._report = wiring, report
        self._since_us = {}

    def see(self, now_us: int, plant: CabinetPlant, wires: WireWitness) -> None:
        """Judge one sample of the plant and the state of the wires."""
        power_W = sum([pcs.ac_power_W for pcs in plant.pcs])
        found = self._wrong_way(now_us, plant, wires, power_W)
        is_open = plant.relays.breaker_open or all(
            [rack.contactors.state != CLOSED for rack in plant.racks]
        )
        if not is_open or abs(power_W) > ZERO_SHARE * self._wiring.rated_W:
            found += self._unheard(now_us, wires)
            found += self._contradicted(plant, wires)
        self._keep(now_us, found)

    def _keep(self, now_us: int, found: list[str]) -> None:
        for name in [each for each in self._since_us if each not in found]:
            del self._since_us[name]
        for name in found:
            since_us = self._since_us.setdefault(name, now_us)
            if now_us - since_us > LIMITS_us[name]:
                self._since_us[name] = now_us
                self._report(now_us, f"{name} for {LIMITS_us[name] / 1e6:.1f} s")

    def _wrong_way(
        self, now_us: int, plant: CabinetPlant, wires: WireWitness, power_W: float
    ) -> list[str]:
        """Conditions of the power's direction."""
        rated_W, asked_W = self._wiring.rated_W, wires.setpoint_W
        against_W, first_W = AGAINST_SHARE * rated_W, plant.pcs[0].ac_power_W
        opposite = (first_W > against_W and asked_W <= 0) or (first_W < -against_W and asked_W >= 0)
        follows_load = plant.is_off_grid and plant.pcs[0].is_forming  # no set-point applies
        found = ["power against the set-point"] if opposite and not follows_load else []
        if power_W < -MORE_SHARE * rated_W:
            found += self._charging(now_us, plant, wires)
        import_W, export_W = self._wiring.connection_W
        more_W = MORE_SHARE * max(import_W, export_W)
        beyond = (
            min(plant.grid_power_W - import_W, -power_W),
            min(-plant.grid_power_W - export_W, power_W),
        )
        if max(beyond) > more_W:
            found.append("power that worsens a violation of the grid connection")
        return found

    def _charging(self, now_us: int, plant: CabinetPlant, wires: WireWitness) -> list[str]:
        """Conditions that forbid charging."""
        hottest = max([max(rack.temperatures_degC) for rack in plant.racks])
        coldest = min([min(rack.temperatures_degC) for rack in plant.racks])
        fullest = max([rack.cell_voltage_V_max for rack in plant.racks])
        rows = oracle.ROWS
        reasons = {
            "charging of cells above row 19's temperature": hottest * 10 > rows["19a"].at,
            "charging of cells below 0 degC": coldest * 10 < rows["25a"].at,
            "charging of a cell above row 28's voltage": fullest * 1000 > rows["28"].at,
            "charging with a silent grid meter": wires.is_silent(now_us, *self._wiring.grid_meter),
        }
        return [name for name, is_so in reasons.items() if is_so]

    def _unheard(self, now_us: int, wires: WireWitness) -> list[str]:
        """Conditions of silence; their time counts from the last frame."""
        found = []
        heard_us = {
            "energy with a silent BMS": min(wires.bms_us),
            "energy with a silent converter": wires.pcs_us(),
        }
        for name, last_us in heard_us.items():
            if last_us != NOT_HEARD and now_us > last_us:
                found.append(name)
                self._since_us[name] = max(last_us, self._since_us.get(name, 0))
        return found

    def _contradicted(self, plant: CabinetPlant, wires: WireWitness) -> list[str]:
        """Conditions of reported values that differ from the plant."""
        apart_A = 0.0
        found = []
        for rack, reported in zip(plant.racks, wires.reported_racks()):
            apart_A += reported.get("current_A", rack.current_A) - rack.current_A
            found += _of_rack(rack, reported)
        rated_A = self._wiring.rack_rated_A * len(plant.racks)
        if abs(apart_A) > APART_SHARE * rated_A:
            found.append("energy while the racks report a wrong total current")
        power_W, true_W = wires.reported_power_W(), plant.pcs[0].ac_power_W
        if power_W is not None and abs(power_W - true_W) > AGAINST_SHARE * self._wiring.rated_W:
            found.append("energy while the converter reports a wrong power")
        return list(dict.fromkeys(found))


def _of_rack(rack: Rack, reported: dict[str, float]) -> list[str]:
    """Conditions of one rack. reported: {name: value} from its BMS."""
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
