"""The simulated Pylontech pack: both dialects byte by byte as the protocol table gives them."""

import struct

import dev_standin

from hil.devices.pylontech_bms import PylontechBms
from tests.tables import cases

S_us = 1_000_000


def bench(dialect="V1.2", **options):
    """A pack of 16 cells in series, 4 modules."""
    rack = dev_standin.rack()
    rack.voltage_V, rack.charge_voltage_V_max = 52.34, 53.2
    rack.temperatures_degC = [24.0, 25.0, 26.0, 27.4]
    pack = PylontechBms(rack)
    vars(pack).update({"dialect": dialect, **options})
    return pack, rack


def burst(pack, now_us=0):
    return dict(pack.frames(now_us))


def test_frames_of_both_dialects_with_limits_scales_and_ranges():
    pack, rack = bench()
    rack.current_A = -12.34
    frames = burst(pack)
    assert list(frames) == [0x351, 0x355, 0x356, 0x359, 0x35C, 0x35E]
    assert struct.unpack("<HhhH", frames[0x351]) == (532, 1400, 1355, 408)
    assert struct.unpack("<HH", frames[0x355]) == (51, 99)
    # charging is positive on this wire
    assert struct.unpack("<hhh", frames[0x356]) == (5234, 123, 256)
    assert frames[0x359] == b"\0\0\0\0\x04PN"
    assert frames[0x35C][0] == 0xC0 and frames[0x35E] == b"PYLON   "
    pack, _ = bench("V1.3")
    frames = burst(pack)
    assert (list(frames), len(frames[0x355])) == ([0x351, 0x355, 0x356, 0x35A, 0x35F, 0x35E], 6)
    quiet = frames[0x35A]
    for position in range(32):
        pair = quiet[position // 4] >> position % 4 * 2 & 3
        assert pair == (2 if position % 16 in (0, 1, 2, 3, 4, 7, 8, 11) else 0), position
    assert burst(bench("V1.3", alarms_supported=False)[0])[0x35A] == bytes(8)
    for charge_A, discharge_A, flags in ((0.0, 10.0, 0x40), (10.0, 0.0, 0x80), (0.0, 0.0, 0)):
        pack, rack = bench()
        rack.charge_limit_A, rack.discharge_limit_A, rack.current_A = charge_A, discharge_A, 0.0
        frames = burst(pack)
        assert frames[0x35C][0] == flags
        assert struct.unpack_from("<hh", frames[0x351], 2) == (charge_A * 10, discharge_A * 10)
    pack, rack = bench(voltage_scale_V=0.1)
    rack.voltage_V, rack.charge_voltage_V_max, rack.charge_limit_A = 790.4, 852.0, 5000.0
    frames = burst(pack)
    assert struct.unpack_from("<h", frames[0x356])[0] == 7904
    assert struct.unpack_from("<Hh", frames[0x351]) == (8520, 32767)
    pack, rack = bench()
    rack.voltage_V = 790.4
    assert struct.unpack_from("<h", burst(pack)[0x356])[0] == 32767


# change of the rack, 0x359 protection bytes 0 and 1, the 0x35A pair that turns to 01
@cases("""
    attribute             value       first  second  pair
    "cell_voltage_V_max"  3.65        0x02   0       1
    "cell_voltage_V_min"  2.80        0x04   0       2
    "temperatures_degC"   [55.0] * 4  0x08   0       3
    "temperatures_degC"   [0.0] * 4   0x10   0       4
    "current_A"           140.0       0x80   0       7
    "current_A"           -150.0      0      0x01    8
    "fault_bits"          1           0      0x08    11
""")
def test_each_protection_has_its_bits(attribute, value, first, second, pair):
    (older, rack), (newer, newer_rack) = bench(), bench("V1.3")
    setattr(rack, attribute, value)
    setattr(newer_rack, attribute, value)
    # a protection is an alarm too
    assert burst(older)[0x359][:4] == bytes((first, second, first, second))
    pairs = burst(newer)[0x35A]
    active = [p for p in range(32) if pairs[p // 4] >> p % 4 * 2 & 3 == 1]
    assert active == [0, pair, 16, 16 + pair]


@cases("""attribute  value  first
    "cell_voltage_V_max"  3.60  0x02 | "cell_voltage_V_max"  3.59  0
    "cell_voltage_V_min"  2.85  0x04 | "cell_voltage_V_min"  2.86  0
    "temperatures_degC"  [52.0] * 4  0x08 | "temperatures_degC"  [51.9] * 4  0
    "temperatures_degC"  [3.0] * 4  0x10 | "temperatures_degC"  [3.1] * 4  0""")
def test_warnings_come_earlier(attribute, value, first):
    pack, rack = bench()
    setattr(rack, attribute, value)
    assert burst(pack)[0x359][:4] == bytes((0, 0, first, 0))


def test_a_burst_each_second_closes_when_it_hears_the_inverter():
    pack, _ = bench()
    times = [now_us for now_us in range(0, 5 * S_us, 20_000) if pack.frames(now_us)]
    assert (times, pack.next_us) == ([0, S_us, 2 * S_us, 3 * S_us, 4 * S_us], 5 * S_us)
    assert len(pack.frames(60 * S_us + 5)) == 6 and pack.next_us == 61 * S_us
    pack, rack = bench()
    pack.frames(0)
    pack.receive(0x306, bytes(8), 0)
    assert rack.commands == []
    for turn in range(3):
        pack.receive(0x305, bytes(8), turn * S_us)
    assert rack.commands == [True]
    pack.tick(7 * S_us)
    assert rack.commands == [True]
    pack.tick(7 * S_us + 1)
    pack.tick(9 * S_us)
    assert rack.commands == [True, False]
    pack.deaf = True
    pack.receive(0x305, bytes(8), 10 * S_us)
    assert rack.commands == [True, False]


def test_faults():
    pack, rack = bench()
    before = burst(pack)
    pack.frozen = True
    rack.voltage_V = 50.0
    assert burst(pack, S_us) == before
    pack.frozen = False
    assert struct.unpack_from("<h", burst(pack, 2 * S_us)[0x356])[0] == 5000
    pack.silent_ids, pack.overrides = {0x35C}, {0x351: b"\0" * 8}
    frames = burst(pack, 3 * S_us)
    assert 0x35C not in frames and frames[0x351] == bytes(8)
    pack.overrides, pack.negative_discharge_limit = {}, True
    assert struct.unpack_from("<h", burst(pack, 4 * S_us)[0x351], 4)[0] == -1355
    pack.silent = True
    assert burst(pack, 5 * S_us) == {}
