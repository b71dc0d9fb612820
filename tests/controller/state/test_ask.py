"""`ask`: yes with its margin, no with its lacks, not known; each limit at its boundary."""

import pytest
from ask_bench import REFERENCE, situation

from controller.core.base.schedule_table import OPEN_W, Slot
from controller.core.policies import hint_groups as g
from controller.state import ask
from controller.state.forecast import Forecast, Job
from controller.state.futures import RENEWED, Future
from controller.state.situation_forms import LimitHint, Peak, Step
from tests.tables import cases

SHORT_S = 60


def answer(power_W, at_s=0, for_s=SHORT_S, **changes):
    return ask.answer(situation(**changes), Job(power_W, at_s, for_s))


def whats(found):
    return [each["what"] for each in found["missing"]]


@cases("""power_W  verdict  margin_W  is_needed
    199_999  "yes"  250_001  False
    200_000  "yes"  250_000  False
    200_001  "yes"  249_999  True
    450_000  "yes"  0  True
    450_001  "no"  None  True
""")
def test_the_power_of_connection_and_battery(power_W, verdict, margin_W, is_needed):
    found = answer(power_W)
    assert (found["answer"], found["margin_W"]) == (verdict, margin_W)
    assert found["needed_W"] == max(0, power_W - 200_000)
    assert (found["margin_Wh"] is not None) == (is_needed and verdict == "yes")
    if verdict == "no":
        (missing,) = found["missing"]
        assert missing == missing | {"what": "power", "missing_W": 1, "from_s": 0}
        assert missing["limit"]["label"] == "R213" and found["import_reason"]["label"] == "R301"


def test_the_load_that_swings_counts_with_its_largest_value_in_power_and_its_mean_in_energy():
    swings = {"connection": {"seen_W": (250_000, 350_000)}}
    assert answer(400_000, **swings)["margin_W"] == 0
    assert whats(answer(400_001, **swings)) == ["power"]
    even, swinging = answer(300_000), answer(300_000, **swings)
    assert swinging["needed_W"] == even["needed_W"] + 50_000 == 150_000
    assert abs(swinging["given_Wh"] - even["given_Wh"]) < 500  # of 4167


def test_the_energy_above_the_reserve_decides_to_the_watt_hour():
    found = answer(400_000, for_s=1200)
    left_Wh = found["margin_Wh"]
    assert found["answer"] == "yes" and 60_000 < 200_000 - left_Wh < 140_000
    enough = {"remaining_Wh": 200_000 - left_Wh}
    assert answer(400_000, for_s=1200, battery=enough)["margin_Wh"] == 0
    found = answer(400_000, for_s=1200, battery={"remaining_Wh": 200_000 - left_Wh - 1})
    assert found["missing"] == [{"what": "energy", "missing_Wh": 1, "reserve_permille": 150}]
    found = answer(200_000, for_s=86_400, battery={"remaining_Wh": 0})
    assert found["answer"] == "yes", "the connection carries the job alone"


def test_load_tracking_charges_until_the_job_begins():
    empty = {"remaining_Wh": 0, "soc_permille": 150}
    assert whats(answer(300_000, 0, 600, battery=empty)) == ["energy"]
    assert answer(300_000, 3600, 600, battery=empty)["answer"] == "yes"
    full = {"seen_W": (500_000,)}
    assert whats(answer(1, 3600, 600, battery=empty, connection=full)) == ["energy"]


@cases("""hottest_ddegC  missing
    429  []
    435  ["temperature"]
    445  ["temperature"]
""")
def test_warm_modules_give_less(hottest_ddegC, missing):
    """2 K before the taper the BMS may derate."""
    found = answer(449_000, battery={"hottest_ddegC": hottest_ddegC})
    assert whats(found) == missing
    for each in found["missing"]:
        cooler = hottest_ddegC - each["missing_ddegC"]
        assert abs(cooler - 430) <= 2
        assert whats(answer(449_000, battery={"hottest_ddegC": cooler - 2})) == []


def test_a_long_job_warms_the_modules():
    """250 kW of 600 kWh for 30 min at 430 ddegC: up to 300 x (250 / 600)^2 x 0.5 = 26 ddegC."""
    given = {"battery": {"hottest_ddegC": 425, "remaining_Wh": 500_000}}
    assert answer(445_000, 0, SHORT_S, **given)["answer"] == "yes"
    found = answer(445_000, 0, 1800, **given)
    assert whats(found) == ["temperature"] and 440 < found["end_ddegC"] <= 425 + 26


def test_a_limit_below_the_rated_power_may_fall_by_a_twentieth():
    lower = {"discharge_W_max": 200_000, "discharge_reason": 217}
    assert answer(390_000, battery=lower)["margin_W"] == 0
    assert answer(390_001, battery=lower)["missing"][0]["limit"]["label"] == "R217"


def test_a_cabinet_that_gives_nothing_names_the_condition():
    stopped = {"discharge_W_max": 0, "charge_W_max": 0, "discharge_reason": 233}
    assert answer(200_000, battery=stopped)["answer"] == "yes"
    (missing,) = answer(200_001, battery=stopped)["missing"]
    assert (missing["what"], missing["missing_W"]) == ("condition", 1)
    assert missing["limit"]["label"] == "R233" and missing["limit"]["remedy"]


def test_an_unknown_meter_is_never_a_yes_and_an_unknown_battery_only_if_it_is_not_needed():
    found = answer(1, unknown=("the power of the connection",))
    assert (found["answer"], found["unknown"]) == ("not known", ["the power of the connection"])
    unknown = {"unknown_battery": ("the state of charge",), "battery": {"remaining_Wh": -1}}
    assert answer(200_000, **unknown)["answer"] == "yes"
    found = answer(200_001, **unknown)
    assert (found["answer"], found["unknown"]) == ("not known", ["the state of charge"])


def peak(limit_W=350_000, age_s=0, used_Ws=0.0):
    return {"peak": Peak(limit_W, 900, age_s, used_Ws, 0.0), "battery": {"remaining_Wh": 500_000}}


def test_peak_shaving_allows_a_peak_whose_interval_keeps_its_mean():
    """300 kW and a limit of 350 kW leave 45 MWs of 900 s; the battery gives 250 kW meanwhile."""
    assert answer(400_000, 0, 90, **peak())["answer"] == "yes"
    assert answer(400_000, 0, 900, **peak())["missing"] == [
        {"what": "peak_window", "missing_W": 100_000, "from_s": 0, "until_s": 900}
    ]
    unsure = {**peak(), "peak": peak()["peak"]._replace(margin_Ws=9e6)}
    assert answer(400_000, 0, 900, **unsure)["missing"][0]["missing_W"] == 110_000
    late = peak(age_s=600, used_Ws=600 * 350_000.0)
    (missing,) = answer(400_000, 0, 400, **late)["missing"]
    assert (missing["from_s"], missing["until_s"]) == (-600, 300)
    given = situation(**peak())
    second = Forecast(given, Job(400_000, 1000, 1700), Future(given, RENEWED)).intervals
    assert [each[1:] for each in second] == [(900, 1800), (1800, 2700)]
    assert abs(second[1].spare_W + 100_000) < 20_000, "each interval counts anew"


def test_the_last_seconds_of_a_tight_interval_leave_the_battery_discharging():
    """Then no energy of the interval is left for 3 s: the grid falls, and stays below for long."""
    tight = {"connection": {"seen_W": (300_000,)}, **peak(270_000, 781, 214e6)}
    assert answer(1, 120, 60, **tight)["given_Wh"] > 3 * answer(1, 0, 60, **tight)["given_Wh"]


def test_a_slot_of_the_schedule_binds_in_its_time():
    slots = {"slots": ((600, 1500, Slot(320_000, OPEN_W, OPEN_W, 0)),)}
    assert answer(400_000, 0, 600, **slots)["answer"] == "yes"
    found = answer(400_000, 0, 605, **slots)
    assert found["import_reason"]["label"] == "R310" and found["import_W_max"] == 320_000
    assert (whats(found), found["missing"][0]["from_s"]) == (["power"], 600)
    assert answer(400_000, 1500, 600, **slots)["answer"] == "yes"
    kept = {"slots": ((0, 900, Slot(-1, OPEN_W, OPEN_W, 480)),)}
    (missing,) = answer(300_000, 0, 300, **kept)["missing"]
    assert (missing["what"], missing["reserve_permille"]) == ("energy", 480)


@cases("""cap_W  for_s  ramp_W_per_s  verdict
    400_000  570  2000        "yes"
    400_000  575  2000        "no"
    -1       570  2000        "yes"
    -1       575  2000        "no"
    400_000  595  10_000_000  "yes"
    400_000  600  10_000_000  "no"
""")
def test_a_job_must_fit_under_the_cap_that_falls_before_a_lower_slot(
    cap_W, for_s, ramp_W_per_s, verdict
):
    slots = [Slot(each, OPEN_W, OPEN_W, 0) for each in (cap_W, 300_000)]
    spans = (0, 600, slots[0]), (600, 1500, slots[1])
    found = answer(300_000, 0, for_s, slots=spans, ramp_W_per_s=ramp_W_per_s)
    assert found["answer"] == verdict


def test_announced_steps_and_the_share_of_a_cabinet_count():
    assert answer(400_000, 100, steps=(Step(50, 51_000),))["missing"][0]["missing_W"] == 1000
    assert answer(400_000, 0, 30, steps=(Step(50, 51_000),))["answer"] == "yes"
    assert answer(900_000, connection={"share_permille": 500})["margin_W"] == 0


EMPTY = {"remaining_Wh": 0, "soc_permille": 150}
FULL = {"remaining_Wh": 500_000}
ALL_DAY = 0, 86_400


@cases("""changes  enough
    {}  True
    {"battery": {**EMPTY, "charge_W_max": 5_000}}  False
    {"tracking": {"is_requested": True}}  False  # the charge is the sender's
    {"slots": ((*ALL_DAY, Slot(-1, OPEN_W, OPEN_W, 0)),)}  False  # a slot holds the charge
    {"tracking": {"choice_W": (0, 0)}}  False  # a cap on charging
    {"slots": ((0, 300, Slot(299_000, OPEN_W, OPEN_W, 480)),)}  True  # over before the job
""")
def test_an_empty_battery_carries_a_job_in_an_hour_only_if_it_charges(changes, enough):
    found = answer(250_000, 3600, 300, **{"battery": EMPTY, **changes})
    assert whats(found) == ([] if enough else ["energy"])


def test_the_charge_ends_at_the_target():
    """Charging from 15 to 48.3 % of 600 kWh: 200 kWh, and the job takes 250."""
    (missing,) = answer(449_000, 80_000, 3600, battery=EMPTY)["missing"]
    assert missing["what"] == "energy" and 20_000 < missing["missing_Wh"] < 90_000


def test_load_tracking_gives_nothing_at_the_reserve_or_beside_a_band_of_0():
    words = [each - (200_000 << 16) for each in REFERENCE[:4]]  # the grid should draw 100 kW
    low = {"tracking": {"reference": (*words, *REFERENCE[4:]), "is_requested": True}}
    closed = {"slots": ((*ALL_DAY, Slot(-1, OPEN_W, 0, 0)),)}
    assert answer(1, 0, 3600, battery=FULL, **low)["given_Wh"] > 100_000
    assert answer(1, 0, 3600, battery=EMPTY, **low)["given_Wh"] == 0
    assert answer(1, 0, 3600, battery=FULL, **low, **closed)["given_Wh"] == 0


def asks(power_W, is_exact=True):
    return {"base_W": power_W, "is_requested": True, "is_exact": is_exact}


@cases("""changes  given_Wh
    {"slots": ((*ALL_DAY, Slot(-1, 50_000, 50_000, 0)),)}  50_000  # the band asks
    {"tracking": asks(80_000)}  80_000
    {"connection": {"seen_W": (60_000,)}, "tracking": asks(90_000)}  60_000
""")
def test_the_battery_gives_in_an_hour(changes, given_Wh):
    """The lack comes by a band, by an exact request, within an export of 0."""
    found = answer(1, 0, 3600, **{"battery": FULL, **changes})
    assert abs(found["given_Wh"] - given_Wh) < 100


def test_losses_take_energy():
    left_Wh = [
        answer(400_000, 0, 1200, battery={"efficiency_permille": each})["margin_Wh"]
        for each in (1000, 900)
    ]
    taken_Wh = [200_000 - 3_000 - each for each in left_Wh]
    assert abs(taken_Wh[1] / taken_Wh[0] - 1000 / 900) < 0.01


@pytest.mark.parametrize("for_s", [1, 7199, 7201, 86_400])
def test_any_length_is_answered(for_s):
    assert answer(10_000, 0, for_s)["answer"] == "yes"


TOLD = LimitHint("ems", "import_W_max", g.IMPORT, 500_000, 60, None)
LATER, MINUTE = 600, (0, 60)
ASKED = {"base_W": -200_000, "is_requested": True, "base_s": 60, "base_source": "ems"}
OPEN = Slot(-1, OPEN_W, OPEN_W, 0)
CAPPED, ANY = OPEN._replace(grid_cap_W=500_000), OPEN._replace(grid_cap_W=-1)


def told(*slots, heard_s=None, steps=(), tracking=None, **hint):
    changes = {"steps": steps, "tracking": tracking, "slots": slots, "heard_s": heard_s}
    hints = (TOLD._replace(**hint),) if hint else ()
    return changes | {"hints": hints, "schedule_source": "ems" if slots else ""}


@cases("""at_s  changes  import_W_max  course
    0  told(value_W=320_000, fallback_W=260_000)  320_000  "renewed"
    LATER  told(fallback_W=260_000)  260_000  "silent"
    LATER  told(fallback_W=700_000)  500_000  "renewed"
    LATER  told(value_W=320_000, fallback_W=260_000)  260_000  "silent"
    LATER  told(value_W=240_000, fallback_W=260_000)  240_000  "renewed"
    LATER  told(valid_s=0, fallback_W=260_000)  260_000  None
    LATER  told((*ALL_DAY, CAPPED), valid_s=0, fallback_W=260_000)  500_000  None
    LATER  told((*ALL_DAY, ANY), valid_s=0, fallback_W=260_000)  260_000  None
    LATER  told((0, 600, CAPPED), valid_s=0, fallback_W=260_000)  260_000  None  # the table is over
    LATER  told((*ALL_DAY, CAPPED), heard_s=60, valid_s=0, fallback_W=260_000)  260_000  "silent"
    LATER  told((*ALL_DAY, CAPPED._replace(grid_cap_W=240_000)), heard_s=60)  240_000  "renewed"
""")
def test_a_limit_counts_while_it_is_valid_and_then_its_fallback(
    at_s, changes, import_W_max, course
):
    """A yes must hold whether a source renews what it sent or falls silent."""
    found = answer(300_000, at_s, 30, **changes)
    assert (found["import_W_max"], found["course"]) == (import_W_max, course)
    deciding = [each for each in found["rests_on"] if each["decides"]]
    expected = {"import_W_max", "schedule"} if import_W_max < 500_000 else {"connection"}
    assert {each["what"] for each in deciding} <= expected and len(deciding) == 1


@cases("""changes  enough
    told()  True
    told(tracking={**ASKED, "base_s": None})  True  # an operator's has no end
    told(tracking=ASKED)  True
    told(tracking={**ASKED, "base_W": 0, "base_s": 7200})  False  # held for two hours
    told(group=g.CHARGE, quantity="charge_W_max", valid_s=7200, value_W=0)  False
    told(group=g.CHARGE, quantity="charge_W_max", fallback_W=0, value_W=900_000)  False
    told(group=g.NARROW_IMPORT, fallback_W=300_000)  False
    told(group=g.NARROW_IMPORT, fallback_W=500_000)  True
    told(steps=(Step(30, -200_000, 7200),), group=g.CHARGE, valid_s=7200, value_W=0)  True
    told(steps=(Step(30, -200_000, 90),), group=g.CHARGE, valid_s=7200, value_W=0)  False
""")
def test_what_a_silent_source_leaves_decides_the_charge_before_a_job(changes, enough):
    found = answer(250_000, 3600, 300, battery=EMPTY, **changes)
    assert whats(found) == ([] if enough else ["energy"])


NO_CHARGE = LimitHint("site", "charge_W_max", g.CHARGE, 0, 60, None)
CONNECTION = TOLD._replace(fallback_W=400_000)


@cases("""hints  verdict
    (NO_CHARGE, CONNECTION)  "no"
    (NO_CHARGE._replace(source="ems"), CONNECTION)  "no"  # one source that falls silent later
    (NO_CHARGE._replace(group=g.NARROW_IMPORT), CONNECTION)  "no"
    (NO_CHARGE._replace(value_W=900_000), CONNECTION)  "yes"
    (NO_CHARGE, CONNECTION._replace(fallback_W=500_000))  "yes"
    (NO_CHARGE._replace(group=g.DISCHARGE, quantity="discharge_W_max"), CONNECTION)  "yes"
    (NO_CHARGE,)  "yes"  # the connection carries the job alone
    (CONNECTION,)  "yes"  # load tracking charges before
""")
def test_a_yes_holds_if_one_source_goes_on_and_another_falls_silent(hints, verdict):
    """The job needs a charge that one hint forbids, under the fallback of the other one."""
    found = answer(200_000, 3600, 300, battery=EMPTY, hints=hints)
    assert found["answer"] == verdict
    assert (found["course"] == "mixed") == (verdict == "no")
