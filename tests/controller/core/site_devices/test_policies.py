"""One control function per actuator, on a view of its own."""

from array import array

import pytest
from device_bench import Bench
from views import device

from controller.core.base import reasons
from controller.core.base.answers import BaseRequest, Cap
from controller.core.base.schedule_table import OPEN_W
from controller.core.policies.fan_boost import FanBoost
from controller.core.policies.genset_start import GensetStart
from controller.core.policies.pre_cool import PreCool
from controller.core.policies.pre_heat import PreHeat
from controller.core.policies.pv_limit import PvLimit
from controller.core.policies.shed import Shed
from controller.core.tracking.announced import Notice
from tests.tables import cases


def caps_W(answers):
    return [one.discharge_W_max for _, one in answers if isinstance(one, Cap)]


@cases("""
    pv_W  connection_W  charge_W_max  export_W  less_W  cap_W
    50_000  -20_000  0  0  0  30_000 | 50_000  -20_000  30_000  0  0  60_000
    50_000  10_000  0  0  0  60_000 | 50_000  -20_000  0  20_000  0  50_000
    0  -20_000  0  0  0  0 | -5  100_000  0  0  0  100_000
    # a contact of the grid operator leaves 5 kW
    50_000  -20_000  0  20_000  15_000  35_000
""")
def test_pv_may_give_what_load_battery_and_export_take(
    pv_W, connection_W, charge_W_max, export_W, less_W, cap_W
):
    bench = Bench(PvLimit, device(rated_W=100_000), grid_export_W_max=export_W)
    bench.hear(pv_1__power_W=pv_W)
    known = {"connection_W": connection_W, "charge_W_max": charge_W_max, "export_less_W": less_W}
    answers = bench.step(**known)
    assert caps_W(answers) == [cap_W]
    assert answers[0] == (0, BaseRequest(100_000, reasons.PV_WANTED))


@cases("""
    load_W  cap_W
    30_000  30_000 | None  0
""")
def test_pv_gives_no_more_than_the_load_while_the_grid_power_is_unknown(load_W, cap_W):
    bench = Bench(PvLimit, device(rated_W=100_000))
    bench.hear(pv_1__power_W=80_000)
    assert caps_W(bench.step(connection_W=None, load_meter_W=load_W)) == [cap_W]


@cases("""
    load_W  battery_W  cap_W
    300_000  10_000  70_000 | 0  10_000  70_000 | 300_000  None  0
""")
def test_where_the_load_meter_is_contradicted_pv_may_give_what_all_sources_give(
    load_W, battery_W, cap_W
):
    bench = Bench(PvLimit, device(rated_W=100_000), device("genset"))
    bench.hear(pv_1__power_W=40_000, genset_1__power_W=20_000)
    known = {"load_meter_W": load_W, "battery_W": battery_W, "is_load_wrong": True}
    assert caps_W(bench.step(connection_W=None, **known)) == [cap_W]


@cases("""
    pv_W  connection_W  charge_W_max  export_W  load_meter_W  cap_W
    50_000  -20_000  30_000  0  None  30_000 | 50_000  10_000  250_000  90_000  None  60_000
    50_000  -20_000  0  10_000  None  30_000 | 50_000  -60_000  30_000  0  None  0
    50_000  -20_000  30_000  0  25_000  25_000 | 50_000  -20_000  30_000  0  90_000  60_000
""")
def test_at_a_negative_price_pv_gives_what_the_load_takes(
    pv_W, connection_W, charge_W_max, export_W, load_meter_W, cap_W
):
    bench = Bench(PvLimit, device(rated_W=100_000), grid_export_W_max=export_W)
    bench.hear(pv_1__power_W=pv_W)
    known = {"connection_W": connection_W, "charge_W_max": charge_W_max}
    known |= {"load_meter_W": load_meter_W}
    (_, cap) = (one for _, one in bench.step(is_price_negative=True, **known))
    assert cap == Cap(0, reasons.PV_PRICE_NEGATIVE, cap_W, reasons.PV_PRICE_NEGATIVE)
    assert caps_W(bench.step(**known))[0] >= cap_W


@cases("""
    is_forming  low_W  load_W  cap_W
    False  -90_000  30_000  30_000 | True  -90_000  30_000  100_000 | True  -20_000  30_000  50_000
    True  0  30_000  30_000 | True  -20_000  None  20_000
""")
def test_in_an_island_that_a_converter_forms_pv_may_charge_the_battery(
    is_forming, low_W, load_W, cap_W
):
    bench = Bench(PvLimit, device(rated_W=100_000))
    known = {"is_forming": is_forming, "low_W": low_W, "load_meter_W": load_W}
    assert min(caps_W(bench.step(connection_W=None, **known))[0], 100_000) == cap_W


def test_inverters_share_the_room_by_rated_power_and_a_silent_one_counts_as_0():
    bench = Bench(PvLimit, device(rated_W=100_000), device("pv", 2, rated_W=300_000))
    bench.hear(pv_1__power_W=10_000, pv_2__power_W=30_000)
    assert caps_W(bench.step(connection_W=0)) == [10_000, 30_000]
    bench.hear(is_fresh=False)
    assert caps_W(bench.step(connection_W=0)) == [0, 0]


@cases("""
    first  then  wanted
    319  319  0 | 320  281  1 | 320  280  0 | 320  None  1 | None  None  0
""")
def test_pre_cooling_has_a_hysteresis(first, then, wanted):
    bench = Bench(PreCool, device("chiller"))
    bench.asked(air_temperature_ddegC=first)
    assert bench.asked(air_temperature_ddegC=then)[0][0] == wanted


@cases("""
    function  role     units              reason
    PreCool   "chiller"  [329, 329]         0
    PreCool   "chiller"  [330, 329]         reasons.CHILL_CELLS
    PreCool   "chiller"  [264, 250]         0
    PreCool   "chiller"  [265, 250]         reasons.CHILL_SPREAD
    FanBoost  "fan"      [250, 329, 329]    reasons.FAN_SPREAD
    FanBoost  "fan"      [330, 316, 340]    0
    FanBoost  "fan"      [340, 330, 340]    reasons.FAN_CELLS
    FanBoost  "fan"      [250, 265, 300]    reasons.FAN_SPREAD
    FanBoost  "fan"      [250, 264, 300]    0
""")
def test_warm_cells_and_an_uneven_unit_ask_for_cooling(function, role, units, reason):
    """The fan cools unit 2: the other units do not count for it."""
    settings_ = {"fan_unit": 2} if role == "fan" else {}
    bench = Bench(function, device(role, **settings_))
    found = bench.asked(unit_temperature_ddegC=units)
    assert found == {0: (int(reason > 0), reason or reasons.NO_REQUEST)}


@cases("""
    then        reason
    [308, 300]  reasons.FAN_CELLS
    [301, 300]  reasons.FAN_CELLS
    [300, 291]  reasons.FAN_SPREAD
    [300, 292]  reasons.NO_REQUEST
    None        reasons.FAN_CELLS
""")
def test_each_cause_of_a_fan_has_a_hysteresis_of_its_own(then, reason):
    bench = Bench(FanBoost, device("fan"))
    assert bench.asked(unit_temperature_ddegC=[330, 300])[0] == (1, reasons.FAN_CELLS)
    assert bench.asked(unit_temperature_ddegC=then)[0][1] == reason


def heater(**known):
    """A heater of 9 kW, and cold cells."""
    bench = Bench(PreHeat, device("heater", rated_W=9000))
    return bench, {"module_temperature_ddegC": (30, 40), "connection_W": 100_000, **known}


@cases("""
    first  then  wanted
    31  31  0 | 30  79  1 | 30  80  0 | -250  0  1 | 30  None  0
""")
def test_cold_cells_are_heated_with_a_hysteresis(first, then, wanted):
    bench, known = heater()
    bench.asked(**known | {"module_temperature_ddegC": (first, 400)})
    ends = None if then is None else (then, 400)
    assert bench.asked(**known | {"module_temperature_ddegC": ends})[0][0] == wanted


@cases("""
    known                                 sent  reason
    {}                                     0    reasons.HEAT_COLD
    {"import_room_W": 9000}                0    reasons.HEAT_COLD
    {"import_room_W": 8999}                0    reasons.HEAT_NO_ROOM
    {"import_room_W": 0}                   1    reasons.HEAT_COLD
    {"import_room_W": -1}                  1    reasons.HEAT_NO_ROOM
    {"connection_W": None}                 0    reasons.HEAT_NO_ROOM
    {"source": 1}                          0    reasons.HEAT_NO_GRID
    {"module_temperature_ddegC": None}     1    reasons.HEAT_TEMPERATURE_UNKNOWN
""")
def test_the_heater_waits_for_the_grid_for_room_and_for_a_temperature(known, sent, reason):
    bench, cold = heater()
    bench.hear(heater_1__sent_heat=sent)
    found = bench.asked(**cold | known)
    assert found == {0: (int(reason == reasons.HEAT_COLD), reason)}


@cases("""
    minutes  high_W   coldest  reason
    121      -50_000  100      reasons.NO_REQUEST
    120      -50_000  100      reasons.HEAT_AHEAD
    120      0        100      reasons.NO_REQUEST
    120      OPEN_W   100      reasons.NO_REQUEST
    0        -50_000  140      reasons.HEAT_AHEAD
    0        -50_000  141      reasons.NO_REQUEST
    -15      -50_000  100      reasons.NO_REQUEST
""")
def test_cells_are_warm_before_a_scheduled_charge(minutes, high_W, coldest, reason):
    bench, known = heater()
    schedule = bench.setup.functions["schedule"]
    schedule.minute = lambda: 1000
    schedule._hints.alive = lambda source: True
    schedule.state[:8] = array("i", [1, 1000 + minutes, 15, 1, -1, OPEN_W, high_W, 0])
    found = bench.asked(**known | {"module_temperature_ddegC": (coldest, 400)})
    assert found[0][1] == reason


@pytest.mark.parametrize("step_W, wanted", ((-1, 1), (1, 0)))
def test_a_notice_of_less_load_heats_too(step_W, wanted):
    bench, known = heater(notices=(Notice(0, step_W, 600_000, 700_000),))
    assert bench.asked(**known | {"module_temperature_ddegC": (100, 400)})[0][0] == wanted


@pytest.mark.parametrize(
    "function", (PvLimit, Shed, GensetStart, PreCool, FanBoost, PreHeat), ids=lambda each: each.NAME
)
def test_without_devices_nothing_is_asked(function):
    assert Bench(function).step(connection_W=900_000, soc_permille=(0, 0)) == []
