"""Minutes of a system with its kernel: what an outage does, what a fault of a system does to it."""

from unittest import mock

import pytest

from controller.core.policies.meter_statistics import TURN_S
from controller.core.site_devices import bridging
from hil.site.branches import LoadCap, LoadShed
from hil.site.site import Site
from hil.systems import minutes, minutes_table, self_check, spec, year
from hil.systems.minutes import Minutes
from tests.slow import whole
from tests.tables import cases, table

NOON_S = 40_000


def found(name, variant="", for_s=40, soc=0.6, fault="", is_outage=True, degC=None, at_s=NOON_S):
    chosen, inputs = spec.load(name, variant), {}
    if fault:
        chosen, inputs = self_check.broken(chosen, inputs, fault)
    return minutes.played(chosen, inputs, Minutes(at_s, for_s, soc, is_outage, degC))


@pytest.mark.parametrize("name", whole("berlin", "norway"))
def test_three_units_carry_the_load_alone(name):
    outage = found(name)
    assert outage["faults"] == [] and outage["critical_kWh"] == 0
    assert outage["carried_s"] == 40 and 65 < outage["island_s"] < 75


@pytest.mark.whole
@pytest.mark.parametrize("after_s", [30, 120])
def test_the_pods_carry_what_is_critical_and_shed_the_rest(after_s, monkeypatch):
    """8 MW of load on 4 MW of pods: dark until the contacts have shed it, 3 MW on the UPS."""
    monkeypatch.setattr(minutes, "AFTER_S", after_s)
    outage = found("shanghai", "outage")
    assert outage["faults"] == [] and outage["carried_s"] == 40
    assert 2 < outage["dark_s"] < 4 and outage["stages"][0][1] == 8
    assert outage["lost_kWh"] > 40 and outage["critical_kWh"] == 0


@pytest.mark.parametrize("degC, is_carried", whole((-25.0, False), (4.0, True)))
def test_cells_carry_an_outage_in_the_frost_if_they_are_warm(degC, is_carried):
    outage = found("norway", "cold_storm", degC=degC)
    assert (outage["critical_kWh"] == 0 and outage["faults"] == []) is is_carried
    assert (outage["carried_s"] == 40) is is_carried


def test_the_hours_by_charge_end_at_three_percent():
    charge = minutes.Watch(mock.Mock(), spec.load("berlin")).charge
    assert charge.hours() is None
    charge.see(10.0, 0.53)
    assert charge.hours() is None
    charge.see(370.0, 0.52)
    assert charge.hours() == 5.0


@pytest.mark.whole
def test_the_sun_of_an_island_does_not_overcharge_the_fullest_unit():
    """Row 41d once stopped unit 1 after 116 s of an outage at noon, and all was dark."""
    sunny = Minutes(220_604, 150, 0.97, True, 25.85)
    outage = minutes.played(spec.load("berlin"), {}, sunny)
    assert outage["faults"] == [] and outage["carried_s"] == 150
    assert outage["soc_end"] > 0.975  # it was charged, below the export that Germany permits
    assert ("57a", "cabinet") in [trip[:2] for trip in outage["trips"]]


@pytest.mark.whole
def test_a_hundredth_of_the_battery_carries_nothing():
    outage = found("berlin", fault="battery")
    assert outage["critical_kWh"] > 1 and outage["carried_s"] < 5
    assert any("critical load without" in fault for fault in outage["faults"])


@pytest.mark.whole
def test_the_critical_load_waits_on_its_ups_until_the_set_carries_all():
    outage = found("north_america", for_s=280)
    assert outage["faults"] == [] and outage["critical_kWh"] == 0
    assert 2 < outage["dark_s"] < 4 and outage["engine_s"] < 20
    opened = [stages for _, stages in outage["stages"]]
    assert opened == [8, 7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.whole
def test_the_controller_reads_the_ups_of_the_load_and_keeps_less_for_an_island(monkeypatch):
    """The UPS is on battery while the site is dark, and the island feeds it then. The 394 of
    400 kWh at its output are 9 of 1000 parts of the battery. The wire is read each second.
    """
    seen, plain = [], minutes.Watch.see

    def see(watch, is_event):
        plain(watch, is_event)
        core = watch.pod.members[0].controller.cabinet.core
        (ups,), part = core.site.of_role("load_ups"), watch.pod.site.load_ups
        values = [ups.value(name) for name in bridging.SIGNALS]
        kept = core.decision.control.functions["reserve"].state.backup_permille
        seen.append((is_event, watch.pod.site.is_live, values, kept, part.left_Wh))

    monkeypatch.setattr(minutes.Watch, "see", see)
    assert found("north_america", "outage", for_s=40)["faults"] == []
    before = [(values, kept) for is_event, _, values, kept, _ in seen if not is_event][500:600]
    assert len(before) == 100
    for (state, charge_permille, bridging_s, load_W), kept in before:
        assert (state, charge_permille, kept) == (0, 1000, 91)
        assert 7e6 < load_W <= 8e6 and abs(bridging_s * load_W / 3600 - 394_000) < 3000
    states = [values[0] for is_event, _, values, _, _ in seen if is_event]
    assert states.count(1) > 15 and states[-1] == 0, "it was on battery for 2.7 s"
    least = min([values[1] for is_event, _, values, _, _ in seen if is_event])
    least_Wh = min([left_Wh for *_, left_Wh in seen])
    assert least < 990 and least == pytest.approx(least_Wh / 400, abs=2)


@pytest.mark.whole
def test_beside_a_set_the_load_is_shed_before_the_battery_is_empty():
    """The set gives its base of 8.4 MW, and all contacts were closed until 41d stopped a unit."""
    outage = found("north_america", "heat_wave", for_s=2500, soc=0.1, at_s=146_400)
    assert outage["faults"] == [] and outage["dark_s"] < 4 and outage["soc_end"] > 0.07
    assert outage["stages"][-2][1] == 4, "in the island, the one after it with the grid"


@pytest.mark.whole
@pytest.mark.parametrize("name", ["munich", "nordic", "north_america", "shanghai"])
def test_no_row_trips_on_a_plain_day(name):
    assert found(name, for_s=60, is_outage=False)["faults"] == []


@pytest.mark.whole
@pytest.mark.parametrize("fault", ["", "battery"])
def test_the_grid_of_a_cluster_ramps_as_asked_only_with_its_battery(fault):
    """The load moves by 341 kW within a second four times in these minutes."""
    faults = found("munich", for_s=120, fault=fault, is_outage=False, at_s=40_340)["faults"]
    assert [each[:45] for each in faults] == [
        "import moved by more than 104 kW within 1 s 2"
    ] * bool(fault)


def test_a_row_that_trips_is_a_fault_but_for_the_silence_of_a_dark_site():
    known = {"critical_kWh": 0, "violations": [], "is_running": True, "soc_end": 0.5}
    trips = [("50a", "cabinet", 0.5), ("56a", "unit 2", 1.7)]
    dark = minutes._faults({**known, "trips": trips, "dark_s": 2.7})
    assert dark == ["row 56a tripped, unit 2, at 1.7 s"]
    assert len(minutes._faults({**known, "trips": trips, "dark_s": 0})) == 2
    start = {**known, "trips": [("50c", "cabinet", -46.1)], "dark_s": 0}
    assert minutes._faults(start) == []
    for over_W, faults in ((-1.0, 0), (0.0, 0), (1.0, 1)):
        edge = {**known, "trips": [("57a", "cabinet", 9.0)], "dark_s": 0, "over_W": over_W}
        assert len(minutes._faults(edge)) == faults


def test_the_end_of_the_charge_is_one_fault_and_a_trip_with_charge_is_one_each():
    trips = table("""
    34a | rack 3 | 8579.3 ; 34a | rack 9 | 8772.9 ; 41d | unit 1 | 8863.5
    17a | cabinet | 8923.7 ; 21b | rack 1 | 9000.0
""")
    known = {"critical_kWh": 0, "violations": [], "is_running": False, "dark_s": 5566.2}
    assert minutes._faults({**known, "trips": trips, "soc_end": 0.046}) == [
        "row 21b tripped, rack 1, at 9000.0 s",
        "the charge ended: row 34a tripped, rack 3, at 8579.3 s, 3 such trips; "
        "a unit does not run at the end",
    ]
    assert len(minutes._faults({**known, "trips": trips, "soc_end": 0.08})) == 5


@pytest.mark.parametrize("part, role, lost_W", [
    (LoadShed({"stage_W": 1000}), "stages", 2000.0),
    (LoadCap({"lower_W_max": 5000, "follows_s": 0.01}), "lower_W", 0.0),
])  # fmt: skip
def test_load_that_contacts_shed_is_lost_and_load_that_yields_is_not(part, role, lost_W):
    site = Site(lambda t_s: 10_000.0, parts=[part])
    part.ask(role, 2)
    site.step(0.1)
    assert part.sheds_W == pytest.approx(2000.0 if lost_W else 2.0, rel=0.01)
    assert minutes._missing_W(site) == lost_W
    assert site.account.energy_J["shed"] == lost_W * 0.1


def test_the_contacts_are_listed_with_their_moments():
    stages = [(2.7 + 30 * at, open_) for at, open_ in enumerate(range(8, -1, -1))]
    (line,) = minutes_table._shed_lines({"stages": stages[:2]})
    assert line == "    contacts open: 8 after 3 s, 7 after 33 s"
    (line,) = minutes_table._shed_lines({"stages": stages * 2})
    assert line.endswith("1 after 213 s, 0 after 243 s; 9 more changes")
    assert minutes_table._shed_lines({"stages": []}) == []


@pytest.mark.parametrize("name", spec.NAMES)
def test_each_promise_names_faults_that_its_system_can_have(name):
    for variant in ("", *spec.variants(name)):
        one = spec.load(name, variant)
        can = set(spec.faults_of(one.size.devices, one.schedule))
        for figure in one.figures:
            named = [*figure["breaks"], *figure["survives"]]
            assert set(named) <= can and len(set(named)) == len(named), figure
        for fault in can - {"set"} if variant == "failed_start" else can:
            assert self_check.broken(one, {}, fault) != (one, {})


@cases("""
    is_met  must        is_right
    False   "breaks"    True
    True    "breaks"    False
    None    "breaks"    True
    True    "survives"  True
    False   "survives"  False
    None    "survives"  False
""")
def test_a_promise_must_break_or_survive(is_met, must, is_right):
    asked = {"breaks": [], "survives": [], must: ["battery"]}
    figure = {"name": "x", "reached": 1.0, "is_met": is_met}
    assert self_check.judged(figure, asked, "battery")["is_right"] is is_right
    assert self_check.judged(figure, asked, "sender")["is_right"] is None


def test_a_pod_that_leaves_is_played_with_all_kernels():
    result = mock.Mock(spec=None)
    result.spec, result.soc = spec.load("shanghai", "dead_pod"), [0.5] * 96 * 14
    result.degC = range(96 * 14)
    assert minutes.lead_s(result.spec) == 90 + 3 * TURN_S
    _, left = minutes.of(result, 600, 0)
    assert left.at_s < 8 * 3600 < left.at_s + left.for_s
    result.spec = spec.load("berlin")
    found = minutes.of(result, 600, 2)
    assert len(found) == 3
    assert [each.degC for each in found] == [(each.at_s - 90) // 900 for each in found]


def test_minutes_are_played_where_a_contact_closes():
    result = mock.Mock(soc=[0.5] * 96 * 2, degC=())
    result.spec = spec.load("north_america", "contact")
    _, first, second = minutes.of(result, 600, 0)
    assert (first.at_s, second.at_s) == (133_200 - 300, 140_400 - 300)


@pytest.mark.whole
def test_a_contact_that_closes_holds_the_import_with_the_kernel():
    one = found("north_america", "contact", for_s=20, is_outage=False, at_s=133_200 - 5)
    assert one["faults"] == []


def test_minutes_may_begin_while_a_pod_is_away():
    back_s = 36 * 3600
    one = found("shanghai", "moved_pod", for_s=20, is_outage=False, at_s=back_s - 10)
    assert one["faults"] == []


def test_a_variant_with_an_outage_plays_that_one_and_drawn_ones():
    result = mock.Mock(soc=[0.5] * 96 * 30, degC=())
    result.spec = spec.load("berlin", "storm")
    one, *drawn = minutes.of(result, 0, 2)
    assert (one.for_s, one.degC) == (10_800, None)
    assert [each.for_s for each in drawn] == [600, 600]


def test_the_weeks_of_a_year_have_their_own_sun():
    weeks = year.weeks(spec.load("north_america"))
    assert [each.site["weather"]["day"] for each in weeks.values()] == [12, 103, 194, 285]
    assert all(each.start.weekday() == 0 and each.days == 7 for each in weeks.values())
