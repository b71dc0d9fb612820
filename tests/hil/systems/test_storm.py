"""An outage of a system: its control functions know that the site is an island."""

from dataclasses import replace

import pytest
from test_systems import TABLE

from controller.config import configuration
from controller.core.policies import modes
from controller.core.policies.known import GRID
from controller.sites import FOLDER
from hil.site.grid import Grid
from hil.site.site import Site
from hil.site.transfer_switch import TransferSwitch
from hil.systems import run, series, spec
from tests.slow import whole

SITE = {"load": {"kind": "constant", "power_W": 150_000}, "transfer_switch": {}}
AT_S, FOR_S, RETURN_S = 60, 240, 30  # the switch waits so long before it goes back


def modes_of(changes, seconds):
    """Seconds in each mode, of a system whose grid fails for FOR_S."""
    chosen = spec.of_table(TABLE | {"site": SITE} | changes, "test")
    site = run.site_of(chosen, {})
    site.grid.cut(AT_S, FOR_S)
    members = run.members_of(chosen, site, run.ChainMember)
    one = run.Run(
        chosen, *[of(chosen, {}) for of in (series.series_of, series.before_of)], site, members
    )
    for second in range(seconds):
        one.second(second)
    return one._of_modes(), members[0]


def test_a_short_outage_is_an_island_less_the_hand_over():
    battery = TABLE["battery"] | {"can_form": True}
    found, member = modes_of({"battery": battery}, AT_S + FOR_S + 120)
    island_s = found["island"]
    assert FOR_S + RETURN_S - 6 <= island_s + found["hand-over"] <= FOR_S + RETURN_S
    assert found["hand-over"] <= 3 and "black start" not in found
    assert 29 <= found["return to the grid"] <= 32
    given_J = 150_000 * (FOR_S + RETURN_S)
    assert member.site.account.energy_J["discharged"] > 0.95 * given_J


def test_a_converter_that_forms_nothing_leaves_a_black_start():
    found, member = modes_of({}, AT_S + FOR_S)
    assert found["black start"] > FOR_S - 10 and "island" not in found
    assert member.site.account.energy_J["unserved"] > 0.9 * 150_000 * FOR_S


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name, outage_s", whole(("berlin", 10_800), ("norway", 14_400)))
def test_a_storm_is_an_island_in_the_control_functions(name, outage_s):
    found = run.run(spec.load(name, "storm")).modes_s
    assert outage_s + 20 <= found["island"] <= outage_s + RETURN_S
    assert found["hand-over"] <= 5 and 29 <= found["return to the grid"] <= 32


def test_a_cabinet_without_the_contact_of_the_switch_never_knows_of_an_island():
    config = configuration.load(FOLDER / "three_units" / "cabinet.toml", tick_ms=100)
    devices = [
        replace(each, inputs=tuple([name for name in each.inputs if name != "source_code"]))
        for each in config.topology.devices
    ]
    topology = replace(config.topology, devices=tuple(devices))
    config = replace(config, topology=topology)
    site = Site(lambda t_s: 150_000.0, 1, Grid(1, outages=[[5, 60]]), [TransferSwitch({})])
    member = run.ChainMember(config, site, 0.5, 0, {})
    for _ in range(20):
        site.step(1.0)
    assert site.is_off_grid and member.pcs[0].is_forming
    assert member.control.known.contact == GRID and member.control.found.mode == modes.GRID
