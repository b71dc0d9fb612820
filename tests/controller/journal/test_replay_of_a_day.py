"""Replay from each keyframe of a run in which peak shaving, a schedule, hints, an outage and a
generator set act: all that a function reads of the tick before is in the keyframe.
"""

import itertools
from array import array
from dataclasses import replace

import pytest

from controller.config import configuration
from controller.core.base import hint_codes as h
from controller.core.base.schedule_table import OPEN_W, Slot
from controller.core.policies import modes
from controller.journal import journal_header
from controller.journal.replay import Replay, core_of
from controller.journal.ring import JournalReader
from controller.sites import FOLDER
from hil.engine.virtual_controller import UTC_US
from hil.site.genset import Genset
from hil.site.grid import Grid
from hil.site.pv import Pv
from hil.site.site import Site
from hil.site.transfer_switch import TransferSwitch
from hil.site.weather import Weather
from hil.values.rig import ValueRig
from tests.slow import slow

CONTROL = {"meter_code_permille": 0, "peak_import_W_max": 150_000, "peak_interval_s": 60}
OUTAGE_S, FOR_S = (75.0, 30.0), 125
SLOTS = tuple([Slot(OPEN_W, -80_000, high_W, 0) for high_W in (20_000, -5000)])


def site():
    weather = Weather(time_of_day_s=12 * 3600.0)
    parts = [TransferSwitch({"return_s": 5.0}), Genset({"rated_W": 300_000, "start_s": 5.0})]
    parts.append(Pv({"rated_W": 200_000, "ramp_W_per_s": 20_000}, weather))
    grid = Grid(1, outages=[OUTAGE_S])
    return Site(lambda t_s: 140e3 + 60e3 * (t_s % 20 > 12), 1, grid, parts, weather=weather)


def asked_of(controller, second):
    """What systems upstream ask for in this second."""
    if second % 20 == 5:
        controller.hint("site_ems", h.HEARTBEAT, 0, 0, 15_000)
    if second == 22:
        controller.hint("scheduler", h.EXACT, h.POWER_W, 30_000, 6000)
    if second == 35:
        controller.schedule("site_ems", UTC_US // 60_000_000, 1, SLOTS)


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """(journal, what acted)"""
    config = configuration.load(FOLDER / "pv_genset" / "cabinet.toml", tick_ms=100)
    control = config.control | CONTROL
    config = replace(config, control=control, control_image=array("i", control.values()))
    rig = ValueRig(config, None, 1, (), {"soc": 0.16}, None, site())
    core, path = rig.core, str(tmp_path_factory.mktemp("day") / "journal")
    journal = journal_header.open_journal(path, config, core, 1 << 23)
    rig.controller.cabinet.journal, acted = journal, set()
    for second in range(FOR_S):
        asked_of(rig.controller, second)
        rig.run(second + 1)
        found = core.found
        acted |= {found.mode, *[each.rank[1] for each in core.chain.obligations.standing]}
        for name in ("is_exact", "scheduled_source", "is_carried_by_sets", "is_shed"):
            acted |= {name} if getattr(found, name) else set()
    journal.close()
    return path, acted


def test_so_much_acts_in_this_run(day):
    acts = {"is_exact", "scheduled_source", "is_carried_by_sets", "is_shed", "peak_shaving"}
    assert {modes.GRID, modes.ISLAND, modes.RETURN, *acts} <= day[1]


@pytest.mark.parametrize("frames_max", [150, *slow(10_000)])
def test_from_each_keyframe_on_the_replay_gives_the_same_bytes(day, frames_max):
    keyframes = [frame.sequence for frame in JournalReader(day[0]).keyframes()]
    assert len(keyframes) > 15
    for sequence in keyframes:
        reader = JournalReader(day[0])
        assert reader.begin_at(sequence).sequence == sequence
        again = Replay(reader, core_of)
        frames = itertools.islice(reader.frames(), frames_max)
        assert all(map(again.feed, frames)), (sequence, again.difference)
