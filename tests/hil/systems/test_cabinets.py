"""Several cabinets of a system, each with its own controller and a fixed share."""

import json
from datetime import datetime

import numpy as np
import pytest
from test_systems import TABLE, seconds_of

from controller.core.base.schedule_table import OPEN_W
from controller.dispatch import report
from controller.forms.refusal import ConfigError
from controller.planner.planning import CAP_PART
from hil.systems import dispatched, event_figures, run, sender, spec
from hil.systems.sender import Sender
from hil.systems.series import Series

BATTERY = {"units": 2, "racks_per_unit": 3, "rated_W": 250_000, "energy_Wh": 1_290_000}
CAP_W = 301_000


def site_of(cabinets):
    """Members that keep 301 kW of a load of 500 kW, and that load on a site."""
    changes = {
        "battery": BATTERY | {"cabinets": cabinets},
        "site": {"load": {"kind": "constant", "power_W": 500_000}, "pv": {"rated_W": 1000}},
    }
    chosen = spec.of_table(TABLE | changes, "test")
    site = run.site_of(chosen, {})
    members = run.members_of(chosen, site, run.ChainMember)
    for member in members:
        member.schedule(0, 15, [(CAP_W, OPEN_W, OPEN_W, 0)] * 4)
    return site, members


def test_cabinets_share_what_one_controller_does():
    """Each reads the meters before any decides, so that equal cabinets give equal powers. The
    auxiliaries of the second cabinet are 1500 W more.
    """
    (one, _), (two, members) = site_of(1), site_of(2)
    for _ in range(120):
        one.step(1.0)
        two.step(1.0)
        first_W, second_W = [member.pcs[0].ac_power_W for member in members]
        assert first_W == second_W
    assert 95_000 < first_W < 110_000
    assert two.grid_power_W == pytest.approx(CAP_W, abs=1000)
    assert two.grid_power_W == pytest.approx(one.grid_power_W, abs=1000)


def test_a_cap_ends_with_the_last_second_of_its_slot():
    """That second once had the next slot's power, so a cap for two hours was missed in its mean."""
    site, (member,) = site_of(1)
    member.schedule(0, 15, [(CAP_W, OPEN_W, OPEN_W, 0), (OPEN_W, OPEN_W, -60_000, 0)])
    grid_W = []
    for _ in range(930):
        site.step(1.0)
        grid_W.append(site.grid_power_W)
    assert grid_W[899] == pytest.approx(grid_W[890], abs=1) and grid_W[900] > grid_W[899] + 50


def test_a_request_of_the_slot_behind_a_cap_is_followed():
    """Tracking held the grid where the cap had left it, against 55 of the 60 kW of a charge."""
    site, (member,) = site_of(1)
    site.load = lambda t_s: 400e3
    member.schedule(0, 15, [(CAP_W, OPEN_W, OPEN_W, 0), (OPEN_W, OPEN_W, -60_000, 0)])
    for _ in range(910):
        site.step(1.0)
    assert sum([unit.ac_power_W for unit in member.pcs]) == pytest.approx(-60_000, abs=3000)


def test_a_cabinet_that_leaves_gives_nothing_and_the_other_takes_over():
    """The other one follows the meter of the site until the cap is kept. Coming back, the cabinet
    has its own charge.
    """
    site, members = site_of(2)
    for _ in range(60):
        site.step(1.0)
    members[1].leave()
    site.step(1.0)
    assert site.grid_power_W > CAP_W + 80_000
    for _ in range(120):
        site.step(1.0)
    assert members[1].pcs[0].ac_power_W == members[1].drawn_W == 0.0
    assert site.grid_power_W == pytest.approx(CAP_W, abs=1000)
    assert run._soc(members) == members[0].soc
    members[1].come(0.3)
    members[1].schedule(0, 15, [(CAP_W, OPEN_W, OPEN_W, 0)] * 4)
    for _ in range(200):
        site.step(1.0)
    assert members[1].soc == pytest.approx(0.3, abs=0.01) and members[1].pcs[0].ac_power_W > 10_000
    assert site.grid_power_W < CAP_W + 1000


def test_a_pod_that_comes_to_its_backup_reserve_leaves_the_others_time_to_follow():
    """It stopped from 619 kW within a second, and the import was above 6 MW for 3 s."""
    chosen = spec.load("shanghai", "four_cabinets")
    site = run.site_of(chosen, {})
    site.load = lambda t_s: 8e6
    members = run.members_of(chosen, site, run.ChainMember)
    for member, soc in zip(members, (0.1045, 0.5, 0.5, 0.5)):
        member.come(soc)
        member.schedule(0, 15, [(5_550_000, OPEN_W, OPEN_W, 0)] * 4)
    found = []
    for _ in range(150):
        site.step(1.0)
        found.append((members[0].pcs[0].ac_power_W, site.grid_power_W))
    assert found[30][0] > 600e3 and found[-1][0] == 0
    assert max(grid_W for _, grid_W in found[30:]) < 5.7e6
    assert 0.1009 < members[0].soc < 0.102


def test_a_load_that_yields_is_lower_while_the_charge_is_low():
    """The plan's cap is 490 of 500 kW; the charge is below start_soc_permille."""
    scheduler = {"role": "load_cap", "profile": "load_cap_tcp", "lower_W_max": 25_000}
    changes = {
        "battery": BATTERY,
        "soc_permille": 250,
        "schedule": {"cap_W": 490e3},
        "site": {"load": {"kind": "constant", "power_W": 500_000}},
        "device": {"scheduler": scheduler | {"start_soc_permille": 300}},
    }
    chosen = spec.of_table(TABLE | changes, "test")
    assert sender.site_of(chosen).yields == (25_000, 20.0, 0.3)
    found = seconds_of(chosen, range(900))
    assert 890 <= found.asked_s[0] <= 900 and found.asked_s[1:].max() == 900
    assert 10e3 < found.lowered_W[0] <= 25e3 and found.grid_W[0] < 491e3
    assert found.wanted_W[0] == pytest.approx(500e3, abs=100)
    assert event_figures.yielded_h(found)[0] > 24 * 30
    assert event_figures.yielded_kWh(found)[0] == pytest.approx(found.lowered_W.sum() / 4000)


def test_hours_in_which_the_load_yielded_count_by_month():
    days = Series(*[np.full(14 * 96, each) for each in (200e3, 200e3, 0.0, 0.1)])
    one = Sender(spec.of_table(TABLE | {"start": "2026-06-29"}, "test"), days, days)
    for slot in range(3 * 96):
        one.saw(slot, 200e3, 900.0 if slot % 96 < 4 else 0.0)
    assert one.yielded_h(datetime(2026, 6, 30)) == 2.0
    assert one.yielded_h(datetime(2026, 7, 1)) == 1.0 and one.yielded_h(datetime(2026, 8, 1)) == 0.0


@pytest.mark.parametrize(
    ("variant", "cap_W"), [("", 5_700_000), ("four_cabinets", 5_700_000), ("dead_pod", 5_550_000)]
)
def test_a_plan_leaves_free_what_the_dispatcher_keeps_free(variant, cap_W):
    """A plan that charged with 150 kW more than the shares had empty batteries on Friday."""
    site = sender.site_of(spec.load("shanghai", variant))
    assert site.import_W * CAP_PART == pytest.approx(cap_W)


@pytest.mark.parametrize("is_capped", [True, False])
def test_no_shipped_plan_uses_what_a_dispatcher_keeps_free(is_capped):
    spared = 0
    for name in spec.NAMES:
        for variant in ("", *spec.variants(name)):
            chosen = spec.load(name, variant)
            left_W = chosen.size.import_W - chosen.spare_W
            assert sender.site_of(chosen, is_capped).import_W * CAP_PART <= left_W, (name, variant)
            spared += chosen.spare_W > 0
    assert spared >= 5


def test_the_moves_of_a_cabinet_are_seconds_of_the_run():
    chosen = spec.load("shanghai", "moved_pod")
    assert run.moves_of(chosen) == {79_200: [(3, None)], 129_600: [(3, 0.3)]}
    assert run.moves_of(spec.load("shanghai", "dead_pod")) == {28_800: [(3, None)]}


def test_on_a_cabinet_that_comes_the_others_count_more_and_more(monkeypatch):
    chosen, told_W = spec.load("shanghai", "moved_pod"), []

    def report_of(data):
        told_W.append(json.loads(data)["discharge_W_max"])
        return report.report_of(data)

    monkeypatch.setattr(dispatched, "report_of", report_of)
    site = run.site_of(chosen, {})
    members = run.members_of(chosen, site, run.ChainMember)
    shares = dispatched.Shares(members, chosen.size.import_W, 0, chosen.fallback_W, 1)

    def seconds(first, count):
        for second in range(first, first + count):
            shares.step(second)
            site.step(1.0)
        return told_W[-1]

    assert seconds(0, 200) > 900_000
    members[3].leave()
    seconds(200, 2)
    members[3].come(0.8)
    assert seconds(202, 1) == 0
    assert seconds(203, 300) == pytest.approx(500_000, rel=0.02)
    assert seconds(503, 299) == pytest.approx(1_000_000 * 599 / 600, rel=0.01)
    assert seconds(802, 1) == 1_000_000


def test_forty_cabinets_have_the_size_of_the_aggregate_and_a_connection_for_their_fallbacks():
    """12 of them fall silent. The first one stays, because it has the site devices."""
    whole, forty = spec.load("north_america"), spec.load("north_america", "forty_cabinets")
    assert forty.size.power_W == whole.size.power_W
    assert forty.size.energy_Wh == whole.size.energy_Wh
    assert forty.cabinets * forty.fallback_W <= forty.size.import_W == whole.size.import_W
    silent = [place for moves in run.moves_of(forty).values() for place, _ in moves]
    assert len(set(silent)) == 12 and min(silent) > 0 and max(silent) < 40


def test_a_cabinet_that_the_battery_does_not_have_cannot_leave():
    away = {"away": [{"cabinet": 3, "day": 1, "hour": 0}], "battery": BATTERY | {"cabinets": 2}}
    with pytest.raises(ConfigError, match="^test:away.1.cabinet: 3 is not allowed; allowed 2 to "):
        spec.of_table(TABLE | away, "test")


def test_the_first_cabinet_alone_limits_the_sun():
    _, members = site_of(2)
    assert [len(member.control.actuators) for member in members] == [1, 0]
    assert len(members[0].site.parts) == 1


def test_a_number_of_cabinets_that_splits_a_unit_is_refused():
    with pytest.raises(
        ConfigError, match="^test:battery.cabinets: 3 is not allowed; allowed a divisor "
    ):
        site_of(3)
