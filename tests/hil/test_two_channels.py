"""A cabinet with channel B, in virtual time: each channel stops it alone and names why."""

import shutil
from dataclasses import replace

import pytest

from controller.config import configuration
from controller.core import image as images
from controller.journal import replay, snapshot
from controller.run import operator_client, operator_commands, peer_words
from controller.sites import FOLDER as SITES
from hil.engine.simulate import VirtualRig
from safety import peer, signals as s, start_checklist
from tests.slow import whole
from tests.tables import cases

LINK = '[channel_b]\nport = "/dev/serial/by-path/b"'


def site_with(folder, fitted="fitted", link=LINK, wired="[1, 2, 3, 12, 30, 44]", tick_ms=20):
    shutil.copytree(SITES, folder)
    path = folder / "types" / "firebreak_645.toml"
    text = path.read_text().replace('second_channel = "none"', f'second_channel = "{fitted}"')
    text = text.replace("= [1, 2, 3, 12, 30, 44]", f"= {wired}")
    path.write_text(text.replace("[unit.1]\n", f"{link}\n\n[unit.1]\n", 1))
    return configuration.load(folder / "example" / "cabinet.toml", tick_ms=tick_ms)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return site_with(tmp_path_factory.mktemp("two") / "sites")


def rig_of(site, path=None):
    return VirtualRig(site, lambda t_s: 300_000.0, 1, (), {"soc": 0.55}, path and str(path))


def said(rig):
    return peer_words.sentence(rig.controller.cabinet.core.inp[s.PEER_CODE])


def out(rig):
    return rig.controller.cabinet.core.out


def opened(rig, within_s):
    rig.run(rig.now_us / 1e6 + within_s)
    return [rack.contactor_state for rack in rig.plant.racks] == [0, 0, 0]


@pytest.mark.parametrize(
    "contact, reason", [("cell_voltage", "30"), ("fire_alarm", "2"), ("suppression", "3")]
)
def test_b_opens_where_no_wire_and_no_output_of_a_does(tmp_path, contact, reason):
    """The contact is in no chain and what A has switched on stays on; the BMS trips nothing."""
    rig = rig_of(site_with(tmp_path / "sites", wired="[44]")).run(4)
    rig.plant.relays.set_coil = lambda name, level: None
    rig.plant.force_contact(contact, False)
    assert opened(rig, 1.2) and rig.channel_b.second.permit == 0
    assert reason in rig.trips.active()


@pytest.mark.parametrize("tick_ms", [20, *whole(10)])
def test_both_channels_permit_until_one_of_them_alone_sees_a_stop(tmp_path, tick_ms):
    site = site_with(tmp_path / "sites", tick_ms=tick_ms)
    rig = rig_of(site).run(4)
    assert out(rig)[s.STATE] == s.RUNNING and rig.channel_b.second.permit == 1
    assert said(rig) == "" and rig.observer.violations == []
    rig.channel_b.stuck["estop_1_ok"] = 0
    assert opened(rig, 0.3) and rig.trips.active() == ["51"] and "stage 1a" in said(rig)
    rig.run(5)
    assert said(rig) == "estop_1: A closed, B open"
    rig = rig_of(site).run(4)
    rig.plant.force_contact("estop_1", False)
    rig.channel_b.stuck["estop_1_ok"] = 1
    assert opened(rig, 0.6) and "1a" in rig.trips.active()
    rig.run(5)
    assert rig.channel_b.second.reason in (peer.DISAGREES, peer.INTERLOCK)


def test_a_b_without_supply_opens_at_once_by_its_relay_and_b_follows_a_dead_a(site):
    rig = rig_of(site).run(4)
    rig.channel_b.powered = False
    assert opened(rig, 0.7) and rig.plant.relays.channel_b_closed is False
    rig.run(6)
    assert "51" in rig.trips.active() and said(rig) == "channel B is silent"
    rig = rig_of(site).run(4)
    rig.controller.kill()
    second = rig.run(4.5).channel_b.second
    assert (second.permit, second.reason) == (0, peer.SILENT)
    assert rig.plant.relays.channel_b_closed is False


def test_nothing_starts_without_b_or_with_the_image_of_another_site(site):
    rig = rig_of(site)
    rig.channel_b.powered = False
    rig.run(5)
    assert (out(rig)[s.STATE], out(rig)[s.INHIBIT_REASON]) == (s.INHIBITED, start_checklist.I_PEER)
    assert rig.trips.trips == [], "a boot inhibits, it does not latch"
    rig = rig_of(site)
    image = site.safety_image[:]
    image[-1] ^= 1
    rig.channel_b.second.__init__(image, 0)
    rig.run(5)
    assert out(rig)[s.STATE] == s.INHIBITED and rig.channel_b.second.permit == 0
    assert "limit image" in said(rig)


def after_an_estop_at_b(site, tmp_path=None):
    rig = rig_of(site, tmp_path and tmp_path / "journal").run(4)
    rig.channel_b.stuck["estop_1_ok"] = 0
    rig.run(4.3)
    rig.channel_b.stuck.clear()
    rig.run(11)
    assert rig.trips.active() == ["51"] and "stage 1a" in said(rig)
    return rig


def causes(path):
    return snapshot.read(str(path)).causes


def answer(rig):
    for _ in range(2_000_000 // rig.tick_us):
        rig.step()
        cabinet = rig.controller.cabinet
        if cabinet.answer:
            return operator_client.Answer(cabinet.answer, cabinet.peer_answer).words()
    return None


def test_a_reset_clears_b_first_and_then_a_and_the_run_is_replayed_to_the_byte(site, tmp_path):
    rig = after_an_estop_at_b(site, tmp_path)
    rig.controller.reset("key")
    assert answer(rig) == "key needed", "of A, whose key is in RUN: B is not asked"
    rig.plant.key_run = False
    rig.run(12)
    rig.controller.reset("key")
    assert answer(rig) == "not clear yet; channel B: done"
    rig.run(18)
    rig.controller.reset("key")
    assert answer(rig) == "done; channel B: nothing to reset"
    rig.plant.key_run = True
    rig.run(19)
    rig.controller.run_request(True)
    rig.run(26)
    assert out(rig)[s.STATE] == s.RUNNING and rig.observer.violations == []
    rig.controller.cabinet.journal.close()
    report = replay.replay(str(tmp_path / "journal"), replay.core_of)
    assert report.exit_code == replay.EQUAL and report.frames > 500


def test_b_keeps_its_key_latches_and_may_fall_silent(site):
    rig = after_an_estop_at_b(site)
    rig.controller.reset("remote")
    assert answer(rig) == "not clear yet; channel B: key needed"
    rig.plant.key_run = False
    rig.run(rig.now_us / 1e6 + 2)
    rig.controller.reset("key")
    rig.channel_b.mute = True
    assert answer(rig) == "not clear yet; channel B does not answer"
    cabinet = rig.controller.cabinet
    at = images.places(cabinet.core.layout, ())["peer"].start
    assert cabinet.core.inp[at : at + 2].tolist() == [-1, 0]


def test_the_journal_holds_the_causes_of_b_and_a_reset_of_less_clears_nothing_there(site, tmp_path):
    """The E-stop latches in B alone, between the look and the reset."""
    path = tmp_path / "journal"
    rig = rig_of(site, path).run(4)
    assert causes(path) == (-1, 0, -1, 0)
    rig.plant.key_run = False
    rig.run(10)
    self_clearing = causes(path)
    rig.channel_b.stuck["estop_1_ok"] = 0
    rig.run(10.3)
    rig.channel_b.stuck.clear()
    rig.run(17)
    now = causes(path)
    assert now[:2] == self_clearing[:2], "nothing is energised, so that A latches nothing"
    assert now[2:] == rig.controller.cabinet.peer.causes()
    assert peer_words.stage_in_b(now[2])[0] == "1a"
    rig.controller.cabinet.request_reset(operator_commands.KEY_RESET, *self_clearing)
    assert answer(rig) == "nothing to reset; channel B: changed"
    rig.run(18)
    assert causes(path) == now
    rig.controller.cabinet.request_reset(operator_commands.KEY_RESET, *now)
    assert answer(rig) == "nothing to reset; channel B: done"
    rig.run(19)
    assert causes(path) == self_clearing
    rig.controller.cabinet.journal.close()


@cases(r"""fitted  link  line
    "none"  LINK  "channel_b.port: is set although"
    "fitted"  '[channel_b]\nport = "/dev/ttyUSB0"'  "channel_b.port"
    "fitted"  ""  "channel_b.port"
""")
def test_a_link_that_makes_no_sense_is_refused(tmp_path, fitted, link, line):
    with pytest.raises(configuration.ConfigError, match=line):
        site_with(tmp_path / "sites", fitted, link)


def set_back(rig, before, is_b_fed):
    """Kill the controller; put an older record into its store; start it again."""
    rig.controller.kill()
    rig.run(rig.now_us / 1e6 + 2)
    rig.controller.store.record = before
    rig.channel_b.powered = is_b_fed
    if not is_b_fed:  # channel B restarts with the content of its flash
        second = rig.channel_b.second
        kept = second.latch_level, second.kept_count, second.kept_digest
        second.__init__(rig.controller.config.safety_image, *kept)
        rig.channel_b.powered = True
    rig.controller.start()
    rig.run(rig.now_us / 1e6 + 5)


@pytest.mark.whole
@pytest.mark.parametrize("is_b_fed", [True, False])
def test_an_older_record_of_the_store_is_no_clean_start(site, is_b_fed):
    """The record of before a lock-out: it was forgotten, pre-charge began 2 s after the start."""
    rig = rig_of(site).run(4)
    rig.controller.run_request(False)
    rig.run(8)
    rig.controller.run_request(True)
    rig.run(12)
    before = replace(rig.controller.store.record, armed=0, clean=1)
    assert out(rig)[s.STATE] == s.RUNNING
    rig.controller.cabinet.request_lock_out("anna", 1)
    rig.run(16)
    assert rig.channel_b.second.kept_count == rig.controller.store.record.changes > before.changes
    set_back(rig, before, is_b_fed)
    assert out(rig)[s.STATE] == s.INHIBITED and "44d" in rig.trips.active()
    assert rig.controller.store.record.changes > rig.channel_b.second.kept_count - 1
    newest = rig.controller.store.record
    set_back(rig, replace(newest, armed=0, clean=1), is_b_fed)
    assert rig.trips.active() == ["44d"], "as it was stored; it is not set once more"


def test_a_record_that_channel_b_has_not_seen_yet_is_the_newest(site):
    """Power is cut after the store has it and before channel B has."""
    rig = rig_of(site).run(4)
    rig.channel_b.powered = False
    rig.controller.cabinet.request_lock_out("anna", 1)
    rig.run(8)
    newest, kept = rig.controller.store.record, rig.channel_b.second.kept_count
    assert newest.changes > kept
    set_back(rig, replace(newest, armed=0, clean=1), False)
    assert "44d" not in rig.trips.active() and rig.controller.cabinet.locked_out == "anna"
    assert rig.channel_b.second.kept_count == rig.controller.store.record.changes
