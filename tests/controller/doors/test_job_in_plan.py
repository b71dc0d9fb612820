"""`ask` from plan.json: the earliest start of a job under the plan's cap, and what it costs."""

import json
import random
from datetime import datetime, timedelta

import pytest
from ask_bench import situation
from plan_cases import AT, NOW_S, SLOT, plan

from controller.console.pages import ask as page
from controller.doors import job_in_plan
from controller.state import ask, plan_file
from controller.state.forecast import Job
from tests.tables import cases

BEGIN = datetime.fromisoformat("2026-11-26T13:00:00+01:00")
QUARTER = timedelta(minutes=15)
TIGHT, SPENT = {"grid_W": 400e3, "battery_W": 250e3}, {"stored_Wh": 193.5e3}


def planned(slots):
    """plan.json with such slots from 13:00 on, each as SLOT but for these keys."""
    rows = [
        {"at": (BEGIN + at * QUARTER).isoformat(), **SLOT, **each} for at, each in enumerate(slots)
    ]
    return plan(slots=rows)


def answer(found, job, given=None):
    given = given or situation()
    return job_in_plan.joined(ask.answer(given, job), found, given, job, NOW_S - 2)


# The slots have room for 40 kW under the cap, and 129 kWh above the reserve; a quarter of an hour.
@cases("""power_W  slots  asked  earliest
    40e3   [{}] * 4                              (0, 0, 0.9)       (0, 0.9)
    # 60 kW from the battery, 15 kWh: it takes 10 kWh back in a slot, with 40 kW
    100e3  [{}] * 4                              (0, 0, 2.25)      (0, 2.25)
    # the battery charges with 50 kW: it can give 300 kW more
    400e3  [{}] * 9                              (60000, 0, 9.0)  None
    # it discharges already: 10 kW are left of 250
    100e3  [{"battery_W": 240e3}, {}, {}, {}]    (50000, 0, 2.25)  (900, 2.25)
    # all of the plan's energy is kept for later
    100e3  [SPENT, {}, {}, {}]  (0, 15000, 2.25)  (900, 2.25)
    # 15 kWh are missing at 13:30, less the 10 kWh taken back until then
    100e3  [{}, SPENT, {}, {}]  (0, 5000, 2.25)   (1800, 2.25)
    # the import is at its cap at first, then dear
    40e3   [TIGHT, {"price_per_kWh": 0.3}]  (40000, 0, 0.9)  (900, 3)
    # 15 kWh of the battery are bought where they are cheapest, with room for 10 kWh a slot
    100e3  [{}, {"price_per_kWh": 0.3}, {"price_per_kWh": 0.2}, {}]  (0, 0, 2.8)  (0, 2.8)
    40e3   [{"price_per_kWh": None}, {}]         (0, 0, None)      (0, None)
    # a reserve that is not told is that of the slot before; an unknown number is never room
    100e3  [{}, {"reserve_permille": None}, {}]  (0, 0, 2.25)      (0, 2.25)
    40e3   [{"cap_W": None}, {}]                 (None, None, None)  (900, 0.9)
    100e3  [{}, {"stored_Wh": None}, {}]         (None, None, None)  (1800, 2.25)
    40e3   [{"reserve_permille": None}] * 3      (None, None, None)  None
""")
def test_a_job_fits_where_cap_battery_and_reserve_leave_room(power_W, slots, asked, earliest):
    found = answer(planned(slots), Job(int(power_W), 0, 900))["plan"]
    told = found["asked"]
    assert (told["missing_W"], told["missing_Wh"]) == asked[:2]
    assert told["cost"] == (asked[2] if asked[2] is None else pytest.approx(asked[2]))
    first = found["earliest"]
    assert (first and first["at_s"]) == (earliest and earliest[0])
    if first:
        cost = earliest[1] if earliest[1] is None else pytest.approx(earliest[1])
        assert first["cost"] == cost
        assert first["at"] == (BEGIN + timedelta(seconds=earliest[0])).isoformat()


@cases("""power_W  for_s  following  missing_W
    330_000  798  {"cap_W": 300e3}  0
    # 50 s before the slot the cap is 348 kW, and the battery gives the plan 12 kW
    330_000  850  {"cap_W": 300e3}  42_000
    330_000  900  {"cap_W": 300e3}  90_000
    330_000  900  {"cap_W": 500e3}  0
    40_000   780  {"cap_W": None}   0
    40_000   781  {"cap_W": None}   None
""")
def test_before_a_slot_with_a_lower_cap_a_job_has_the_cap_that_falls(
    power_W, for_s, following, missing_W
):
    given = situation(ramp_W_per_s=1000)
    found = answer(planned([{}, following]), Job(power_W, 0, for_s), given)["plan"]
    assert found["asked"]["missing_W"] == missing_W


def test_a_job_begins_within_a_slot_and_ends_within_the_plan():
    slots = [TIGHT, {}, {}, {}]
    job = Job(40_000, 300, 1200)
    found = answer(planned(slots), job)["plan"]
    assert found["asked"]["at"] == "2026-11-26T13:05:00+01:00"
    assert found["earliest"]["at_s"] == 900 and found["until"] == "2026-11-26T14:00:00+01:00"
    assert found["earliest"]["cost"] == pytest.approx(40 / 3 * 0.09)
    found = answer(planned(slots), job._replace(for_s=3000))["plan"]
    assert found["earliest"] is None and found["asked"]["missing_W"] == 40_000
    found = answer(planned(slots), job._replace(at_s=3000))["plan"]
    assert found["earliest"] is found["asked"]["missing_W"] is None, "the plan ends before"


@pytest.mark.whole
def test_no_larger_job_no_lower_cap_and_no_emptier_battery_fits_earlier():
    draw = random.Random(1)
    fitting = 0
    for _ in range(20):
        keys = ("grid_W", 300e3, 420e3), ("battery_W", -250e3, 250e3), ("cap_W", 350e3, 450e3)
        drawn = [
            {name: draw.uniform(low, high) for name, low, high in keys}
            | {"stored_Wh": draw.uniform(150e3, 600e3)}
            for _ in range(16)
        ]
        job = Job(draw.randrange(10_000, 400_000), 0, draw.randrange(300, 9000))

        def earliest_s(slots, job):
            first = answer(planned(slots), job)["plan"]["earliest"]
            return first["at_s"] if first else float("inf")

        found = earliest_s(drawn, job)
        fitting += found < float("inf")
        assert earliest_s(drawn, job._replace(power_W=job.power_W + 20_000)) >= found
        for name, step in (("cap_W", -10e3), ("stored_Wh", -20e3)):
            worse = [each | {name: each[name] + step} for each in drawn]
            assert earliest_s(worse, job) >= found
    assert 2 < fitting < 18


def test_without_a_plan_of_these_two_hours_the_answer_is_as_before(tmp_path):
    job, given = Job(40_000, 0, 900), situation()
    plain = ask.answer(given, job)
    (tmp_path / "planner").mkdir()
    path = tmp_path / "planner" / plan_file.FILE
    assert plan_file.beside(str(tmp_path)) == str(path)
    assert plan_file.beside("/run/firebreak") == "/run/firebreak-planner/plan.json"
    assert job_in_plan.read(str(tmp_path)) is None
    path.write_text("{}")
    assert job_in_plan.read(str(tmp_path)) is None
    path.write_text(json.dumps(plan()))
    found = job_in_plan.read(str(tmp_path))
    joined = job_in_plan.joined
    assert joined(plain, found, given, job, NOW_S)["plan"]["made_at"] == AT
    assert joined(plain, found, given, job, NOW_S + 7201) == plain
    assert joined(plain, {**found, "slots": []}, given, job, NOW_S) == plain
    unknown = given._replace(unknown=("the load",))
    plain = ask.answer(unknown, job)
    assert joined(plain, found, unknown, job, NOW_S) == plain


@cases("""power_W  slots  words
    40e3   [{}]           "fits under the plan's cap as asked; it costs 0.90 EUR as asked."
    40e3   [TIGHT, {}]    "from 2026-11-26 13:15 on (in 15 min), for 0.90 EUR; it costs 0.90 EUR"
    40e3   [TIGHT, {}]    "as asked, 40.0 kW above the cap."
    100e3  [SPENT, {}, {}]   "as asked, 15.0 kWh below the reserve of the plan."
    40e3   [{"cap_W": None}, {}]  "costs - EUR as asked, the plan does not know that time."
    900e3  [{}]  "fits nowhere under the plan's cap until 2026-11-26 13:15; it costs 20.25 EUR"
""")
def test_the_text_names_time_cost_and_lack(power_W, slots, words):
    lines = page.lines(answer(planned(slots), Job(int(power_W), 0, 900)))
    text = " ".join(" ".join(lines).split())
    assert words in text and " plan it fits " in text, text
    assert max(map(len, lines)) <= 79
