"""Memory and descriptors stay, whatever runs again and again: `soak_bench` moves the clock."""

import contextlib
import errno
import os

import pytest
from slow import whole
from soak_bench import (
    BYTES_MAX,
    ROOMS,
    UNTIMED_ROOMS,
    Companions,
    RunningCabinet,
    Senders,
    SoakedLoop,
    assert_stays,
    by_registers,
    called,
    everything_on,
    rack_by_registers,
    room_of,
    timed_functions,
)
from whole_box import CABINETS, of_cabinets

from controller.hints import hint_statistics
from controller.sites import EXAMPLE, PYLONTECH
from controller.store import two_copies
from controller.store.stored_record import Record, StoreError
from tests.exemptions import Exempt, same
from tests.repository import ROOT

pytestmark = [pytest.mark.wire, pytest.mark.timeout(3600)]  # a long form takes minutes
TURNS = [250, *whole(10_000)]  # each event in every 13th: 24 bytes lost each time are 18 kB


@pytest.fixture
def soaked(tmp_path, monkeypatch):
    made = []

    def make(path):
        made.append(SoakedLoop(path, tmp_path, monkeypatch, STEP_US))
        return made[0]

    yield make
    made[0].close()


HINTS = ("accepted", "refused", "bad_mac", "hellos")
STEP_US = 1_300_000  # longer than all periods but the slowest


@of_cabinets("path", whole(*CABINETS))
def test_the_loop_keeps_its_size_on_silent_wires(soaked, path):
    assert_stays(soaked(path).turn, 400)


@pytest.mark.parametrize("turns", TURNS)
def test_the_loop_keeps_its_size_while_everything_happens(soaked, tmp_path, turns):
    """Ports, CAN bus and connection are lost in each turn; senders and operators never rest."""
    made = soaked(everything_on(tmp_path))
    senders = Senders(made)

    def turn():
        drop = senders.send()
        made.turn_over()
        drop()

    assert_stays(turn, turns, min(250, turns // 2))
    found = hint_statistics.read(str(made.folder / "hints.stats"))
    assert all(found[name] > turns // 20 for name in (*HINTS, "wrong_length", "unknown_source"))
    losses = {wire.serial.path: wire.serial.losses for wire in made.loop.wires}
    assert min(losses.values()) > turns // 20, losses
    assert made.loop.can_ports["can0"].losses >= turns


@pytest.mark.whole
@pytest.mark.parametrize(
    "turns, file",
    [
        (300, everything_on),
        *whole((20_000, everything_on), (1400, by_registers), (1400, rack_by_registers)),
    ],
)
def test_a_running_cabinet_keeps_its_size(tmp_path, turns, file):
    """The rig records all that happens: only memory that the box's own lines take counts."""
    ours = tuple([f"{ROOT}/{room}/" for room in ROOMS])
    made = RunningCabinet(file(tmp_path))
    warm_up, cycle = min(400, turns // 2), made.cycle_steps
    if turns > cycle:  # each device falls silent equally often before the first and the last look
        warm_up, turns = cycle, -(-turns // cycle) * cycle
    assert_stays(made.turn, turns, warm_up, only=ours)


@pytest.mark.parametrize("turns", [100, *whole(10_000)])
def test_the_process_that_saves_the_store_keeps_its_size(turns, tmp_path, monkeypatch):
    """Every other record meets a full disk."""
    replace, refused = os.replace, []

    def replace_or_refuse(*given):
        if refused:
            raise OSError(errno.ENOSPC, refused.pop())
        replace(*given)

    store = two_copies.Store(str(tmp_path))
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(os, "replace", replace_or_refuse)

    def turn():
        refused.append("")
        for _ in range(2):
            with contextlib.suppress(StoreError):
                store.save(Record(latches={"1a": 1}, trips=7))

    assert_stays(turn, turns, min(400, turns), is_loop=False)


# Functions that the loop's process calls once, or that another process calls.
# The harm of each line: a function that keeps something at each call is not found.
STAYS = "tests/whole/test_soak.py::test_no_periodic_activity_is_forgotten"
ONCE = Exempt("none while it runs once, at the start, at a report or at the end", STAYS)
FEW = Exempt("none: it keeps two numbers, or the last words of each row", STAYS)
OF_OTHERS = Exempt("memory of another process, of a companion with a soak of its own", STAYS)
NOT_PERIODIC = {
    **same(
        ONCE,
        "controller/run/command.py _keys",
        "controller/run/field.py _serial",
        "controller/run/loop.py run",
        "controller/run/loop.py _stop",
        "controller/run/loop.py _stopped",
        "controller/hints/keys.py _keys_of",
        "controller/journal/heard.py behind",
        "controller/journal/history.py _remember",
        "controller/journal/snapshot.py ticks",
        "controller/store/keeper.py serve",
        "controller/store/keeper.py main",
        "controller/store/keeper.py end_soon",
        "controller/store/proof_tests.py check_test",
        "controller/store/two_copies.py _pause",
        "controller/store/two_copies.py hold",
        "drivers/can_dialect.py report",
        "drivers/meter.py periodic",
        "drivers/meter_reads.py fast_names",
        "drivers/register_bms.py _set_up",
        "drivers/register_bms.py report",
        "drivers/register_bms.py _state_of",
        "drivers/setpoint_writer.py zero",
        "drivers/site_device.py periodic",
    ),
    **same(
        FEW,
        "controller/run/step_request.py ask",
        "drivers/register_bms.py command",
        "drivers/register_bms.py _on_lost",
        "drivers/wear.py kept",
        "drivers/wear.py take",
    ),
    **same(
        OF_OTHERS,
        "controller/system/told.py say",
        "controller/run/operator_client.py _answer",
        "controller/hints/client.py passed",
        "controller/store/joining.py progress",
        "controller/system/local_days.py day_before",
        "controller/system/local_days.py number_of",
        "controller/system/local_days.py slot_of",
        "controller/system/local_days.py slots_between",
        "controller/system/utc.py is_set",
    ),
}


def test_a_room_is_left_out_only_while_it_has_a_function_of_time():
    rooms = {room_of(ROOT / name.split()[0]) for name in timed_functions(left_out=())}
    assert rooms > UNTIMED_ROOMS.keys()


def test_no_periodic_activity_is_forgotten(soaked, tmp_path):
    """Each function with a time in it runs in a soak above, or is listed with its reason."""
    path = everything_on(tmp_path)
    made = soaked(path)
    running = (
        RunningCabinet(path),
        RunningCabinet(PYLONTECH),
        RunningCabinet(by_registers(tmp_path)),
        RunningCabinet(rack_by_registers(tmp_path)),
    )
    running[2].turned = -640  # its converter starts before it falls silent
    senders = Senders(made)

    def turn_over():
        drop = senders.send()
        made.turn_over()
        drop()

    missing = {*timed_functions()}
    gone = set(NOT_PERIODIC) - missing
    assert not gone, "exempt, and no timed function: " + ", ".join(sorted(gone))
    missing -= set(NOT_PERIODIC)
    turns = [turn_over] * 100 + [made.turn] * 60
    turns += (
        [running[1].turn] * 200
        + [running[3].turn] * 200
        + [running[2].turn] * 800
        + [running[0].turn] * 600
    )
    while missing and turns:
        with called() as found:
            for turn in turns[:20]:
                turn()
        missing, turns = missing - found, turns[20:]
    assert not missing, "\n".join(sorted(missing))


@pytest.mark.parametrize("turns", [12, *whole(2000)])
@pytest.mark.parametrize(
    "name, bytes_max",
    # statements that sqlite keeps; a watch that goes while the next one comes
    [("record", 32_768), ("serve", BYTES_MAX), ("show", 300_000)],
)
def test_a_companion_keeps_its_size(name, bytes_max, turns, soaked, monkeypatch):
    turn = getattr(Companions(soaked(EXAMPLE), monkeypatch), name)()
    assert_stays(turn, turns, min(60, turns), is_loop=False, bytes_max=bytes_max)
