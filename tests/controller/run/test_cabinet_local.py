"""Inputs that originate in the controller: operations centre, channel B, self-tests."""

from types import SimpleNamespace

import pytest
from cabinet_bench import Bench, found, running, with_peer
from site_files import SiteFiles

from controller.core.base import hint_codes
from controller.core.policies import meter_sign
from controller.store import two_copies
from safety import matrix, signals as s

WHO = "N. N., 2026-01-01: test"


def told(bench, *signals):
    return [bench.told(each) for each in signals]


def test_a_cabinet_that_nobody_asks_anything_of():
    bench = running()
    assert told(bench, s.ARMED_STORED, s.RUN_REQUEST, s.LOCK_OUT_OK) == [1, 1, 1]
    links = (s.TEST_REQUEST, s.NOC_LINK_OK, s.NOC_VERIFIED, s.PEER_CODE)
    assert told(bench, *links, s.SELF_TEST_BITS, s.CPU_TEMPERATURE_DDEGC) == [0] * 6
    bench.keeper.ok = False
    assert bench.tick().told(s.RUN_REQUEST) == 0 and bench.state == "stopping"


@pytest.fixture
def centre(tmp_path):
    files = SiteFiles(tmp_path).replace(
        "type", '["suppression", "door"]', '["suppression", "door", "supervised"]'
    )
    files.replace("type", "noc_derate =", 'noc_source = "site_ems"\nnoc_derate =')
    settings = files.without(["supervised"], WHO).load()
    assert settings.sources[settings.noc_source].name == "site_ems" and len(settings.sources) > 1
    return settings


def beat_of(source_index):
    return hint_codes.HintSlot(source_index + 1, hint_codes.HEARTBEAT, 0, 0, 5000)


def heartbeat(bench, source_index):
    slot = bench.cabinet.request_hint(beat_of(source_index))
    assert slot is not None
    return bench.tick(2)  # the table takes the command in this tick, the kernel gets it in the next


def path(bench):
    return *told(bench, s.NOC_LINK_OK, s.NOC_VERIFIED), bench.stored.noc_verified


def test_nothing_starts_before_the_operations_centre_was_heard_for_the_first_time(centre):
    bench = Bench(settings=centre).tick(20)
    assert bench.state == "inhibited" and bench.standing == ["46c"] and path(bench) == (0, 0, 0)
    other = next(source.index for source in centre.sources if source.index != centre.noc_source)
    assert path(heartbeat(bench, other)) == (0, 0, 0) and bench.standing == ["46c"]
    assert path(heartbeat(bench, centre.noc_source)) == (1, 1, 1)
    assert bench.tick(200).state == "running" and path(bench) == (1, 1, 1)
    bench.tick(100)
    assert path(bench) == (0, 1, 1) and bench.state == "running" and bench.standing == []


@pytest.mark.parametrize(("elapsed", "is_heard"), [(1, 1), (250, 1), (251, 0)])
def test_a_heartbeat_that_waits_for_a_late_tick_ends_five_seconds_after_it_came(
    centre, elapsed, is_heard
):
    """A process that stood still for seconds must not stretch a validity."""
    bench = Bench(settings=centre).tick(20)
    bench.cabinet.request_hint(beat_of(centre.noc_source))
    bench.tick(elapsed=elapsed).tick()
    assert bench.told(s.NOC_LINK_OK) == is_heard


def test_that_it_was_heard_is_stored_at_once_also_when_nothing_else_changes(centre):
    bench = Bench(settings=centre).tick().key(0)
    count = len(bench.keeper.records)
    heartbeat(bench, centre.noc_source)
    assert bench.standing == ["47a"] and len(bench.keeper.records) == count + 1
    assert path(bench) == (1, 1, 1)


def test_a_link_that_is_lost_for_a_quarter_of_an_hour_is_row_46(centre):
    bench = heartbeat(Bench(settings=centre).tick(), centre.noc_source).tick(400)
    bench.kernel.features.noc_ticks[0] = 901 * 50 - 2
    assert bench.tick().standing == [] and bench.tick().standing == ["46a"]
    assert heartbeat(bench, centre.noc_source).standing == []


@pytest.mark.parametrize("state", [two_copies.CLEAN, two_copies.ARMED])
def test_that_it_was_heard_survives_a_restart_and_a_lock_out(centre, state):
    bench = heartbeat(Bench(settings=centre).tick(), centre.noc_source)
    bench.cabinet.request_lock_out("anna", True)
    loaded = found(state, locked_out="anna", noc_verified=bench.tick().stored.noc_verified)
    again = Bench(loaded, settings=centre).tick()
    assert path(again) == (0, 1, 1) and "46c" not in again.standing
    again.cabinet.request_lock_out("anna", False)
    assert path(again.tick()) == (0, 1, 1) and again.cabinet.locked_out == ""


def test_where_the_panels_path_is_supervised_no_heartbeat_is_taken_for_a_link():
    bench = heartbeat(Bench().tick(), 0)
    assert path(bench) == (0, 0, 0) and bench.standing == []


def test_what_the_second_channel_says_is_passed_on_in_every_tick():
    bench = running()
    assert bench.told("peer") == [-1, 0], "there is none"
    bench, peer = with_peer(bench)
    assert bench.tick().state == "running" and bench.told(s.PEER_CODE) == 0
    for peer.code, causes in ((7, (0, s.INT_MAX)), (0, (7, 9)), (0, (-1, 0))):
        peer.standing = causes
        assert bench.tick().told("peer") == [*causes] and bench.told(s.PEER_CODE) == peer.code
        assert bench.standing == [], "its row is not armed in this cabinet"


@pytest.mark.parametrize("found_there", [meter_sign.REVERSED, meter_sign.UNDECIDED, 0])
def test_what_the_test_of_the_grid_meter_has_found_is_told(found_there):
    bench = running()
    bench.cabinet.core.functions["meter_sign"].out[0] = found_there
    assert bench.tick().told(s.METER_SIGN) == found_there


class SelfTest:
    def __init__(self):
        self.steps = self.bits = 0
        self.cpu_temperature_ddegC = 611

    def step(self):
        self.steps += 1


def test_what_the_relays_and_the_self_test_find_stands_together():
    bench = Bench()
    bench.cabinet.self_test = SelfTest()
    bench.cabinet.self_test.bits = 1 << 4
    bench.cabinet._relays = SimpleNamespace(bits=1 << 2, step=lambda *_: None)
    assert bench.tick().told(s.SELF_TEST_BITS) == 1 << 4 | 1 << 2


@pytest.mark.parametrize(
    "change, stage, ticks", [({"bits": 2}, "44e", 1), ({"cpu_temperature_ddegC": 1101}, "44f", 25)]
)
def test_what_a_test_of_itself_finds_is_row_44(change, stage, ticks):
    bench, tested = Bench(), SelfTest()
    bench.cabinet.self_test = tested
    assert bench.tick(30).state == "running" and tested.steps == 30, "one slice in every tick"
    assert told(bench, s.SELF_TEST_BITS, s.CPU_TEMPERATURE_DDEGC) == [0, 611]
    vars(tested).update(change)
    assert bench.tick(ticks - 1).standing == [] and bench.tick().standing == [stage]
    found_now = [change.get("bits", 0), change.get("cpu_temperature_ddegC", 611)]
    assert told(bench, s.SELF_TEST_BITS, s.CPU_TEMPERATURE_DDEGC) == found_now
    assert bench.state == "tripped" and bench.stored.latches == {stage: 1}
    assert next(row for row in matrix.STAGES if row[matrix.S_ID] == stage)[matrix.S_ROW] == 44
