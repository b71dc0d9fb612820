"""Channel B in the rig, its trials beside a board in steps, and the command."""

import contextlib
import types

import pytest

from controller.config import configuration
from controller.run import peer_words
from controller.sites import EXAMPLE
from hil import __main__ as program
from hil.campaigns.benchmarks import document
from hil.campaigns.channel_b import command, firmware, memory as mem, partner as channel_a, trials
from hil.campaigns.channel_b.emulator import EmulatorError
from hil.campaigns.rows import start
from hil.engine.simulate import VirtualRig
from hil.oracle import channel_b_course as course
from hil.runner.report import Checks
from safety import peer as pe, second as sc, signals as s


@pytest.fixture
def rig():
    config = start.armed(configuration.load(EXAMPLE), (start.SECOND_CHANNEL,), ())
    return VirtualRig(config, lambda t_s: 300_000.0, 1).run(4)


def test_a_contact_of_b_alone_drops_enable_first_and_supply_200_ms_later_with_a_stopped(rig):
    rig.controller.kill()
    rig.channel_b.stuck["estop_1_ok"] = 0
    seen = []
    for _ in range(15):
        rig.step()
        seen.append((rig.plant.relays.pcs_enable, rig.plant.relays.contactor_supply))
    assert seen == [(True, True)] + [(False, True)] * 10 + [(False, False)] * 4
    assert pe.REASONS[rig.channel_b.second.reason] == "interlock"


def test_a_welded_relay_of_b_is_noticed(rig):
    rig.channel_b.stuck["relay_closed"] = 1
    rig.controller.kill()
    rig.run(5.2)
    rig.controller.start()
    rig.run(8)
    assert pe.REASONS[rig.channel_b.second.reason] == "relay does not follow"
    code = rig.controller.cabinet.core.inp[s.PEER_CODE]
    assert peer_words.sentence(code) == "channel B gives no permit: relay does not follow"


@pytest.mark.slow
@pytest.mark.wire
def test_the_command_on_the_standin(tmp_path):
    """Content only: a machine that holds up the observer may fail a trial."""
    out = tmp_path / "mcu.json"
    assert program.main(["mcu", "--standin", "--count", "1", "--json", str(out)]) in (0, 1)
    rows = document.read(str(out))["details"]["checks"]
    assert [row["name"] for row in rows] == [name for name, _ in command.LIVE] and rows[0]["ok"]


class Board:
    """Channel B in steps. sees(second, contacts) returns the contacts it takes."""

    def __init__(self, sees):
        self._sees = sees
        self.image, self.contacts, self.memory = course.default_image(1, 3), mem.ALL_CLOSED, self
        self.reset()

    def reset(self):
        self.second = sc.Second(self.image, 0)

    def forget(self):
        self.contacts = mem.ALL_CLOSED

    def write(self, place, word):
        assert place == mem.CONTACTS
        self.contacts = word

    def permit(self):
        return self.second.permit

    def step(self, data):
        self.second.receive(data, len(data))
        contacts = self._sees(self.second, self.contacts)
        self.second.step(1, contacts | (sc.RELAY_BIT if self.second.permit else 0))
        return bytes(self.second.report()) if self.second.frame_due else b""


class Unclocked(channel_a.Partner):
    def __init__(self, sees=lambda second, contacts: contacts):
        super().__init__(Board(sees), course.default_image(1, 3))

    def turn(self):
        data = self.board.step(self._frame())
        self.receiver.feed(data, len(data))

    def wait(self, condition, what):
        for tick in range(round(channel_a.GUARD_S / self.tick_s)):
            if condition():
                return tick * self.tick_s
            self.turn()
        raise channel_a.TrialError(what)

    def rest(self, seconds):
        for _ in range(round(seconds / self.tick_s)):
            self.turn()


def test_an_estop_that_only_the_silence_ends_is_no_estop():
    """Channel B sees the contact only after it has found that A is silent."""
    assert trials.estop(Unclocked(), 0) == pytest.approx(0.04, abs=0.03)
    late = Unclocked(sees=lambda b, seen: seen if b.reason == pe.SILENT else mem.ALL_CLOSED)
    with pytest.raises(channel_a.TrialError, match="the permit fell for another reason: silent"):
        trials.estop(late, 0)


def test_a_silent_channel_a_is_named_and_waited_for():
    partner = Unclocked()
    assert trials.silence(partner, 0) >= 0.0 and partner.permitted()


def observer(held_up=()):
    """(partner for `several`, trial): the machine holds up the trials of these numbers."""
    partner = types.SimpleNamespace(held_up_s=0.0, repeated=0, late_s=0.0)

    def trial(_, number):
        partner.held_up_s = 1.0 if number in held_up else 0.001
        return number

    return partner, trial


def test_a_trial_that_the_machine_held_up_is_made_again():
    partner, trial = observer((0, 2))
    assert trials.several(partner, trial, 3) == [1, 3, 4] and partner.repeated == 2
    with pytest.raises(channel_a.TrialError, match="too busy: of 20 trials only 1 were"):
        trials.several(*observer(range(1, 100)), 2)


def test_a_trial_that_goes_wrong_while_the_machine_holds_up_channel_a_is_made_again():
    partner, _ = observer()

    def fails_at_first(_, number):
        if number < 2:
            raise channel_a.TrialError("the permit fell by itself")
        return number

    with pytest.raises(channel_a.TrialError, match="fell by itself"):
        trials.several(partner, fails_at_first, 1)
    partner.late_s = 0.4
    assert trials.several(partner, fails_at_first, 1) == [2] and partner.repeated == 2


def test_the_memory_gives_back_its_content(tmp_path):
    memory = mem.Memory(tmp_path / "memory", course.default_image())
    with contextlib.closing(memory):
        memory.write(mem.LATCH_LEVEL, 2)
        memory.forget()
        assert memory.read(mem.LATCH_LEVEL) == 0 and memory.read(mem.CONTACTS) == mem.ALL_CLOSED
        assert len(memory.image()) == memory.read(mem.IMAGE_BYTES)
    assert not (tmp_path / "memory").exists()


@pytest.mark.parametrize("error", [EmulatorError("it says nothing"), KeyError("healthy")])
def test_a_microcontroller_that_does_not_start_ends_its_trials_in_a_line_each(monkeypatch, error):
    def fails(lab):
        raise error

    monkeypatch.setattr(command, "LIVE", (("start", fails), ("E-stop", fails)))
    monkeypatch.setattr(command, "COUNTED", (("lockstep", fails), ("instructions", fails)))
    lines, closed = [], []
    live = types.SimpleNamespace(close=lambda: closed.append(True))
    lab = types.SimpleNamespace(live=live, partner=None, binary="elf")
    assert command.measured(lab, Checks(lines.append)) == []
    assert closed and [line.split()[0] for line in lines] == ["FAILED"] * 3


def test_what_is_frozen_in_is_in_the_tree(tmp_path):
    """The course lies with the oracle, because the kernel's tests play it too."""
    stage = firmware._laid_out(tmp_path)
    assert {"channel_b_course.py", "autostart.py", "safety"} <= {
        each.name for each in stage.iterdir()
    }
