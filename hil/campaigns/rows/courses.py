"""COURSES: how each stage of the matrix is brought about, from a wire where there is one. Actions
as in a scenario.

Bridging the hard-wired chain leaves the program alone with the cause. What heats is a jump where
the row is about fast heating, and for the others a rack that is warm from the start and steps over
the threshold by less than row 22 sees. A row about a rate has a second course, `rate`: just above
its own, so that its window has to pass; timed from where the rise begins, which is when the second
is at its worst for it.
"""

from typing import NamedTuple

from hil.campaigns.rows.inside import INSIDE
from hil.plant import air, contactors
from safety import matrix as m
from safety import permit

STAGES = {stage[m.S_ID]: stage for stage in m.STAGES}
# gentle: where the cells' own drop would blur a threshold
DISCHARGE_kW, CHARGE_kW, GENTLE_kW = 200, -200, 50
REST_kW = 5  # 2 A a rack heat nothing, and still there is power to take away
PCS_POWER, EXCESS_daW = "40080", 26_500  # 701 W of the simulated converter, and 265 of its 250 kW
VAPOUR_ppm = 60  # three times the threshold: its lag is short and its noise does not matter
SIGN_ppm = 13  # 65 % of the threshold: below it, and with 80 % of row 22's more than row 53's 140 %
HYDROGEN_ppm_per_s = 5.5  # row 10b asks for more than 5
# Of ten beginnings a tenth of a second apart the ones with the longest way: the second that finds
# it has just passed.
LATE_s, LATE_TOXIC_s = 0.1, 0.5


class Do(NamedTuple):
    """An action of hil/scenarios/faults.py (or of inside.py), so many seconds after the cause
    begins.
    """

    at_s: float
    do: str
    arguments: dict


class Course(NamedTuple):
    """How one stage is brought about. Times are measured from the last action of `cause`.

    power_kW: asked for all the time, > 0 discharges. at_start: done before the first tick; before:
    after the start, settle_s before the cause. seen: plant -> True once the sensor shows the cause,
    None where it shows at once: what passes until then is the sensor's part. armed: stages that the
    example site does not arm. starts: the course is the start itself, power never flows. repair:
    done before a new start is asked for. soc_pct: at the start. name: of a second course of a
    stage. alone: other stages that the cause trips as well and that would do this one's work: not
    armed. behind: rows that must stand first ask for all of it already, so that nothing of it is
    this stage's doing.
    """

    stage: str
    cause: tuple
    power_kW: int = DISCHARGE_kW
    at_start: tuple = ()
    before: tuple = ()
    settle_s: float = 0.0
    seen: object = None
    armed: tuple = ()
    starts: bool = False
    repair: tuple = ()
    soc_pct: float = 55.0
    name: str = ""
    alone: tuple = ()
    behind: bool = False

    @property
    def label(self):
        """What the table calls it."""
        return self.name or self.stage

    @property
    def is_inside(self):
        """True if the cause is none that a wire brings."""
        return any(each.do in INSIDE for each in self.cause)

    @property
    def how(self):
        """The cause in words: its actions and what was done before."""
        words = [_words(each) for each in self.cause]
        prepared = [_words(each) for each in self.at_start + self.before]
        notes = [f"before: {', '.join(prepared)}"] if prepared else []
        notes += [f"not armed: {', '.join(self.alone)}"] if self.alone else []
        return ", ".join(words) + (f" ({'; '.join(notes)})" if notes else "")


def _words(each):
    values = [f"{key}={value}" for key, value in each.arguments.items()]
    later = f" after {each.at_s:g} s" if each.at_s else ""
    return " ".join([each.do, *values]) + later


def do(action, at_s=0.0, /, **arguments):
    """One Do."""
    return Do(at_s, action, arguments)


def _silent(device):
    return (do("device_fault", device=device, fault="silent"),)


def _warm(from_degC):
    """A whole rack at this temperature from the start."""
    return (do("heat", rack=1, degC=from_degC),)


def _hotter(degC):
    return lambda plant: round(max(plant.racks[0].temperatures_degC), 1) >= degC


def _step(stage, degC, **besides):
    """A warm rack steps from 0.2 K below a threshold to 0.2 K above it."""
    return Course(
        stage,
        (do("heat", rack=1, degC=degC + 0.2),),
        at_start=_warm(degC - 0.2),
        seen=_hotter(degC),
        **besides,
    )


def _rising(stage, degC, rate_K_per_s, **besides):
    """A module goes to degC, short of row 21, at just above the row's own rate."""
    cause = do("heat", LATE_s, rack=1, module=3, degC=degC, rate_K_per_s=rate_K_per_s)
    return Course(stage, (cause,), name=f"{stage} rate", **besides)


def _cell(stage, offset_mV, power_kW=GENTLE_kW, **besides):
    return Course(stage, (do("cell_offset", rack=1, offset_mV=offset_mV),), power_kW, **besides)


def _gas(lfl_pct, seen_pct):
    return {
        "cause": (do("gas", lfl_pct=lfl_pct, detector=1),),
        "before": BRIDGED,
        "seen": lambda plant: round(plant.gas_lfl_pct[0], 1) >= seen_pct,
    }


def _vapour(count):
    """Seen by so many sensors."""

    def seen(plant):
        return sum([round(ppm) >= 20 for ppm in plant.offgas_ppm]) >= count

    return seen


def _toxic(ppm):
    return lambda plant: max([round(each) for each in plant.toxic_ppm]) >= ppm


def _suspicious(plant):
    signs = round(max(plant.offgas_ppm)) * 5, round(max(plant.toxic_ppm)) * 2
    return sum(signs) >= 100 and min(signs) >= 25


class _FailedThrice:
    """True once the contactors of rack 1 have given up pre-charging for the third time; asked each
    tick.
    """

    def __init__(self):
        self._count, self._was = 0, contactors.OPEN

    def __call__(self, plant):
        state = plant.racks[0].contactors.state
        self._count += state == contactors.FAULT != self._was
        self._was = state
        return self._count >= 3


class _GaveUpThrice:
    """True once the permit relays were told thrice to close and have not followed for RELAY_MS;
    asked each tick.
    """

    def __init__(self):
        self._times_us, self._was_on = [], False

    def __call__(self, plant):
        is_on = plant.relays.coils["contactor_supply"]
        if is_on and not self._was_on:
            self._times_us.append(plant.now_us)
        self._was_on = is_on
        return (
            len(self._times_us) >= 3 and plant.now_us - self._times_us[2] >= permit.RELAY_MS * 1000
        )


BRIDGED = (do("bridge_chain"),)
ONE_VAPOUR, BOTH_VAPOUR = (
    (do("offgas", ppm=VAPOUR_ppm, detector=1),),
    (do("offgas", ppm=VAPOUR_ppm),),
)
GAS_LOST = (do("detector_fault", detector="gas_1"), do("detector_fault", detector="gas_2"))
# A head that lags by tau reads r t from the beginning under gas of r (t + tau); the end is short of
# row 10a's 200 ppm.
RISING_TOXIC = (
    do("toxic", LATE_TOXIC_s, ppm=HYDROGEN_ppm_per_s * air.TOXIC_TAU_S[0], gas="hydrogen"),
    do("toxic", LATE_TOXIC_s, ppm=190, gas="hydrogen", ppm_per_s=HYDROGEN_ppm_per_s),
)
OVERDUE = (do("calibration", detector="toxic", days=-2),)
NO_PRECHARGE = tuple([do("precharge_break", rack=rack) for rack in (1, 2, 3)])
ON_UPS = do("mains_loss")
SMOKE_1 = do("smoke", detector=1)


def _smoke(plant):
    return plant.air.smoke[0]


def _no_airflow(plant):
    return not plant.air.airflow


def _louvre_shut(plant):
    return not plant.air.louvre_open


FIRE_AND_GAS = (
    Course("1a", (do("estop_channel", channel=1),), before=BRIDGED),
    Course("1b", (do("estop_channel", channel=2),), before=BRIDGED),
    Course("1c", (do("estop_channel", channel=2),), before=BRIDGED, alone=("1b",)),
    Course("2", (do("fire_alarm"),), before=BRIDGED),
    Course("3", (do("suppression"),), before=BRIDGED),
    Course("4", (SMOKE_1,), seen=_smoke),
    Course("4", (do("contact", name="heat", closed=False),), name="4 heat"),
    Course("5", (SMOKE_1, do("heat_detector")), seen=_smoke),
    Course("6a", (do("fire_trouble"),)),
    Course("6b", (do("fire_trouble"),), CHARGE_kW),
    Course("7", ONE_VAPOUR, seen=_vapour(1)),
    Course("8a", BOTH_VAPOUR, seen=_vapour(2)),
    Course("8b", ONE_VAPOUR, seen=_vapour(1)),
    Course(
        "8c",
        ONE_VAPOUR,
        before=(do("heat", rack=1, module=3, degC=40, rate_K_per_s=0.1),),
        settle_s=15,
        seen=_vapour(1),
    ),
    Course("9", (do("toxic", ppm=75, gas="carbon_monoxide"),), seen=_toxic(50)),
    Course("10a", (do("toxic", ppm=600, gas="hydrogen"),), seen=_toxic(200), alone=("10b",)),
    Course("10b", (do("toxic", ppm=300, gas="hydrogen"),), seen=_toxic(51)),
    Course("10b", RISING_TOXIC, name="10b rate"),
    Course("11", **_gas(20, 10)),
    Course("12a", **_gas(60, 25), alone=("12b",)),
    Course("12b", (do("contact", name="gas_relay", closed=False),), before=BRIDGED),
    Course("13a", (do("detector_fault", detector="offgas_1"),)),
    Course("13b", _silent("gas_1")),
    Course("13c", OVERDUE, CHARGE_kW),
    Course("14", GAS_LOST),
    Course("14", (*_silent("gas_1"), *_silent("gas_2")), name="14 silent"),
    Course(
        "15a", (do("airflow_fail"),), before=GAS_LOST, settle_s=25, seen=_no_airflow, behind=True
    ),
    Course(
        "15b", (do("airflow_fail"),), before=ONE_VAPOUR, settle_s=25, seen=_no_airflow, behind=True
    ),
    Course(
        "16a", (do("damper_fail"),), before=GAS_LOST, settle_s=30, seen=_louvre_shut, behind=True
    ),
    Course(
        "16b", (do("damper_fail"),), before=ONE_VAPOUR, settle_s=30, seen=_louvre_shut, behind=True
    ),
    Course("17a", (do("hvac_fail"),)),
    Course(
        "17b",
        (do("air_heat", degC=47),),
        CHARGE_kW,
        seen=lambda plant: round(plant.air_degC, 1) >= 45.1,
    ),
    Course("17c", (do("air_heat", degC=52),), seen=lambda plant: round(plant.air_degC, 1) >= 50.1),
)
CABINET = (
    Course(
        "30",
        (do("cell_offset", rack=1, offset_mV=530),),
        GENTLE_kW,
        before=BRIDGED,
        seen=lambda plant: not plant.contacts["cell_voltage"],
    ),
    Course(
        "38a",
        (do("run_request"), do("reset", 15.0), do("reset", 30.0)),
        at_start=NO_PRECHARGE,
        starts=True,
        seen=_FailedThrice(),
        alone=("40e",),
    ),
    Course(
        "38a",
        (do("run_request"),),
        at_start=(do("contact", name="permit_2", closed=False),),
        starts=True,
        seen=_GaveUpThrice(),
        repair=(do("contact_repair", name="permit_2"),),
        name="38a relay",
    ),
    Course("40e", (do("contact", name="bms_fault", closed=False),)),
    Course(
        "40e",
        (do("bms_fault", rack=1, bits=128),),
        name="40e opens",
        seen=lambda plant: not plant.contacts["bms_fault"],
    ),
    Course("42a", (do("leak"),), seen=lambda plant: not plant.contacts["leak"]),
    Course("42b", (do("coolant"),)),
    Course(
        "42c",
        (do("humidity", ingress_g_per_s=6),),
        CHARGE_kW,
        seen=lambda plant: plant.humidity_permille >= 901,
    ),
    Course("43a", (ON_UPS,), CHARGE_kW),
    Course("43b", (ON_UPS, do("ups_reserve", minutes=100))),
    Course("43c", (ON_UPS, do("ups_reserve", minutes=25))),
    Course("43d", (do("ups_reserve", minutes=100),)),
    Course("44a", (do("flip_word"),)),
    Course("44b", (do("controller_stall", duration_ms=520),)),
    Course("44c", (do("controller_kill"), do("controller_start", 3.0))),
    Course("44d", (do("controller_kill"), do("store_spoil", 2.0), do("controller_start", 3.0))),
    Course("44e", (do("change_program"),), before=(do("watch_itself"),), settle_s=5),
    Course("44e", (do("contact", name="permit_1", closed=False),), name="44e relay"),
    Course("44f", (do("hot_processor"),), before=(do("watch_itself"),), settle_s=5),
    Course("46a", (do("supervision_lost"),), alone=("46c",)),
    Course("46b", (do("supervision_lost"),), armed=("46b",)),
    Course("46c", (do("supervision_lost"),), CHARGE_kW),
    Course(
        "46c",
        (do("run_request"),),
        at_start=(do("supervision_lost"),),
        starts=True,
        name="46c start",
    ),
    Course("47", (do("key", run=False),)),
    Course("48a", (do("door"),)),
    Course("48b", (do("door"),), before=ONE_VAPOUR, settle_s=10, behind=True),
    Course("49", _silent("io_3")),
    Course("49", _silent("io_1"), name="49 io_1"),
    Course("49", _silent("io_2"), name="49 io_2"),
    Course("50a", _silent("meter_grid"), CHARGE_kW),
    Course("50b", (do("device_fault", device="meter_load", fault="frozen"),), CHARGE_kW),
    Course(
        "51",
        (do("device_fault", device="channel_b", fault="stuck", value={"estop_1_ok": 0}),),
        armed=("51",),
    ),
    Course(
        "51",
        (do("device_fault", device="channel_b", fault="stuck", value={"airflow_ok": 1}),),
        armed=("51",),
        name="51 contact",
    ),
    Course(
        "51",
        (do("device_fault", device="channel_b", fault="mute", value=True),),
        armed=("51",),
        name="51 silent",
    ),
    Course("52", _silent("climate")),
    Course("38b", (do("bus_mismatch", offset_V=-30),)),
    Course("41a", _silent("pcs_1")),
    Course("41b", _silent("pcs_1")),
    Course("41c", _silent("pcs_1")),
    Course(
        "41d",
        (do("device_fault", device="pcs_1", fault="overrides", value={PCS_POWER: EXCESS_daW}),),
    ),
)
RACK = (
    _step("18a", 40.0, power_kW=CHARGE_kW),
    _step("18b", 45.0, alone=("19a",)),
    _step("19a", 45.0, power_kW=CHARGE_kW),
    _step("19b", 50.0),
    Course(
        "20a",
        (do("heat", rack=1, degC=50.2), do("current_excess", current_A=-30)),
        CHARGE_kW,
        at_start=_warm(49.8),
        seen=_hotter(50.0),
    ),
    _step("20b", 55.0),
    Course("21a", (do("heat", rack=1, module=3, degC=66),)),
    Course("21b", (do("heat", rack=1, module=3, degC=46),)),
    Course("22", (do("heat", rack=1, module=3, degC=30, rate_K_per_s=0.05),)),
    Course("23a", (do("heat", rack=1, module=3, degC=28.5),), alone=("22", "23b")),
    Course("23b", (do("heat", rack=1, module=3, degC=31),), alone=("22", "23a")),
    _rising("22", 28, 0.02, power_kW=REST_kW),
    _rising("23a", 31, 0.25, alone=("22", "23b")),
    _rising("23b", 36, 1.2, alone=("22", "23a")),
    Course(
        "24",
        (do("cell_drop", rack=1, module=2, drop_mV=300),),
        before=OVERDUE,
        settle_s=15,
        seen=lambda plant: plant.racks[0].cell_voltage_V_min < 3.05,
    ),
    Course("25a", (do("cool", rack=1, degC=-5),), CHARGE_kW),
    Course("25b", (do("cool", rack=1, degC=-25),), alone=("25a",)),
    Course("26a", (do("heat", rack=1, module=4, degC=13),)),
    Course("26b", (do("heat", rack=1, module=4, degC=8),)),
    _cell("27", 300),
    _cell("28", 310, -GENTLE_kW),
    _cell("29", 370),
    _cell("31a", -220, soc_pct=6),
    _cell("31b", -330, soc_pct=6),
    _cell("32", -850, alone=("34c",)),
    _cell("33", -1330),
    _cell("34a", -130),
    _cell("34b", -250),
    _cell("34c", -415),
    Course("35a", (do("current_excess", current_A=454.5, fuse_A2s=1e8),), 5),
    Course("35b", (do("current_excess", current_A=320, fuse_A2s=1e8),)),
    Course("36", (do("current_excess", current_A=620),)),
    Course("37a", (do("insulation", rack=1, kohm=300),)),
    Course("37b", (do("insulation", rack=1, kohm=70),)),
    Course(
        "39",
        (do("key", run=False),),
        before=(do("feedback", rack=1, reads="closed"),),
        seen=lambda plant: not plant.relays.coils["contactor_supply"],
    ),
    Course("39", (do("feedback", rack=1, reads="open"),), name="39 open"),
    Course(
        "39",
        (do("bms_fault", rack=1, bits=128),),
        before=(do("contact", name="bms_fault", closed=True),),
        name="39 lost",
    ),
    Course(
        "39",
        (do("key", run=False),),
        before=(do("weld", rack=1),),
        name="39 weld",
        seen=lambda plant: not plant.relays.coils["contactor_supply"],
    ),
    Course("40a", _silent("bms_1")),
    Course("40b", _silent("bms_1"), alone=("40a",)),
    Course("40c", _silent("bms_1")),
    # For longer than three periods, so that at any phase three of each of its frames are bad.
    Course(
        "40d",
        (
            do("device_fault", device="bms_1", fault="bad_crc"),
            do("device_fault", 0.32, device="bms_1", fault="bad_crc", value=False),
        ),
    ),
    Course("45a", (do("sensor_invalid", rack=1, module=4),)),
    Course("45b", (do("sensor_invalid", rack=1, module=4),)),
    Course("45c", (do("sensor_zero", rack=1, module=4),), alone=("26a", "26b")),
    Course("45d", (do("sensor_zero", rack=1, module=4),), alone=("26a", "26b", "45c")),
    Course(
        "53",
        (do("offgas", ppm=15, detector=1), do("toxic", ppm=40, gas="carbon_monoxide")),
        seen=_suspicious,
    ),
    _rising(
        "53",
        28,
        0.014,
        power_kW=REST_kW,
        before=(do("offgas", ppm=SIGN_ppm, detector=1),),
        settle_s=40,
    ),
)
COURSES = {
    each.label: each
    for each in sorted(
        FIRE_AND_GAS + CABINET + RACK, key=lambda each: (STAGES[each.stage][m.S_ROW], each.label)
    )
}
