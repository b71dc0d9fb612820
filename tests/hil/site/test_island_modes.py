"""An outage in value mode: the sequence of modes, what is shed, the generator set, the battery."""

from itertools import pairwise

import pytest
from site_bench import controlled

from controller.config import configuration
from controller.core.policies.modes import BLACK_START, GRID, HAND_OVER, ISLAND, RETURN
from controller.sites import PV_GENSET
from hil.site.genset import Genset
from hil.site.grid import Grid
from hil.site.site import Site
from hil.site.transfer_switch import TransferSwitch
from hil.values.rig import ValueRig
from safety import signals as s

LOAD_W, OUTAGE_S, AWAY_S = 240_000.0, 30, 90
STEP_W = 5000  # 2 % of the converter


def config(tick_ms):
    """The site with a generator set, PV and four stages of 60 kW; its meter believed."""
    loaded = configuration.load(PV_GENSET, tick_ms=tick_ms)
    return controlled(loaded, meter_code_permille=0, mode_return_s=10)


class Outage:
    """Runs until the grid has been back for 40 s; a row of what was seen for each tick."""

    def __init__(self, can_form, soc):
        switch = TransferSwitch({"call_s": 3600.0, "return_s": 5.0})
        self.genset = Genset({"rated_W": 300_000, "start_s": 5.0})
        grid = Grid(1, outages=[[OUTAGE_S, AWAY_S]])
        site = Site(lambda t_s: LOAD_W, 1, grid, [switch, self.genset])
        self.rig = rig = ValueRig(config(100), None, plant_config={"soc": soc}, site=site)
        rig.plant.pcs[0].can_form = can_form
        self.core = core = rig.controller.cabinet.core
        sent_at, self.rows = core.layout.unit_input(0, s.PCS_SENT_W), []
        while rig.now_us < (OUTAGE_S + AWAY_S + 45) * 1e6:
            rig.step()
            given_W = rig.plant.pcs[0].ac_power_W, self.genset.feeds_W
            stages = sum([each.value for each in core.actuators if each.name.endswith("stages")])
            self.rows.append((core.found.mode, stages, *given_W, core.inp[sent_at]))
            charge_W, discharge_W = core.kernel.bounds.published_W[:2]
            assert -charge_W <= core.setpoints()[0] <= discharge_W, "limits of this tick"

    def modes(self):
        return [row[0] for at, row in enumerate(self.rows) if row[0] != self.rows[at - 1][0]]

    def of(self, *modes):
        return [row[1:] for row in self.rows if row[0] in modes]

    def is_genset_wanted(self):
        return self.core.functions["genset_start"].engines[0].state.is_wanted == 1


@pytest.mark.whole
def test_an_outage_that_the_converter_carries_until_the_generator_set_charges_it():
    one = Outage(can_form=True, soc=0.1525)
    assert one.modes() == [HAND_OVER, ISLAND, RETURN, GRID]
    stages, battery_W, genset_W, sent_W = zip(*one.of(HAND_OVER, ISLAND))
    assert {2, 3} <= set(stages) <= {1, 2, 3}, "15 % is half of island_soc_permille"
    assert max(battery_W) > 100_000 and not any(sent_W[:20]), "its power is not believed yet"
    assert abs(battery_W[-1] - sent_W[-1]) <= STEP_W, "the grid finds no step"
    of_return_W = [row[1] for row in one.of(RETURN)]
    assert max([abs(b - a) for a, b in pairwise(of_return_W)]) <= STEP_W
    assert max(genset_W) >= 90_000 and min(battery_W) < -30_000, "its least load charges"
    assert not one.is_genset_wanted() and max(row[0] for row in one.of(RETURN)) <= 3
    assert [trip["stage"] for trip in one.rig.trips.trips] in ([], ["57a"])


@pytest.mark.whole
def test_a_black_start_sheds_everything_and_picks_it_up_in_order_on_the_generator_set():
    one = Outage(can_form=False, soc=0.9)
    assert one.modes() == [HAND_OVER, BLACK_START, ISLAND, RETURN, GRID]
    assert {row[0] for row in one.of(BLACK_START)} == {4}
    stages = [row[0] for row in one.of(ISLAND)]
    assert stages == sorted(stages, reverse=True) and stages[-1] < 4
    assert max(row[2] for row in one.of(ISLAND)) > 0 and not one.is_genset_wanted()
