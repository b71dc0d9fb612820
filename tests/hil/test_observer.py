"""The observer's view of the wires and of the plant, byte by byte."""

import random
import struct

import pytest
from observed import wiring
from plant_bench import act

from hil.devices.native_bms import NativeBms
from hil.devices.rtu_slave import with_crc
from hil.observer import observer, reactions
from hil.observer.frames import FrameStream, frame_bytes
from hil.plant.cabinet import CabinetPlant
from hil.scenarios import expectations
from tests.tables import cases, table

WSET, OPCTL = 40_300, 40_420
REQUEST, REPLY = 0, 1
INPUTS_OK = {1: 0xFF, 2: 0x07}


ON, OFF, SUPPLY = "pcs_enable_on_sent", "pcs_enable_off_sent", "contactor_supply"


def coils(unit, bits):
    return with_crc(bytes((unit, 15, 0, 0, 0, 8, 1, bits)))


def coil(unit, place, level):
    return with_crc(bytes((unit, 5, 0, place, 0xFF if level else 0, 0)))


def inputs(unit, bits):
    return with_crc(bytes((unit, 2, 1, bits)))


def registers(address, values, unit=1):
    return with_crc(
        struct.pack(">BBHHB", unit, 16, address, len(values), 2 * len(values))
        + struct.pack(f">{len(values)}H", *values)
    )


def setpoint(power_W, before=()):
    words = struct.unpack(">HH", struct.pack(">i", power_W))
    return registers(WSET - len(before), (*before, *words))


def made():
    return observer.Observer(wiring(WSET, OPCTL))


def names(seen, prefix=""):
    return [name for _, name, _ in seen.timeline if name.startswith(prefix)]


def timed(seen):
    return [(time_us, name) for time_us, name, _ in seen.timeline]


def heard(bus, *frames, is_reply=REQUEST):
    seen = made()
    for time_us, frame in enumerate(frames):
        seen.rtu_tap(bus)(time_us, is_reply, frame)
    return seen


def healthy(seen, now_us=1000):
    for unit in (1, 2):
        seen.rtu_tap("io")(now_us, REPLY, inputs(unit, INPUTS_OK[unit]))
        seen.rtu_tap("gas")(now_us, REPLY, with_crc(bytes((unit, 4, 2, 0, 0))))
    seen.rtu_tap("pcs")(now_us, REPLY, with_crc(bytes((1, 3, 2, 0, 0))))
    for rack in range(3):
        seen.can_tap("can0")(now_us, 0x120 + 0x20 * rack, bytes(8))
    return seen


def sample(seen, now_us, enable=True, supply=True, contactors=(2, 2, 2), **changes):
    still = {"currents_A": (0.0, 0.0, 0.0), "powers_W": (0.0,), "limits_A": None}
    seen.truth(now_us, enable, supply, contactors, **still | changes)


def test_frames_have_their_length_and_are_found_between_garbage():
    replies = ((1, 3, 4, 0, 0, 0, 0), (1, 15, 0, 0, 0, 8), (1, 0x83, 2))
    for frame, is_reply in (
        *[(with_crc(bytes(data)), REPLY) for data in replies],
        (with_crc(bytes((1, 3, 0, 0, 0, 2))), REQUEST),
        (coils(1, 3), REQUEST),
        (setpoint(5), REQUEST),
        (inputs(1, 9), REPLY),
        (coil(2, 1, 1), REQUEST),
        (coil(2, 1, 1), REPLY),
    ):
        assert frame_bytes(frame, 0, is_reply) == len(frame)
        assert FrameStream(is_reply).feed(0, frame) == [frame]
    for size in (1, 2, 3, 5, 100):
        draw = random.Random(7)
        frames = [setpoint(power_W) for power_W in range(1, 20)]
        line = b"".join(draw.randbytes(draw.randrange(0, 4)) + frame for frame in frames)
        stream, found = FrameStream(False), []
        for first in range(0, len(line), size):
            found += stream.feed(first, line[first : first + size])
        assert found == frames
    stream, frame = FrameStream(False), coils(1, 3)
    assert stream.feed(0, frame[:5]) == [] and stream.feed(50_000, frame[5:]) == [frame]
    assert stream.feed(100_000, frame[:5]) == [] and stream.feed(150_001, frame[5:]) == []


PLACES_OF_WSET = [
    setpoint(-70_000),
    setpoint(5, before=(1, 2)),
    setpoint(0, (3,)),
    setpoint(0),
    setpoint(9),
    registers(WSET + 2, (0, 0)),
    registers(WSET - 2, (0, 0)),
]
STARTS = [
    registers(OPCTL, (1,)),
    with_crc(struct.pack(">BBHH", 1, 6, OPCTL, 0)),
    registers(OPCTL - 1, (7, 1)),
    registers(OPCTL, (2,)),
]


@cases(r"""bus  frames  events
    "io"  [coils(1, 1)[:-1] + b"\0"]  ""
    "io"  [coils(1, n) for n in (1, 1, 3, 0, 0, 1)]  f"0 {ON} 3 {OFF} 5 {ON}"
    "io"  [coils(2, n) for n in (0, 3, 2)]  f"1 {SUPPLY}_on_sent 2 {SUPPLY}_off_sent"
    # another function in between does not hide the next block write
    "io"  [coils(1, 1), coil(1, 0, 0), coils(1, 1)]  f"0 {ON} 1 {OFF} 2 {ON}"
    "io"  [coil(1, 1, 1), with_crc(bytes((1, 2, 0, 0, 0, 8)))]  ""
    "pcs"  [registers(WSET, (0, 9), unit=2)]  ""
    # wherever the set-point is in the frame
    "pcs"  PLACES_OF_WSET  "0 setpoint_sent 2 setpoint_zero_sent 4 setpoint_sent"
    "pcs"  STARTS  "0 pcs_start_sent 1 pcs_stop_sent 2 pcs_start_sent 3 pcs_stop_sent"
    # seen at its last byte
    "pcs"  [bytes((n,)) for n in setpoint(7)]  f"{len(setpoint(7)) - 1} setpoint_sent"
""")
def test_a_changed_write_is_one_event(bus, frames, events):
    assert " ".join(f"{at} {name}" for at, name in timed(heard(bus, *frames))) == events
    assert heard("pcs", setpoint(0), setpoint(-100_000)).setpoint_W == -100_000


def test_events_of_the_wire_and_of_the_plant():
    replies = [inputs(1, bits) for bits in (0xFF, 0xFF, 0xFE, 0xF7)]
    replies.append(with_crc(bytes((1, 15, 0, 0, 0, 8))))  # the reply to a write has no information
    assert timed(heard("io", *replies, is_reply=REPLY))[8:] == [
        (2, "estop_1_open_seen"),
        (3, "estop_1_closed_seen"),
        (3, "gas_relay_open_seen"),
    ]
    seen = healthy(made())
    for time_us, (rack, close) in enumerate(((0, 1), (0, 1), (2, 1), (0, 0), (3, 1))):
        command(seen, 2000 + time_us, rack, close)
    assert [(name, detail) for _, name, detail in seen.timeline if detail] == [
        ("bms_close_sent", "rack 1"),
        ("bms_close_sent", "rack 3"),
        ("bms_open_sent", "rack 1"),
    ]
    assert seen.violations == []
    seen = made()
    for now_us, enable, supply, contactors, power_W in table("""
    0 | False | False | (0, 0, 0) | 0.0 ; 1 | False | True | (0, 0, 0) | 0.0
    2 | False | True | (1, 0, 0) | 0.0 ; 3 | True | True | (2, 2, 2) | 0.0
    4 | True | True | (2, 2, 2) | 2500.0 ; 200000 | False | True | (2, 2, 2) | 2499.0
    400000 | False | False | (2, 2, 2) | 0.0 ; 400001 | False | False | (0, 2, 2) | 0.0
    400002 | False | False | (0, 0, 0) | 0.0
"""):
        sample(seen, now_us, enable, supply, contactors, powers_W=(power_W,))
    expected = """
        contactor_supply_on contactor_close pcs_enable_on contactor_close contactor_close
        contactors_closed power_flowing pcs_enable_off power_zero contactor_supply_off
        contactor_open contactor_open contactor_open contactors_open
    """
    assert names(seen) == expected.split() and seen.violations == []
    assert set(names(seen)) <= set(expectations.EVENTS)


def command(seen, time_us, rack, close):
    seen.can_tap("can0")(time_us, 0x13F + 0x20 * rack, bytes((close, *bytes(7))))


def test_silences_and_their_times():
    for silent_ms, is_silent in ((400, False), (401, True)):
        seen = healthy(made())
        for rack in (0, 2):
            seen.can_tap("can0")(silent_ms * 1000, 0x120 + 0x20 * rack, bytes(8))
        sample(seen, 1000 + silent_ms * 1000)
        found = seen.result()
        silences = [(at_us, detail) for at_us, name, detail in found if name == "bms_silent"]
        assert silences == [(1000, "rack 2")] * is_silent
        assert [event[0] for event in found] == sorted(event[0] for event in found)
        seen.can_tap("can0")(600_000, 0x145, bytes(8))
        sample(seen, 600_001)
        assert names(seen, "bms_back") == ["bms_back"] * is_silent
    seen = healthy(made())
    for now_us in range(2000, 600_000, 20_000):
        for rack in range(3):
            command(seen, now_us, rack, 0)
        sample(seen, now_us)
    assert names(seen, "bms_silent") == ["bms_silent"] * 3
    read = with_crc(bytes((1, 3, 0, 0, 0, 2)))
    for asked in (False, True):
        seen = healthy(made())
        for now_us in range(10_000, 900_000, 20_000):
            if asked:
                seen.rtu_tap("pcs")(now_us, REQUEST, read)
            sample(seen, now_us)
        assert [t for t, name, _ in seen.result() if name == "pcs_silent"] == [1000] * asked
    never_heard = made()
    sample(never_heard, 5_000_000, False, False, (0, 0, 0))
    assert names(never_heard) == []


DISABLED, DROPPED = {"enable": False}, {"supply": False}
DROP, UNDER_CURRENT, POWER, LIMIT = "supply dropped", "opened at", "flow although", "its BMS"


def opening(current_A):
    return {0: {"currents_A": (0.0, current_A, 0.0)}, 20_000: {"contactors": (2, 0, 2)}}


def powered(now_us):
    times = ((-1, {}), (0, DISABLED), (now_us, DISABLED))
    return {at_us: {"powers_W": (9000.0,)} | changes for at_us, changes in times}


def carrying(*currents_A):
    """Rack 2 carries these currents, (time_us, A); its limits are -50 and 100 A."""
    still = {"limits_A": ((50, 100),) * 3}
    return {at_us: still | {"currents_A": (0.0, now_A, 0.0)} for at_us, now_A in currents_A}


@pytest.mark.parametrize(
    "words, samples",
    [
        ("", {0: {}, 1000: DISABLED, 101_000: DISABLED | DROPPED}),
        (DROP, {0: {}, 1000: DISABLED, 100_999: DISABLED | DROPPED}),
        (DROP, {0: {}, 1000: {}, 201_000: DROPPED}),
        *[  # a supply that holds no contactor may drop at any time
            (words, {0: {"contactors": held}, 20_000: DROPPED | {"contactors": (0, 0, 0)}})
            for words, held in (("", (0, 0, 0)), (DROP, (0, 0, 2)), (DROP, (0, 1, 0)))
        ],
        ("", opening(7.0)),
        (UNDER_CURRENT, opening(7.1)),
        (UNDER_CURRENT, opening(-7.1)),
        ("", powered(500_000)),
        (POWER, powered(500_001)),
        ("", carrying((0, 107.0), (9_000_000, 107.0))),
        ("", carrying((0, 107.1), (2_000_000, 107.1))),
        (LIMIT, carrying((0, 107.1), (2_000_001, 107.1))),
        ("", carrying((0, -54.5), (9_000_000, -54.5))),
        (LIMIT, carrying((0, -54.6), (2_000_001, -54.6))),
        # back inside starts the two seconds again
        ("", carrying((0, 120.0), (1_900_000, 100.0), (2_100_000, 120.0), (4_000_000, 120.0))),
    ],
)
def test_violations_and_their_limits(words, samples):
    seen = made()
    for now_us, changes in samples.items():
        sample(seen, now_us, **changes)
    assert [words in text for text in seen.violations] == [True] * bool(words)


def test_an_opening_has_its_current_and_violations_are_capped():
    for current_A in (7.0, 7.1, -7.1):
        seen = made()
        for now_us, changes in opening(current_A).items():
            sample(seen, now_us, **changes)
        assert seen.timeline[-1] == (20_000, "contactor_open", f"rack 2 at {current_A:.1f} A")
    seen = made()
    for now_us in range(200):
        contactors = (2 * (now_us % 2 == 0), 2, 2)
        sample(seen, now_us, currents_A=(50.0, 0, 0), contactors=contactors)
    assert len(seen.violations) == 50


def close(seen, time_us):
    command(seen, time_us, 0, 1)
    return seen.violations


def test_closing_without_the_start_checklist_is_a_violation_that_names_the_gap():
    # airflow, permit and door are no condition
    for unit, bits, words in table("""
    1 | 0xFF | None ; 1 | 0xEF | None ; 1 | 0xBF | None ; 1 | 0x7F | None
    1 | 0xFE | contacts of I/O module 1 ; 1 | 0xDF | I/O module 1
    2 | 0x05 | contacts of I/O module 2
"""):
        seen = healthy(made())
        seen.rtu_tap("io")(1500, REPLY, inputs(unit, bits))
        found = close(seen, 2000)
        assert words in found[0] if words else found == []
    seen = made()
    seen.rtu_tap("io")(1000, REPLY, inputs(1, 0xFF))
    text = close(seen, 2000)[0]
    missing = ("io unit 2", "gas unit 1", "gas unit 2", "pcs unit 1", "BMS 1", "I/O module 2")
    assert [name for name in missing if name not in text] == [] and "io unit 1," not in text


def test_a_restart_forgets_writes_and_start_checklist():
    seen = made()
    for time_us, name in ((0, "x"), (2, "controller_start")):
        seen.mark(time_us, name)
        seen.rtu_tap("io")(time_us + 1, REQUEST, coils(1, 1))
        seen.rtu_tap("pcs")(time_us + 1, REQUEST, setpoint(5))
    assert names(seen).count("pcs_enable_on_sent") == 2 == names(seen).count("setpoint_sent")
    for heard_again in (False, True):
        seen = healthy(made(), 1000)
        assert close(seen, 2000) == []
        seen.mark(3000, "controller_start")
        if heard_again:
            healthy(seen, 3500)
        assert ["io unit 1" in text for text in close(seen, 4000)] == [True] * (not heard_again)


def test_each_reaction_is_of_the_first_effect_after_the_first_cause():
    timeline = table("""
    5 | pcs_enable_on_sent | "" ; 5 | pcs_start_sent | "" ; 6 | pcs_enable_on | ""
    1_000_000 | estop_press | "" ; 1_040_500 | pcs_enable_off_sent | ""
    1_060_000 | pcs_stop_sent | "" ; 2_000_000 | controller_kill | ""
    2_480_000 | pcs_enable_off | "" ; 3_000_000 | estop_press | ""
""")
    found = reactions.reaction_ms(timeline)
    assert {name: value for name, value in found.items() if value is not None} == {
        "estop": 40.5,
        "estop_to_pcs_frame": 60.0,
        "kill_pcs_enable": 480.0,
    }
    for name, events in reactions.REACTIONS.items():
        cause, effect, undone, _ = events
        timeline = [(0, undone, ""), (1_000_000, cause, ""), (2_000_000, effect, "")]
        assert reactions.reaction_ms(timeline)[name] == 1000.0
        assert reactions.reaction_ms([(0, effect, ""), *timeline[1:]])[name] is None
        assert reactions.reaction_ms(timeline[:2])[name] is None
    # The next one, minutes later, has another cause.
    later = [(1_000_000, "estop_press", ""), (2_000_000, ON, ""), (163_942_000, OFF, "")]
    for before in ([], [(0, ON, ""), (1, OFF, "")]):
        assert reactions.reaction_ms(before + later)["estop"] is None


def closing():
    cabinet = CabinetPlant(seed=1)
    for coil_name in ("pcs_enable", "contactor_supply"):
        cabinet.set_coil(coil_name, True)
    for rack in cabinet.racks:
        rack.command_close(True)
    return cabinet, healthy(made(), 1)


def test_a_frame_of_another_length_is_of_no_bms():
    """Such a frame once ended the simulated cabinet (`chaos --only can_malformed`)."""
    seen = healthy(made())
    for can_id in (0x121, 0x122, 0x128, 0x13F):
        for length in range(8):
            seen.can_tap("can0")(500_000, can_id, b"\xff" * length)
    assert all(seen.reported_rack(rack) == {} for rack in range(3)) and seen.bms_us == [1000] * 3
    assert "bms_close_sent" not in names(seen)


def test_frames_of_a_native_bms_and_the_plant_make_events():
    cabinet, seen = closing()
    racks = [NativeBms(rack, node) for node, rack in enumerate(cabinet.racks, 1)]
    for now_us in range(20_000, 2_000_000, 20_000):
        cabinet.step(0.02)
        if now_us == 1_500_000:
            act(cabinet, "estop_press")
        for bms in racks if now_us < 1_000_000 else racks[:2]:
            for can_id, data in bms.frames(now_us):
                seen.can_tap("can0")(now_us, can_id, data)
        seen.sample(now_us, cabinet)
    found = [(name, detail) for _, name, detail in seen.result()]
    assert ("contactors_closed", "") in found and ("contactors_open", "") in found
    assert [detail for name, detail in found if name == "bms_silent"] == ["rack 3"]
    off = ("contactor_supply_off", "pcs_enable_off")
    supply_us, enable_us = (reactions.first(seen.timeline, name) for name in off)
    assert supply_us - enable_us == 200_000 and seen.violations == []


@pytest.mark.parametrize("current_A, broken", [(0.0, True), (900.0, False)])
def test_current_and_opening_of_an_uncontrolled_load_are_no_violation(current_A, broken):
    """A rack with such a load may exceed its limit and open under current."""
    cabinet, seen = closing()
    for now_us in range(20_000, 5_000_000, 20_000):
        cabinet.step(0.02)
        if now_us == 1_000_000:
            act(cabinet, "current_excess", current_A=current_A, fuse_A2s=1e12)
        if broken:
            cabinet.racks[1].current_A = 300.0
        if now_us == 4_000_000:
            cabinet.racks[1].contactors.state = 0
        seen.sample(now_us, cabinet)
    text = " ".join(seen.violations)
    assert ("its BMS allows" in text) == ("opened at" in text) == broken
    assert "contactor_open" in names(seen)
