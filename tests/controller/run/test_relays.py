"""A permit relay that does not follow its output is row 44."""

import pytest
from cabinet_bench import CONFIG, RUN_TICKS, Bench, found, running

from controller.run import relays, self_test
from controller.run.self_test import ENABLE, SUPPLY
from controller.store import two_copies
from safety import matrix, permit, signals as s

TICKS = 1500 // CONFIG.tick_ms
CONTACTS = [(s.PERMIT_1_CLOSED, ENABLE), (s.PERMIT_2_CLOSED, SUPPLY)]


def told(bench):
    return bench.cabinet.core.inp[s.SELF_TEST_BITS]


@pytest.mark.parametrize("contact, bit", CONTACTS)
def test_a_relay_that_drops_while_it_runs(contact, bit):
    bench = running()
    bench.field.wrong[contact] = 0
    assert told(bench.tick(TICKS)) == 0 and bench.state == "running"
    assert told(bench.tick()) == bit and bench.state == "tripped" and bench.standing == ["44e"]
    assert told(bench.tick()) == 0, "told off it is off: what it is stands in the latch"
    assert bench.tick(RUN_TICKS).standing == ["44e"] and bench.state == "tripped"
    assert bench.stored.latches == {"44e": 1}
    assert Bench(found(two_copies.CLEAN, latches={"44e": 1})).tick().standing == ["44e"]


@pytest.mark.parametrize("contact, bit", CONTACTS)
def test_a_relay_that_stays_on_is_found_at_rest_and_no_reset_clears_it(contact, bit):
    bench = Bench()
    bench.cabinet.request_run(0)
    bench.tick(RUN_TICKS)
    bench.field.wrong[contact] = 1
    assert told(bench.tick(TICKS)) == 0 and bench.standing == []
    assert told(bench.tick()) == bit and bench.standing == ["44e"]
    bench.key(0).clear()
    assert "44e" in bench.reset(matrix.KEY).standing and told(bench) == bit
    del bench.field.wrong[contact]
    bench.clear()
    assert told(bench) == 0 and bench.reset(matrix.KEY).tick(2).standing == ["47a"]


@pytest.mark.parametrize("contact, bit", CONTACTS)
def test_a_relay_that_is_welded_while_it_runs_is_found_once_it_is_told_off(contact, bit):
    bench = running()
    bench.field.wrong[contact] = 1
    assert told(bench.tick(3 * TICKS // 5, elapsed=5)) == 0 and bench.state == "running"
    bench.field.wrong[s.KEY_RUN_OK] = 0
    assert told(bench.tick(3 * TICKS // 5, elapsed=5)) == bit and "44e" in bench.standing


@pytest.mark.parametrize("contact, bit", CONTACTS)
def test_one_tick_of_agreement_begins_anew(contact, bit):
    bench = running()
    for _ in range(2):
        bench.field.wrong[contact] = 0
        bench.tick(TICKS)
        del bench.field.wrong[contact]
        bench.tick()
    assert told(bench) == 0 and bench.state == "running"


@pytest.mark.parametrize("elapsed", [2, 7, TICKS, TICKS + 1])
def test_the_time_is_counted_in_ticks_that_passed(elapsed):
    core, steps = running().cabinet.core, 0
    judged = relays.Relays(core, CONFIG.tick_ms)
    core.inp[s.PERMIT_1_CLOSED] = 0
    while not judged.bits:
        judged.step(core.inp, elapsed)
        steps += 1
    assert (judged.bits, steps) == (ENABLE, TICKS // elapsed + 1)


def test_a_contact_of_a_silent_module_says_nothing():
    core = running().cabinet.core
    judged, inp, ages = relays.Relays(core, CONFIG.tick_ms), core.inp, core.kernel.features.ages
    inp[s.PERMIT_1_CLOSED] = inp[s.PERMIT_2_CLOSED] = ages.seen[s.G_IO_1] = 0
    judged.step(inp, TICKS + 1)
    assert judged.bits == SUPPLY
    ages.seen[s.G_IO_2], ages.seen[s.G_IO_1] = 0, 1
    judged.step(inp, TICKS)
    assert judged.bits == SUPPLY, "what was seen last holds while nothing is seen"
    judged.step(inp, 1)
    assert judged.bits == ENABLE | SUPPLY


@pytest.mark.parametrize("contact", [s.PERMIT_1_CLOSED, s.PERMIT_2_CLOSED])
def test_a_relay_that_never_comes_on_is_a_failed_closing_first(contact):
    """Row 38: an open chain takes both relays off as well."""
    assert relays.FOLLOW_MS > permit.RELAY_MS
    bench = Bench()
    bench.field.wrong[contact] = 0
    bench.tick(4 * (permit.RETRY_MS + permit.RELAY_MS) // CONFIG.tick_ms // 5, elapsed=5)
    assert bench.standing == ["38a"]


def test_a_hard_wired_chain_that_acts_before_the_kernel_is_no_fault_of_a_relay():
    """Row 1 waits for the fuse with 3 kA on a contactor (C65)."""
    bench = running()
    for rack in range(bench.field.layout.racks):
        bench.field.wrong[bench.field.layout.rack_input(rack, s.RACK_CURRENT_MA)] = 3_000_000
    bench.field.wrong.update({s.ESTOP_1_OK: 0, s.PERMIT_1_CLOSED: 0, s.PERMIT_2_CLOSED: 0})
    bench.tick(2 * TICKS)
    assert told(bench) == 0 and "44e" not in bench.standing


def test_what_failed_is_said_in_words():
    assert self_test.sentence(0) == ""
    enable = "the controller found a fault: the relay of the PCS enable does not follow"
    both = "a bit of its memory is stuck, the relay of the contactor supply does not follow"
    assert self_test.sentence(ENABLE) == enable
    assert self_test.sentence(self_test.MEMORY | SUPPLY).endswith(f"fault: {both}")
    said = {bit: self_test.sentence(bit) for bit in self_test.WORDS}
    for bit, word in ((self_test.PROGRAM, "program"), (SUPPLY, "supply"), (ENABLE, "enable")):
        assert [other for other, words in said.items() if word in words] == [bit]
    every = sum(self_test.WORDS)
    assert every == s.CABINET_INPUTS[s.SELF_TEST_BITS][3]
    assert len(self_test.WORDS) == every.bit_length()
