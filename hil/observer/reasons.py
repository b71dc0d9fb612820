"""A cabinet that stays on must have a reason: what it may not do, whatever its controller believes.

Judged from the plant and from the wires ten times a second. How long each thing may last is the
time that the oracle gives the row against it, or the hazard log where the row may see it later.
"""

from hil import oracle
from hil.observer.wire_witness import NOT_HEARD

CLOSED = 2  # of a contactor
ZERO_SHARE, AGAINST_SHARE, MORE_SHARE = 0.01, 0.1, 0.02
# The sum of the racks' currents may differ by this share from what is told, which a swing of the
# load explains (hazard H2). One rack by 10 A, a module by 10 K, a cell by 0.2 V.
APART_SHARE, APART_A, APART_K, APART_V = 0.25, 10.0, 10.0, 0.2


def _until_us(stage, letters):
    """The stage is active and has acted, a tenth of a second of sampling on top."""
    return 1000 * (oracle.decision_ms(stage) + oracle.acts_ms(stage, letters) + 100)


def _hurt_us(stage):
    return 1000 * oracle.process_safety_ms(stage)


# what must not last: how long it may
LIMITS_us = {
    "power flows against the set-point": _hurt_us("56a"),
    "it charges cells above row 19's temperature": _until_us("19a", {"ich"}),
    "it charges cells below 0 degC": _until_us("25a", {"ich"}),
    "it charges a cell above row 28's voltage": _until_us("28", {"ich"}),
    "it charges while the grid meter is silent": _until_us("50a", {"ich"}),
    "it makes a violation of the grid connection worse": _until_us("57b", {"r"}),
    "energy with a silent BMS": _until_us("40c", {"Z"}),
    "energy with a silent converter": _until_us("41c", {"Z"}),
    "energy while the racks tell another current": _hurt_us("55"),
    "energy while the converter tells another power": _hurt_us("41d"),
    "energy while a rack tells another current": _hurt_us("54"),
    "energy while a rack tells another temperature": _hurt_us("54"),
    "energy while a rack tells another cell voltage": _hurt_us("54"),
}


class Reasons:
    """`see` each sample; what lasts too long is told once, and again after as long. Set-points and
    told power are the first converter's.
    """

    def __init__(self, wiring, tell):
        """tell(now_us, text)."""
        self._wiring, self._tell = wiring, tell
        self._since_us = {}

    def see(self, now_us, plant, wires):
        """plant: hil.plant.cabinet.Cabinet; wires: the WireWitness."""
        power_W = sum([pcs.ac_power_W for pcs in plant.pcs])
        found = self._wrong_way(now_us, plant, wires, power_W)
        is_open = plant.relays.breaker_open or all(
            [rack.contactors.state != CLOSED for rack in plant.racks]
        )
        if not is_open or abs(power_W) > ZERO_SHARE * self._wiring.rated_W:
            found += self._unheard(now_us, wires)
            found += self._contradicted(plant, wires)
        self._keep(now_us, found)

    def _keep(self, now_us, found):
        for what in [each for each in self._since_us if each not in found]:
            del self._since_us[what]
        for what in found:
            since_us = self._since_us.setdefault(what, now_us)
            if now_us - since_us > LIMITS_us[what]:
                self._since_us[what] = now_us
                self._tell(now_us, f"{what} for {LIMITS_us[what] / 1e6:.1f} s")

    def _wrong_way(self, now_us, plant, wires, power_W):
        """What the power does that it may not."""
        rated_W, asked_W = self._wiring.rated_W, wires.setpoint_W
        against_W, first_W = AGAINST_SHARE * rated_W, plant.pcs[0].ac_power_W
        opposite = (first_W > against_W and asked_W <= 0) or (first_W < -against_W and asked_W >= 0)
        found = ["power flows against the set-point"] if opposite else []
        if power_W < -MORE_SHARE * rated_W:
            found += self._charging(now_us, plant, wires)
        import_W, export_W = self._wiring.connection_W
        more_W = MORE_SHARE * max(import_W, export_W)
        beyond = (
            min(plant.grid_power_W - import_W, -power_W),
            min(-plant.grid_power_W - export_W, power_W),
        )
        if max(beyond) > more_W:
            found.append("it makes a violation of the grid connection worse")
        return found

    def _charging(self, now_us, plant, wires):
        """Why it must not charge."""
        hottest = max([max(rack.temperatures_degC) for rack in plant.racks])
        coldest = min([min(rack.temperatures_degC) for rack in plant.racks])
        fullest = max([rack.cell_voltage_V_max for rack in plant.racks])
        rows = oracle.ROWS
        reasons = {
            "it charges cells above row 19's temperature": hottest * 10 > rows["19a"].at,
            "it charges cells below 0 degC": coldest * 10 < rows["25a"].at,
            "it charges a cell above row 28's voltage": fullest * 1000 > rows["28"].at,
            "it charges while the grid meter is silent": wires.is_silent(
                now_us, *self._wiring.grid_meter
            ),
        }
        return [what for what, is_so in reasons.items() if is_so]

    def _unheard(self, now_us, wires):
        """Time counts from the last frame."""
        found = []
        heard_us = {
            "energy with a silent BMS": min(wires.bms_us),
            "energy with a silent converter": wires.pcs_us(),
        }
        for what, last_us in heard_us.items():
            if last_us != NOT_HEARD and now_us > last_us:
                found.append(what)
                self._since_us[what] = max(last_us, self._since_us.get(what, 0))
        return found

    def _contradicted(self, plant, wires):
        """What the wires tell otherwise than it is."""
        told, apart_A = wires.told_racks(), 0.0
        found = []
        for rack, known in zip(plant.racks, told):
            apart_A += known.get("current_A", rack.current_A) - rack.current_A
            found += _of_rack(rack, known)
        rated_A = self._wiring.rack_rated_A * len(plant.racks)
        if abs(apart_A) > APART_SHARE * rated_A:
            found.append("energy while the racks tell another current")
        told_W, first_W = wires.told_power_W(), plant.pcs[0].ac_power_W
        if told_W is not None and abs(told_W - first_W) > AGAINST_SHARE * self._wiring.rated_W:
            found.append("energy while the converter tells another power")
        return list(dict.fromkeys(found))


def _of_rack(rack, known):
    """known: {name: value} as its BMS has told it."""
    truths = {
        "current": (known.get("current_A"), rack.current_A, APART_A),
        "temperature": (known.get("degC_max"), max(rack.temperatures_degC), APART_K),
        "cell voltage": (known.get("cell_V_max"), rack.cell_voltage_V_max, APART_V),
    }
    return [
        f"energy while a rack tells another {what}"
        for what, (told, true, apart) in truths.items()
        if told is not None and abs(told - true) > apart
    ]
