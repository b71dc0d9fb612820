"""`firebreak fleet ask` without a broker: which job the cabinets of one connection can carry.

Eight cabinets on 5 MW, each with 500 kW of load, a fallback of 200 kW and a battery that holds 240
kW. So each keeps 260 kW with its battery, all together 2080 kW, and 2920 kW are left.
"""

import json
import random

import pytest
from fleet_messages import FIRE, NAMES, NOW_US, heard, state

from controller.dispatch import site_ask, site_facts
from controller.dispatch.ledger import Ledger, lasts_us
from controller.dispatch.site_ask import Job
from controller.dispatch.targets import Planner, View
from tests.tables import cases

LEFT_W, GIVEN_W = 2_920_000, 8 * 240_000
SHORT = Job(800_000, 600, 900)
IDLE = {"grid_W": 0, "battery_W": 0}


def facts(reports=None, shared=None, has_dispatcher=True, shared_W=None, **of_fleet):
    of_fleet = {"connection_W": 5_000_000, **of_fleet}
    shared = {**(shared or state()), "connection_W": shared_W or of_fleet["connection_W"]}
    shared = shared if has_dispatcher else None
    return site_facts.of(heard(reports, shared, **of_fleet), NOW_US)


def answer(job=SHORT, *given, name="", **rest):
    found = site_ask.answer(facts(*given, **rest), job, name)
    json.dumps(found)
    return found


def asked(power_W, *given, name="", **rest):
    """(answer, margin, cabinet)."""
    found = answer(SHORT._replace(power_W=power_W), *given, name=name, **rest)
    return found["answer"], found["margin_W"], found["cabinet"]


@cases("""power_W  words  margin_W
    800_000  "yes"  LEFT_W - 800_000
    LEFT_W  "yes"  0
    LEFT_W + 1  "no"  -1
""")
def test_the_margin_is_what_the_others_leave(power_W, words, margin_W):
    assert asked(power_W) == (words, margin_W, "hall1")
    found = answer(SHORT._replace(power_W=power_W))
    assert (found["reserved_W"], found["given_W"]) == (2_080_000 + power_W, GIVEN_W)
    assert found["margin_without_largest_W"] == margin_W - 240_000


def test_an_unused_fallback_stays_with_its_cabinet():
    """Seven idle cabinets keep 1400 kW. hall1 may have 3600 kW, as the ledger says, and needs 260
    kW without the job.
    """
    reports = {name: IDLE for name in NAMES[1:]}
    assert Ledger(5_000_000, [200_000] * 8, 1, 0, False).most_W(0) == 3_600_000
    assert asked(3_340_000, reports, name="hall1") == ("yes", 0, "hall1")
    assert asked(3_340_001, reports, name="hall1") == ("no", -1, "hall1")


def test_the_cabinet_where_most_is_left_is_named():
    """A job in an unused fallback costs the others nothing: 200 + 240 kW at an idle cabinet."""
    assert asked(440_000, {"hall5": IDLE}) == ("yes", 2_980_000, "hall5")
    assert asked(440_001, {"hall5": IDLE}) == ("yes", 2_979_999, "hall5")
    assert asked(440_000, {"hall5": IDLE}, name="hall2") == ("yes", 2_540_000, "hall2")


def test_of_equal_cabinets_the_least_dangerous_is_named():
    alarms = {name: {"alarm": FIRE, "alarms": 1} for name in ("hall1", "hall2")}
    assert asked(800_000, alarms)[2] == "hall3"


@pytest.mark.parametrize("seed", range(60))
def test_the_dispatcher_can_lend_what_a_yes_needs(seed):
    """The largest job that gets a yes: the targets carry it, and fit the connection."""
    draw = random.Random(seed)
    names = NAMES[: draw.randint(2, 5)]
    reports = {
        name: {
            "grid_W": draw.randrange(900_000),
            "battery_W": 0,
            "held_15min_high_W": draw.randrange(400_000),
            "discharge_W_max": 400_000,
        }
        for name in names
    }
    given = {"shared": state(names), "names": names, "connection_W": 700_000 * len(names)}
    _, margin_W, where = asked(1, reports, **given)
    power_W = max(1, 1 + margin_W)
    found, _, where = asked(power_W, reports, name=where, **given)
    assert found == ("yes" if margin_W >= 0 else "no")
    views = [
        View(
            each["grid_W"] + power_W * (name == where), each["held_15min_high_W"], 200_000, True, 1
        )
        for name, each in reports.items()
    ]
    targets = Planner(len(names), 0.0, 500).step(views, given["connection_W"])
    assert sum(targets.values_W) <= given["connection_W"] or found == "no"
    carried = [
        value_W >= view.load_W - view.discharge_W for value_W, view in zip(targets.values_W, views)
    ]
    assert all(carried) or found == "no"


def test_without_a_dispatcher_a_job_must_fit_one_fallback():
    """hall3 has 100 kW of load: 200 + 240 - 100 = 340 kW. hall1 lacks 60 kW without any job."""
    reports, away = {"hall3": {"grid_W": 50_000}}, {"has_dispatcher": False}
    assert asked(340_000, reports, **away) == ("yes", 0, "hall3")
    assert asked(340_001, reports, **away) == ("no", -1, "hall3")
    assert asked(1000, reports, **away, name="hall1") == ("no", -61_000, "hall1")
    assert any("only its fallback" in each for each in answer(SHORT, **away)["leaves_out"])


def test_a_dispatcher_lends_nothing_in_its_first_minute():
    ledger = Ledger(1000, [200], 1, 0, False)
    assert ledger.lends_in_s(0) == 64 and ledger.lends_in_s(lasts_us() - 1) == 1
    assert ledger.lends_in_s(lasts_us()) == 0
    for lends_in_s, words in ((600, "yes"), (601, "no"), (None, "no")):
        assert answer(SHORT, shared=state(lends_in_s=lends_in_s))["answer"] == words


def test_the_dispatcher_may_share_less_than_the_file_says():
    assert asked(LEFT_W - 400_000, shared_W=4_600_000)[:2] == ("yes", 0)
    assert asked(LEFT_W, shared_W=5_400_000)[:2] == ("yes", 0)


def test_a_battery_that_gives_now_gives_it_only_once():
    reports = {name: {"grid_W": 300_000, "battery_W": 200_000} for name in NAMES}
    assert answer(reports=reports)["margin_W"] == answer()["margin_W"]


def test_a_battery_gives_no_more_than_its_load_above_its_fallback():
    found = answer(SHORT, {"hall1": {"grid_W": 160_000}}, name="hall2")["cabinets"]["hall1"]
    words = "its load above its fallback"
    assert found == {"gives_W": 10_000, "limit": words, "reserved_W": 200_000}
    found = answer(SHORT, {"hall1": {"grid_W": 100_000}}, name="hall2")
    assert found["cabinets"]["hall1"]["gives_W"] == 0


@cases("""remaining_Wh  at_s  for_s  gives_W
    300_000  0  900  240_000
    300_000  0  7200  150_000
    300_000  3600  7200  125_000
    40_000  3600  7200  0
    None  0  7200  0
""")
def test_a_long_job_gets_the_energy_above_the_reserve(remaining_Wh, at_s, for_s, gives_W):
    found = answer(Job(1, at_s, for_s), {"hall1": {"remaining_Wh": remaining_Wh}})
    assert found["cabinets"]["hall1"]["gives_W"] == gives_W


@cases("""change  gives_W
    {"held_15min_high_W": None}  0
    {"held_15min_high_W": -5}  0
    {"discharge_W_max": None}  0
    {"discharge_W_max": 100_000}  100_000
""")
def test_an_unknown_power_gives_nothing_and_limits_count(change, gives_W):
    assert answer(SHORT, {"hall1": change})["cabinets"]["hall1"]["gives_W"] == gives_W


@cases("""load_W  reserved_W
    500_000  520_000
    600_000  600_000
""")
def test_a_silent_cabinet_keeps_what_it_may_import_or_has_needed(load_W, reserved_W):
    """The dispatcher says that it may hold 520 kW."""
    shared = state(changes={"hall1": {"load_W": load_W}})
    for reports, words in (
        ({"hall1": None}, "it is not heard"),
        ({"hall1": {"state": None}}, "it has no live controller"),
    ):
        found = answer(SHORT, reports, shared)
        shown = {"gives_W": 0, "limit": words, "reserved_W": reserved_W}
        assert found["cabinets"]["hall1"] == shown
        assert found["margin_W"] == LEFT_W - 800_000 - (reserved_W - 260_000)
    assert any("Silent cabinets give nothing" in each for each in found["leaves_out"])


def test_of_a_silent_cabinet_whose_load_the_dispatcher_does_not_say_nothing_is_known():
    """Its own last report is older than what the dispatcher has heard."""
    shared = state(changes={"hall1": {"load_W": None}})
    found = answer(SHORT, {"hall1": {"state": None}}, shared)
    assert (found["answer"], found["unknown"]) == ("not known", ["the import of hall1"])


def test_a_job_at_a_cabinet_that_gets_no_share_must_fit_its_fallback():
    shared = state(changes={"hall1": {"problem": "no role", "hold_W": 200_000}})
    reports = {"hall1": {"grid_W": 50_000}}  # a load of 100 kW
    assert asked(100_000, reports, shared, name="hall1") == ("yes", 0, "hall1")
    assert asked(100_001, reports, shared, name="hall1") == ("no", -1, "hall1")
    assert answer(SHORT, reports, shared)["cabinets"]["hall1"]["limit"] == "it gets no share"
    assert asked(800_000, reports, shared)[2] == "hall2"


def test_a_cabinet_without_a_bound_leaves_nothing_to_lend():
    shared = state(changes={"hall1": {"problem": "no role", "hold_W": 3_600_000}})
    left_W = 5_000_000 - 3_600_000 - 7 * 260_000
    assert asked(1, shared=shared, name="hall2") == ("no", left_W - 1, "hall2")


def test_a_cabinet_that_the_dispatcher_does_not_hear_gets_no_share():
    for shared in (state(changes={"hall1": {"is_live": False}}), state(NAMES[1:])):
        found = facts(shared=shared)
        assert found["cabinets"]["hall1"]["problem"].startswith("the dispatcher does not hear it")
        assert site_ask.answer(found, SHORT, "hall1")["answer"] == "no"


def test_without_the_load_of_a_cabinet_there_is_no_answer():
    found = answer(SHORT, {"hall1": {"grid_W": None}, "hall2": None}, state(["hall1"]))
    assert (found["answer"], found["unknown"]) == (
        "not known",
        ["the import of hall2", "the import of hall1"],
    )
    assert "margin_W" not in found


def common(load_W=2_400_000, grid_W=None):
    return {name: {"load_W": load_W, "grid_W": grid_W} for name in NAMES}


@cases("""power_W  has_dispatcher  words  margin_W
    1_120_000  False  "yes"  0
    1_120_001  False  "no"  -1
    4_520_000  True  "yes"  0
    4_520_008  True  "no"  -8
    800  True  "yes"  3_400_000
""")
def test_a_common_job_is_met_by_each_part(power_W, has_dispatcher, words, margin_W):
    """2400 kW of load: without a dispatcher each part is at most 200 + 240 kW, so 3520 kW together.
    With one 5000 + 1920 kW together, and each keeps its fallback in any case.
    """
    given = {"has_dispatcher": has_dispatcher, "is_common": True}
    assert asked(power_W, common(), **given) == (words, margin_W, "")


def test_a_silent_part_of_a_common_load_is_on_the_grid():
    """3520 kW with the job: 440 kW of it at hall1, 240 kW more than with its battery."""
    shared = state(changes={"hall1": {"hold_W": 200_000}})
    reports = {**common(), "hall1": None}
    found = answer(SHORT._replace(power_W=1_120_000), reports, shared, is_common=True)
    assert found["margin_W"] == 5_000_000 - 440_000 - 7 * 200_000
    found = asked(1_120_000, reports, has_dispatcher=False, is_common=True)
    assert found == ("no", -240_000, "")


def test_import_that_no_load_meter_sees_is_beside_the_cabinets():
    """Grid 3000 kW and batteries 8 x 50 kW are 1000 kW above the load meters."""
    found = answer(SHORT, common(grid_W=3_000_000), is_common=True)
    assert found["import_W_max"] == 5_000_000 - 1_000_000
    reports = {name: {"load_W": None} for name in NAMES}
    assert answer(SHORT, reports, is_common=True)["unknown"] == ["the common load"]
