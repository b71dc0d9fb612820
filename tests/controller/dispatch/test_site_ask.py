"""`firebreak fleet ask` without a broker: which job the cabinets of one connection can carry."""

from fleet_messages import NAMES, NOW_MS, heard, state

from controller.dispatch import site_ask, site_facts
from controller.dispatch.site_ask import Job
from tests.tables import cases

# Eight cabinets with 500 kW of load each on 5 MW: 1 MW is free. Each battery holds 240 kW.
FREE_W, GIVEN_W = 1_000_000, 8 * 240_000
SHORT = Job(800_000, 600, 900)


def answer(job=SHORT, reports=None, shared=None, **of_fleet):
    overview = heard(reports, shared or state(), connection_W=5_000_000, **of_fleet)
    return site_ask.answer(site_facts.of(overview, NOW_MS), job)


@cases("""power_W  words  margin_W
    800_000  "yes"  FREE_W + GIVEN_W - 800_000
    FREE_W + GIVEN_W  "yes"  0
    FREE_W + GIVEN_W + 1  "no"  -1
""")
def test_the_margin_is_what_is_free_and_what_the_batteries_give(power_W, words, margin_W):
    found = answer(SHORT._replace(power_W=power_W))
    assert (found["answer"], found["margin_W"]) == (words, margin_W)
    assert (found["load_W"], found["free_W"], found["given_W"]) == (4_000_000, FREE_W, GIVEN_W)
    assert found["margin_without_largest_W"] == margin_W - 240_000


def test_a_battery_that_gives_now_gives_it_only_once():
    reports = {name: {"grid_W": 300_000, "battery_W": 200_000} for name in NAMES}
    assert answer(reports=reports)["margin_W"] == answer()["margin_W"]


def test_a_battery_gives_no_more_than_its_load_above_its_fallback():
    found = answer(reports={"hall1": {"grid_W": 160_000}})
    assert found["cabinets"]["hall1"] == {"gives_W": 10_000, "limit": "its load above its fallback"}
    found = answer(reports={"hall1": {"grid_W": 100_000}})
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


def test_an_unknown_power_gives_nothing():
    found = answer(reports={"hall1": {"held_15min_high_W": None}})
    assert found["cabinets"]["hall1"]["gives_W"] == 0
    found = answer(Job(1, 3600, 7200), {"hall1": {"remaining_Wh": 0}})
    assert found["cabinets"]["hall1"]["gives_W"] == 0


def test_a_silent_cabinet_gives_nothing_and_counts_with_the_most_it_may_import():
    found = answer(reports={"hall1": None})
    assert found["cabinets"]["hall1"] == {"gives_W": 0, "limit": "it is not heard"}
    assert found["load_W"] == 4_000_000 + 20_000
    assert any("Silent cabinets give nothing" in each for each in found["leaves_out"])


def test_a_cabinet_that_gets_no_share_gives_nothing():
    found = answer(shared=state(changes={"hall1": {"problem": "no role"}}))
    assert found["cabinets"]["hall1"] == {"gives_W": 0, "limit": "it gets no share"}


def test_without_the_import_of_a_cabinet_there_is_no_answer():
    found = answer(reports={"hall1": {"grid_W": None}, "hall2": None}, shared=state(["hall1"]))
    assert (found["answer"], found["unknown"]) == (
        "not known",
        ["the import of hall2", "the import of hall1"],
    )
    assert "margin_W" not in found


def test_a_common_load_counts_by_the_higher_meter():
    reports = {name: {"load_W": 4_000_000, "grid_W": 3_700_000} for name in NAMES}
    found = answer(reports=reports, is_common=True)
    assert found["load_W"] == 3_700_000 + 8 * 50_000
    reports = {**reports, "hall1": None}
    assert answer(reports=reports, is_common=True)["load_W"] == 3_700_000 + 7 * 50_000
    reports = {name: {"load_W": 4_000_000, "grid_W": None} for name in NAMES}
    assert answer(reports=reports, is_common=True)["load_W"] == 4_000_000
    reports = {name: {"load_W": None} for name in NAMES}
    assert answer(reports=reports, is_common=True)["unknown"] == ["the common load"]


def test_a_common_job_is_met_by_each_part():
    reports = {name: {"load_W": 2_400_000, "grid_W": None} for name in NAMES}
    found = answer(SHORT, reports, is_common=True)
    assert found["cabinets"]["hall1"]["gives_W"] == 3_200_000 // 8 - 200_000


def test_without_a_dispatcher_only_the_fallbacks_are_free():
    overview = heard(connection_W=5_000_000)
    found = site_ask.answer(site_facts.of(overview, NOW_MS), SHORT)
    assert (found["import_W_max"], found["free_W"]) == (1_600_000, 1_600_000 - 4_000_000)
    assert found["answer"] == "no"
