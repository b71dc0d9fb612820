"""The courses: the actions that trip each stage of the matrix, over a wire where possible.

With the hard-wired chain bridged, only the controller can act on the cause. For rows of fast
heating the temperature jumps. For other rows of temperature the rack is warm from the start, and a
step crosses the threshold that is too small for row 22. A row of a rate has a second course,
`rate`, just above that rate, so that its whole window has to pass. Its time counts from the begin
of the rise, at the worst phase of the second in which the row is evaluated.
"""

from hil.campaigns.rows import seen, start
from hil.campaigns.rows.course import STAGES, Course, DISCHARGE_kW, do
from hil.plant import air, contactors
from safety import matrix as m, permit

# gentle: for thresholds that the voltage drop inside the cells would blur
CHARGE_kW, GENTLE_kW = -DISCHARGE_kW, 50
REST_kW = 7  # 3 A per rack: no heating, but still power that a row can take away
# 701 Alrm (low word) and W of the simulated converter, and 265 of its 250 kW
PCS_ALARMS, EXCESS = "40077", {"40080": 26_500}
# 170 kW are 37 A less: a rack with frozen values hides 12 A
HALF, LESS = [start.REQUEST | {"value_W": value_W} for value_W in (100_000, 170_000)]
VAPOUR_ppm = 60  # three times the threshold: short lag, noise does not matter
SIGN_ppm = 13  # 65 % of the threshold; with 80 % of row 22's it exceeds row 53's 140 %
HYDROGEN_ppm_per_s = 5.5  # row 10b trips above 5
# Of ten begins 0.1 s apart, those with the latest detection.
LATE_s, LATE_TOXIC_s = 0.1, 0.5


def _fault(device, fault="silent", at_s=0.0, **value):
    return do("device_fault", at_s, device=device, fault=fault, **value)


def _heat(degC, at_s=0.0, **where):
    return do("heat", at_s, rack=1, **where, degC=degC)


def _step(stage, degC, **besides):
    """A warm rack steps from 0.2 K below a threshold to 0.2 K above it."""
    start, cause = (_heat(degC - 0.2),), (_heat(degC + 0.2),)
    return Course(stage, cause, at_start=start, seen=seen.hotter(degC), **besides)


def _rising(stage, degC, rate_K_per_s, **besides):
    """A module heats to degC, below row 21, at just above the rate of the row."""
    cause = do("heat", LATE_s, rack=1, module=3, degC=degC, rate_K_per_s=rate_K_per_s)
    return Course(stage, (cause,), name=f"{stage} rate", **besides)


def _cell(stage, offset_mV, power_kW=GENTLE_kW, **besides):
    return Course(stage, (do("cell_offset", rack=1, offset_mV=offset_mV),), power_kW, **besides)


def _gas(stage, lfl_pct, seen_pct, **besides):
    cause = (do("gas", lfl_pct=lfl_pct, detector=1),)
    return Course(stage, cause, before=BRIDGED, seen=seen.gas(seen_pct), **besides)


def _behind(stage, cause, before, settle_s, seen=None):
    return Course(stage, (do(cause),), before=before, settle_s=settle_s, seen=seen, behind=True)


def _reports(stage, device, value):
    return Course(stage, (_fault(device, "overrides", value=value),))


def _peer(fault, value, name=""):
    return Course("51", (_fault("channel_b", fault, value=value),), armed=("51",), name=name)


BOTH_VAPOUR, ONE_VAPOUR = [(do("offgas", ppm=VAPOUR_ppm, **one),) for one in ({}, {"detector": 1})]
GAS_LOST = (do("detector_fault", detector="gas_1"), do("detector_fault", detector="gas_2"))
# A head with the lag tau reads r t from the begin if the gas is r (t + tau). The end is below row
# 10a's 200 ppm.
RISING_TOXIC = (
    do("toxic", LATE_TOXIC_s, ppm=HYDROGEN_ppm_per_s * air.TOXIC_TAU_S[0], gas="hydrogen"),
    do("toxic", LATE_TOXIC_s, ppm=190, gas="hydrogen", ppm_per_s=HYDROGEN_ppm_per_s),
)
BRIDGED, NO_CURRENT, BMS_BITS = (do("bridge_chain"),), {"PACK.current": 0}, "STATE.fault_bits"
WARMING = (do("heat", rack=1, module=3, degC=40, rate_K_per_s=0.1),)
NO_PRECHARGE = tuple(do("precharge_break", rack=rack) for rack in (1, 2, 3))
START, ON_UPS, SMOKE_1 = (do("run_request"),), do("mains_loss"), do("smoke", detector=1)
FORGOTTEN = {"before": (do("forget_obligations"),), "settle_s": 5}
WATCHED = FORGOTTEN | {"before": (do("watch_itself"),)}
KILL, START_AGAIN = do("controller_kill"), do("controller_start", 3.0)
KEY_OFF, LINK_LOST = (do("key", run=False),), (do("supervision_lost"),)
MODULE_4, OVERDUE = {"rack": 1, "module": 4}, (do("calibration", detector="toxic", days=-2),)
# Longer than three periods, so that at any phase three of each frame are bad.
FROZEN, BMS_FAULT = _fault("bms_1", "frozen"), do("bms_fault", rack=1, bits=128)
REPORTS_NOTHING = (
    do("contact", name="bms_fault", closed=True),
    _fault("bms_1", "overrides", value={BMS_BITS: 0}),
)
BAD_FRAMES = (_fault("bms_1", "bad_crc"), _fault("bms_1", "bad_crc", 0.32, value=False))
# Otherwise the modules' outputs expire 0.5 s later and may be the cause of the opening.
BROKEN = tuple(_fault(device, "expiry_broken") for device in ("io_1", "io_2", "io_3"))

FIRE_AND_GAS = (
    Course("1a", (do("estop_channel", channel=1),), before=BRIDGED),
    Course("1b", (do("estop_channel", channel=2),), before=BRIDGED),
    Course("1c", (do("estop_channel", channel=2),), before=BRIDGED, alone=("1b",)),
    Course("2", (do("fire_alarm"),), before=BRIDGED),
    Course("3", (do("suppression"),), before=BRIDGED),
    Course("4", (SMOKE_1,), seen=lambda plant: plant.air.smoke[0]),
    Course("4", (do("contact", name="heat", closed=False),), name="4 heat"),
    Course("5", (SMOKE_1, do("heat_detector")), seen=lambda plant: plant.air.smoke[0]),
    Course("6a", (do("fire_trouble"),)),
    Course("6b", (do("fire_trouble"),), CHARGE_kW),
    Course("7", ONE_VAPOUR, seen=seen.vapour(1)),
    Course("8a", BOTH_VAPOUR, seen=seen.vapour(2)),
    Course("8b", ONE_VAPOUR, seen=seen.vapour(1)),
    Course("8c", ONE_VAPOUR, before=WARMING, settle_s=15, seen=seen.vapour(1)),
    Course("9", (do("toxic", ppm=75, gas="carbon_monoxide"),), seen=seen.toxic(50)),
    Course("10a", (do("toxic", ppm=600, gas="hydrogen"),), seen=seen.toxic(200), alone=("10b",)),
    Course("10b", (do("toxic", ppm=190, gas="hydrogen"),), seen=seen.toxic(51)),
    Course("10b", RISING_TOXIC, name="10b rate"),
    _gas("11", 20, 10),
    _gas("12a", 60, 25, alone=("12b",)),
    Course("12b", (do("contact", name="gas_relay", closed=False),), before=BRIDGED),
    Course("13a", (do("detector_fault", detector="offgas_1"),)),
    Course("13b", (_fault("gas_1"),)),
    Course("13c", OVERDUE, CHARGE_kW),
    Course("14", GAS_LOST),
    Course("14", (_fault("gas_1"), _fault("gas_2")), name="14 silent"),
    _behind("15a", "airflow_fail", GAS_LOST, 25, lambda plant: not plant.air.airflow),
    _behind("15b", "airflow_fail", ONE_VAPOUR, 25, lambda plant: not plant.air.airflow),
    _behind("16a", "damper_fail", GAS_LOST, 30, lambda plant: not plant.air.louvre_open),
    _behind("16b", "damper_fail", ONE_VAPOUR, 30, lambda plant: not plant.air.louvre_open),
    Course("17a", (do("hvac_fail"),)),
    Course("17b", (do("air_heat", degC=47),), CHARGE_kW, seen=seen.air(45.1)),
    Course("17c", (do("air_heat", degC=52),), seen=seen.air(50.1)),
)
CABINET = (
    _cell("30", 530, before=BRIDGED, seen=seen.opened("cell_voltage")),
    Course("38b", (do("bus_mismatch", offset_V=-30),)),
    Course(
        "38a",
        (*START, do("reset", 15.0), do("reset", 30.0)),
        at_start=NO_PRECHARGE,
        starts=True,
        seen=seen.third_time(lambda plant: plant.racks[0].contactors.state == contactors.FAULT),
        alone=("40e",),
    ),
    Course(
        "38a",
        START,
        at_start=(do("contact", name="permit_2", closed=False),),
        starts=True,
        seen=seen.third_time(lambda plant: plant.relays.coils["contactor_supply"], permit.RELAY_MS),
        repair=(do("contact_repair", name="permit_2"),),
        name="38a relay",
    ),
    Course("40e", (do("contact", name="bms_fault", closed=False),)),
    Course("40e", (BMS_FAULT,), name="40e opens", seen=seen.opened("bms_fault")),
    *[Course(stage, (_fault("pcs_1"),)) for stage in ("41a", "41b", "41c")],
    Course("41d", (_fault("pcs_1", "overrides", value=EXCESS),), alone=("56a",)),
    Course("55", tuple([_fault(f"bms_{rack}", "overrides", value=NO_CURRENT) for rack in (1, 2)])),
    Course("56a", (do("pcs_stick"), do("hint", 0.1, **HALF))),
    Course("56b", (do("pcs_derate", kW=100), do("hint", 0.1, **LESS))),
    *[
        _reports(stage, "pcs_1", {PCS_ALARMS: bits})
        for stage, bits in (("59c", 1), ("59d", 1 << 7))
    ],
    Course("57a", (do("other_load", kW=700),)),
    Course("57b", (do("other_load", kW=150),), CHARGE_kW, **FORGOTTEN),
    Course("57c", (do("other_load", kW=-150),), **FORGOTTEN),
    Course("42a", (do("leak"),), seen=seen.opened("leak")),
    Course("42b", (do("coolant"),)),
    Course(
        "42c",
        (do("humidity", ingress_g_per_s=6),),
        CHARGE_kW,
        seen=lambda plant: plant.humidity_permille >= 901,
    ),
    *(Course("43a", (ON_UPS,), CHARGE_kW), Course("43d", (do("ups_reserve", minutes=100),))),
    Course("43b", (ON_UPS, do("ups_reserve", minutes=100))),
    Course("43c", (ON_UPS, do("ups_reserve", minutes=25))),
    Course("44a", (do("flip_word"),)),
    Course("44b", (do("controller_stall", duration_ms=520),)),
    Course("44c", (KILL, START_AGAIN)),
    Course("44d", (KILL, do("store_spoil", 2.0), START_AGAIN), alone=("58",)),
    Course("58", (KILL, do("store_other_image", 2.0), START_AGAIN), alone=("44c",)),
    Course("44e", (do("change_program"),), **WATCHED),
    Course("44e", (do("contact", name="permit_1", closed=False),), name="44e relay"),
    Course("44f", (do("hot_processor"),), **WATCHED),
    Course("44g", tuple([do("controller_stall", at_s, duration_ms=150) for at_s in (0, 2, 4)])),
    Course("46a", LINK_LOST, alone=("46c",)),
    Course("46b", LINK_LOST, armed=("46b",)),
    Course("46c", LINK_LOST, CHARGE_kW),
    Course("46c", START, at_start=LINK_LOST, starts=True, name="46c start"),
    Course("47a", KEY_OFF),
    Course("47b", (do("contact", name="key_service", closed=True),)),
    Course("48a", (do("door"),)),
    _behind("48b", "door", ONE_VAPOUR, 10),
    Course("49", (_fault("io_3"),)),
    *[Course("49", (_fault(each),), name=f"49 {each}") for each in ("io_1", "io_2")],
    Course("50a", (_fault("meter_grid"),), CHARGE_kW),
    Course("50b", (_fault("meter_load", "frozen"),), CHARGE_kW),
    Course("50c", (do("meter_50c"),), CHARGE_kW),
    Course("50d", (do("meter_50d"),), CHARGE_kW, alone=("50c",)),
    _peer("stuck", {"estop_1_ok": 0}),
    _peer("stuck", {"airflow_ok": 1}, "51 contact"),
    _peer("mute", True, "51 silent"),
    Course("52", (_fault("climate"),)),
)
RACK = (
    _step("18a", 35.0, power_kW=CHARGE_kW),
    _step("18b", 45.0, alone=("19a",)),
    _step("19a", 40.0, power_kW=CHARGE_kW),
    _step("19b", 50.0, alone=("18b", "19a")),
    Course(
        "20a",
        (_heat(45.2), do("current_excess", current_A=-30)),
        CHARGE_kW,
        at_start=(_heat(44.8),),
        seen=seen.hotter(45.0),
    ),
    _step("20b", 55.0),
    Course("21a", (_heat(66, module=3),)),
    Course("21b", (_heat(46, module=3),)),
    Course("22", (do("heat", rack=1, module=3, degC=30, rate_K_per_s=0.05),)),
    Course("23a", (_heat(28.5, module=3),), alone=("22", "23b")),
    Course("23b", (_heat(31, module=3),), alone=("22", "23a")),
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
    Course("26a", (_heat(13, module=4),)),
    Course("26b", (_heat(8, module=4),)),
    _cell("27", 300),
    _cell("28", 310, -GENTLE_kW),
    _cell("29", 370),
    *[_cell(stage, offset_mV, soc_pct=6) for stage, offset_mV in (("31a", -220), ("31b", -330))],
    _cell("32", -850, alone=("34c",)),
    _cell("33", -1330),
    _cell("34a", -130),
    _cell("34b", -250),
    _cell("34c", -415),
    Course("35a", (do("current_excess", current_A=454.5, fuse_A2s=1e8),), REST_kW, alone=("55",)),
    Course("35b", (do("current_excess", current_A=320, fuse_A2s=1e8),), alone=("55",)),
    Course("36", (do("current_excess", current_A=620),)),
    Course("37a", (do("insulation", rack=1, kohm=300),)),
    Course("37b", (do("insulation", rack=1, kohm=70),)),
    Course("39", KEY_OFF, before=(do("feedback", rack=1, reads="closed"),), seen=seen.supply_off),
    Course("39", (do("feedback", rack=1, reads="open"),), name="39 open"),
    Course("39", (BMS_FAULT,), before=REPORTS_NOTHING, name="39 lost"),
    Course("39", KEY_OFF, before=(do("weld", rack=1),), name="39 weld", seen=seen.supply_off),
    Course("40a", (_fault("bms_1"),)),
    Course("40b", (_fault("bms_1"),), alone=("40a",)),
    Course("40c", (_fault("bms_1"),)),
    Course("40d", BAD_FRAMES),
    Course("45a", (do("sensor_invalid", **MODULE_4),)),
    Course("45b", (do("sensor_invalid", **MODULE_4),)),
    Course("45c", (do("sensor_zero", **MODULE_4),), alone=("26a", "26b")),
    Course("45d", (do("sensor_zero", **MODULE_4),), alone=("26a", "26b", "45c")),
    Course(
        "53",
        (do("offgas", ppm=15, detector=1), do("toxic", ppm=40, gas="carbon_monoxide")),
        seen=seen.suspicious,
    ),
    # A change within 2 s after the last new value may still belong to that value.
    Course("54", (do("hint", 2.5, **LESS),), before=(FROZEN,), seen=seen.moved(21)),
    *[_reports(stage, "bms_1", {BMS_BITS: bits}) for stage, bits in (("59a", 1), ("59b", 1 << 15))],
    _rising(
        "53",
        28,
        0.014,
        power_kW=REST_kW,
        before=(do("offgas", ppm=SIGN_ppm, detector=1),),
        settle_s=40,
    ),
)


def _place(course):
    return STAGES[course.stage][m.S_ROW], course.label


COURSES = {each.label: each for each in sorted(FIRE_AND_GAS + CABINET + RACK, key=_place)}
