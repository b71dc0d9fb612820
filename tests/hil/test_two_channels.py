"""A cabinet with a second channel, in virtual time: either one stops it alone, and says who and why."""

import shutil
from pathlib import Path

import pytest

from controller import config, peer_words
from hil.simulate import VirtualRig
from safety import evidence, peer, signals as s

SITES = Path(config.__file__).parent / "sites"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The example site with a second channel."""
    folder = tmp_path_factory.mktemp("two") / "sites"
    shutil.copytree(SITES, folder)
    path = folder / "types" / "firebreak_645.toml"
    text = path.read_text().replace('second_channel = "none"', 'second_channel = "fitted"')
    path.write_text(text.replace("[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n', 1))
    return config.load(folder / "example" / "cabinet.toml")


@pytest.fixture
def running(site):
    """A rig that has run for 4 s."""
    return VirtualRig(site, lambda t_s: 300_000.0, 1, (), {"soc": 0.55}).run(4)


def said(rig):
    """What the kernel's input says about the other channel."""
    return peer_words.sentence(rig.controller.cabinet.core.inp[s.PEER_CODE])


def out(rig):
    """The kernel's outputs of channel A."""
    return rig.controller.cabinet.core.out


def opened(rig, within_s):
    """True once no rack is closed any more, within so many seconds from now."""
    rig.run(rig.now_us / 1e6 + within_s)
    return [rack.contactor_state for rack in rig.plant.racks] == [0, 0, 0]


def test_both_channels_permit_and_the_cabinet_runs(running):
    assert out(running)[s.STATE] == s.RUNNING and running.channel_b.second.permit == 1
    assert said(running) == "" and running.observer.violations == []


def test_an_emergency_stop_that_only_b_sees_opens_and_is_named(running):
    running.channel_b.stuck["estop_1_ok"] = 0
    assert opened(running, 0.3) and running.trips.standing() == ["51"]
    assert "stage 1a" in said(running)
    running.run(5)
    assert said(running) == "estop_1: A closed, B open"


def test_one_that_only_a_sees_opens_too_and_b_says_who_disagrees(running):
    running.plant.force_contact("estop_1", False)
    running.channel_b.stuck["estop_1_ok"] = 1
    assert opened(running, 0.6) and "1a" in running.trips.standing()
    running.run(5)
    assert running.channel_b.second.reason in (peer.DISAGREES, peer.INTERLOCK)


def test_a_b_without_supply_opens_at_once_by_its_relay(running):
    running.channel_b.powered = False
    assert opened(running, 0.7)
    assert running.plant.relays.channel_b_closed is False
    running.run(6)
    assert "51" in running.trips.standing()
    assert said(running) == "channel B is silent"


def test_with_a_dead_b_lets_go_in_half_a_second(running):
    running.controller.kill()
    running.run(4.5)
    assert running.channel_b.second.permit == 0 and running.plant.relays.channel_b_closed is False
    assert running.channel_b.second.reason == peer.SILENT


def test_nothing_starts_without_b(site):
    rig = VirtualRig(site, lambda t_s: 300_000.0, 1, (), {"soc": 0.55})
    rig.channel_b.powered = False
    rig.run(5)
    assert (out(rig)[s.STATE], out(rig)[s.INHIBIT_REASON]) == (s.INHIBITED, evidence.I_PEER)
    assert rig.trips.trips == [], "a boot inhibits, it does not latch"


def test_b_with_the_image_of_another_site_never_permits(site):
    rig = VirtualRig(site, lambda t_s: 300_000.0, 1, (), {"soc": 0.55})
    image = site.safety_image[:]
    image[-1] ^= 1
    rig.channel_b.second.__init__(image, 0)
    rig.run(5)
    assert out(rig)[s.STATE] == s.INHIBITED and rig.channel_b.second.permit == 0
    assert "limit image" in said(rig)


@pytest.mark.parametrize("said, line", [
    ('second_channel = "none"', "channel_b.port: is said although"),
    ('[channel_b]\nport = "/dev/ttyUSB0"', "channel_b.port"),
    ("", "channel_b.port")])
def test_a_link_that_makes_no_sense_is_refused(tmp_path, said, line):
    shutil.copytree(SITES, tmp_path / "sites")
    path = tmp_path / "sites" / "types" / "firebreak_645.toml"
    text = path.read_text()
    if "none" in said:
        text = text.replace("[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n', 1)
    else:
        text = text.replace('second_channel = "none"', 'second_channel = "fitted"')
        text = text.replace("[unit.1]\n", f"{said}\n\n[unit.1]\n", 1)
    path.write_text(text)
    with pytest.raises(config.ConfigError, match=line):
        config.load(tmp_path / "sites" / "example" / "cabinet.toml")
