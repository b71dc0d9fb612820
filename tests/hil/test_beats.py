"""Which write on a wire is which beat, and the largest silence between two beats."""

import numpy as np
from hypothesis import given, strategies as st
from observed import wiring

from hil.devices.rtu_slave import crc16
from hil.observer.beats import SETPOINT, Beats, largest_gap_us, unpacked
from tests.tables import cases, table

WSET, OPCTL = 40_100, 40_200


def frame(*data):
    crc = crc16(bytes(data))
    return bytes(data) + bytes((crc & 255, crc >> 8))


def words(unit, address, count):
    return frame(unit, 16, address >> 8, address & 255, 0, count, 2 * count, *bytes(2 * count))


def heard(bus, data, is_reply=0):
    beats, passed = Beats(wiring(WSET, OPCTL)), []
    beats.rtu_tap(bus, lambda *chunk: passed.append(chunk))(7, is_reply, data)
    assert passed == [(7, is_reply, data)]
    return list(beats.times_us)


COILS = frame(2, 15, 0, 0, 0, 8, 1, 0b101)


@cases(r"""bus  data  name
    "pcs"  words(1, WSET, 2)  SETPOINT | "pcs"  words(1, WSET - 1, 2)  SETPOINT
    "pcs"  words(1, WSET - 2, 2)  "heartbeat" | "pcs"  words(1, WSET + 1, 2)  "heartbeat"
    "pcs"  words(1, OPCTL, 1)  None | "pcs"  words(2, WSET, 2)  None
    "pcs"  frame(1, 3, 0, 0, 0, 9)  None | "meter_grid"  words(1, WSET, 2)  None
    "io"  COILS  "coils of module 2" | "io"  words(2, 64, 1)  None | "io"  COILS[:-1] + b"\0"  None
    "io"  COILS[:-1]  None | "io"  b"\0" + COILS  None | "io"  b""  None""")
def test_which_write_is_which_beat(bus, data, name):
    assert heard(bus, data) == ([] if name is None else [name])
    assert heard(bus, data, is_reply=1) == []


def test_which_write_is_a_command_and_the_largest_silence():
    beats, passed = Beats(wiring(WSET, OPCTL)), []
    tap = beats.can_tap("can0", lambda *heard: passed.append(heard))
    for time_us, can_id in enumerate((0x13F, 0x17F, 0x11F, 0x19F, 0x13E, 0x13F)):
        tap(time_us, can_id, b"")
    found = {name: times.tolist() for name, times in unpacked(beats.packed()).items()}
    assert found == {"command to rack 1": [0, 5], "command to rack 3": [1]} and len(passed) == 6
    for times_us, gap_us in table("""
    [] | 100 ; [150] | 50 ; [100, 200] | 100 ; [90, 110, 190, 210] | 80 ; [0, 120, 180, 300] | 120
    [0] | 200 ; [300] | 200 ; [0, 10] | 190 ; [290, 300] | 190 ; [99, 201] | 102 ; [0, 1000] | 1000
"""):
        assert largest_gap_us(np.array(times_us, np.int64), 100, 200) == gap_us, times_us


times = st.integers(0, 1000)


@given(st.lists(times, unique=True).map(sorted), st.integers(0, 999), st.integers(1, 1000))
def test_one_more_beat_never_makes_a_silence_longer(times_us, from_us, span_us):
    to_us = from_us + span_us
    whole = largest_gap_us(np.array(times_us, np.int64), from_us, to_us)
    more = sorted({*times_us, from_us + span_us // 2})
    assert largest_gap_us(np.array(more, np.int64), from_us, to_us) <= whole


@cases("""address  data  setpoint_W
    WSET  (0, 0, 0x27, 0x10)  10_000 | WSET  (0xFF, 0xFF, 0xD8, 0xF0)  -10_000
    WSET - 1  (0, 1, 0, 0, 0x27, 0x10)  10_000 | WSET  (0, 0)  1 << 40""")
def test_the_value_of_each_set_point(address, data, setpoint_W):
    beats = Beats(wiring(WSET, OPCTL))
    write = frame(1, 16, address >> 8, address & 255, 0, len(data) // 2, len(data), *data)
    beats.rtu_tap("pcs", lambda *chunk: None)(7, 0, write)
    assert list(beats.setpoints_W) == [setpoint_W] and list(beats.times_us[SETPOINT]) == [7]
