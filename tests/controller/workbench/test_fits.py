"""Which profile fits a device: registers of a map as a dictionary, real captures of CAN."""

import csv
import struct

import pytest
from test_pylontech import BOTH

from controller.config import profiles
from controller.workbench import can_fits, fits
from drivers import can_messages
from drivers.can_codec import EXTENDED
from tests.tables import cases


def f32(*values):
    return [word for each in values for word in struct.unpack(">HH", struct.pack(">f", each))]


def low_first(*values):
    return [word for each in values for word in struct.unpack(">HH", struct.pack(">i", each))[::-1]]


def device(function, *blocks):
    """A read of a device that holds (address, words); others are exception 2."""
    words = {at + n: word for at, found in blocks for n, word in enumerate(found)}

    def read(asked, address, count):
        found = [words.get(at) for at in range(address, address + count)]
        if asked != function or None in found:
            return "exception 2"
        return struct.pack(f">{count}H", *found)

    return read


AMPS, WATTS = (10, 11, 12), (2300, 2500, 2700)
SDM630 = device(4, (0, f32(231, 232, 230.5, *AMPS, *WATTS) + [0] * 12 + f32(0.99, 0.99, 0.99)))
EM24 = device(
    4,
    (0, low_first(2310, 2320, 2305, 0, 0, 0, 10_000, 11_000, 12_000, 23_000, 25_000, 27_000)),
    (24, [0] * 16 + low_first(75_000) + [0] * 8 + [990, 990, 990, 0, 0, 500] + [0] * 40),
)
SUNS = (40000, [0x5375, 0x6E53, 1, 65] + [0] * 65 + [203, 105])
METER = [330, 100, 110, 120, 0xFFFF, 2300, 2300, 2310, 2305, 0, 0, 0, 0, 0xFFFF, 500, 0xFFFF]
SUNSPEC = device(
    3, SUNS, (40071, [*METER, 7500, 2300, 2500, 2700, 0] + [0] * 84), (40176, [65535, 0])
)
SUNGROW = device(
    4, (13019, [2500] + [0] * 13 + low_first(1500)), (5000, [100]), (5213, low_first(1600))
)
# the chain begins at 50000: model 103 with 5 x 10^3 W, model 123, its factor is -2
PV_WORDS = [0x5375, 0x6E53, 103, 20, *[0] * 12, 5, 3, *[0] * 6, 123, 24, *[0] * 21, 65534]
PV_WORDS += [0, 0, 65535, 0]
PV = device(3, (50000, PV_WORDS))
NO_FACTOR = "power_W (50016): its scale factor power_scale is none"
RACK = device(
    4,
    (18, [0] * 51),
    (549, [1, 1, 500, 990, *[0] * 8, 7000, *[0] * 6]),
    (5121, [3250]),
    (6145, [250]),
)
POWERS = "its powers do not fit voltage x current, or its total not its phases"
NAMES = (
    *("sdm630", "sdm72_v2", "em24_rs485", "em24_ethernet", "em340", "sunspec_meter_203", "abb_b23"),
    *("sunspec_meter_201", "sungrow_sh", "solax_x3", "climate_monitor", "io_8in_8out"),
    *("sunspec_pcs", "chiller_contact", "sunspec_pv", "bcu_ems"),
)


@pytest.fixture(scope="module")
def every():
    return [profiles.load(name) for name in NAMES]


@cases("""
    read  name  certainty  proofs
    SDM630  "sdm630"  "plausible"  0 | EM24  "em24_rs485"  "plausible"  0
    SUNSPEC  "sunspec_meter_203"  "identity"  1 | SUNGROW  "sungrow_sh"  "plausible"  0
    PV  "sunspec_pv"  "identity"  2 | RACK  "bcu_ems"  "plausible"  0
""")
def test_a_map_is_found_among_the_profiles(every, read, name, certainty, proofs):
    best, *others = fits.fits(every, read)
    assert (best.profile.path.stem, best.reason, best.certainty) == (name, "", certainty)
    assert len(best.proofs) == proofs and all(each.rank < best.rank for each in others)


@cases("""
    read  name  reason
    SUNSPEC  "sunspec_meter_201"  "SunSpec model 201 missing"
    SUNSPEC  "sunspec_pv"  "SunSpec model 101 or 102 or 103 missing"
    device(3, (50000, PV_WORDS[:17] + [0x8000] + PV_WORDS[18:]))  "sunspec_pv"  NO_FACTOR
    EM24  "em24_ethernet"  "identity.model (3:11): exception 2"
    EM24  "em340"  "frequency (51) reads 99; allowed 40..70 Hz"
    SUNSPEC  "sunspec_pcs"  "SunSpec model 701 is missing; it has 1, 203"
    SDM630  "sunspec_pcs"  "no SunS at register 40000, 50000, 0"
    device(4, (0, [0] * 99))  "sdm630"  "voltage_1 (0) reads 0 V, nominal 230 V"
    device(4, (0, f32(231, 232, 230, 1, 1, 1, 9e3, 1, 1)+[0]*20))  "sdm630"  POWERS
    device(4, (0, [0] * 9))  "ups_monitor"  fits.ZEROS
    lambda *place: "no answer"  "em340"  "registers.voltage_1 (4:0): no answer"
""")
def test_the_first_reason_against_a_profile(read, name, reason):
    assert fits.judged(profiles.load(name), read).reason == reason


def test_the_nameplate_of_a_sunspec_device():
    text = [*struct.unpack(">16H", b"ACME".ljust(32, b"\0")), *[0] * 49]
    read = device(3, (40000, [0x5375, 0x6E53, 1, 65, *text, 65535, 0]))
    models = fits.chain_of(read, fits.SUNSPEC_BASES)
    assert models == [(1, 40002, 65)] and fits.nameplate(read, models) == "ACME"


# -- CAN


def captured(shared, source):
    """The frames of a real capture."""
    with open(shared / "protocols" / "vectors" / "can_frames.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == source]
    rows = [row for row in rows if row["kind"] != "single_bit_probe"]
    return repeated({int(row["can_id_hex"], 16): row["data_hex"] for row in rows})


def repeated(frames):
    """Eight seconds of frames, once a second."""
    return [
        (second * 1_000_000, can_id | (EXTENDED if can_id > 0x7FF else 0), bytes.fromhex(data))
        for second in range(8)
        for can_id, data in sorted(frames.items())
    ]


BMS = ("pylontech_lv", "pylontech_hv", "victron_cells", "orion2", "j1939_like", "firebreak_rack")


@pytest.mark.parametrize(
    "source, name, against",
    [
        ("byd_lvs_victron", "victron_cells", ("orion2", "the id 373 is of another dialect")),
        (
            "setfirelabs_pylontech",
            "pylontech_lv",
            ("victron_cells", "the required id 373 did not "),
        ),
        (
            "be_pylon_hv_header",
            "pylontech_hv",
            ("pylontech_lv", "the required id 351 did not come"),
        ),
        ("ocell_j1939", "j1939_like", ("firebreak_rack", "the required id 100 did not come")),
    ],
)
def test_a_real_capture_finds_its_dialect(shared, source, name, against):
    assert_fits(captured(shared, source), name, against)


def assert_fits(frames, name, against):
    found = can_fits.fits([profiles.load(each) for each in BMS], frames)
    assert (found[0].profile.path.stem, found[0].reason) == (name, "") and found[0].taken > 0
    reasons = {each.profile.path.stem: each.reason for each in found}
    assert reasons[against[0]].startswith(against[1])


@cases("""
    name  reason
    "victron_cells"  "the required id 373 did not come"
    "orion2"  "the id 359 is of another dialect"
    "pylontech_hv"  "the required id 00004210 did not come"
    "j1939_like"  "the required id 18FF28F4 did not come"
    "firebreak_rack"  "the required id 100 did not come"
""")
def test_made_frames_find_their_dialect(name, reason):
    assert_fits(repeated(dict(BOTH)), "pylontech_lv", (name, reason))


def test_ids_have_a_period_and_lengths_and_a_wrong_length_is_named():
    frames = repeated(dict(BOTH))
    frames = [(at, each, data[:5] if each == 0x351 else data) for at, each, data in frames]
    (first, *_) = can_fits.heard(frames)
    assert first == (0x351, 8, 1_000_000, [5])
    (fit,) = can_fits.fits([profiles.load("pylontech_lv")], frames)
    assert fit.reason == "messages.limits (351) has 5 bytes; allowed 6..8"


def test_ids_of_a_node_are_its_stride_further():
    profile = profiles.load("pylontech_hv")
    profile.settings["node_stride"] = 16
    plain, moved = [[each.can_id for each in can_messages.ids(profile, node)] for node in (0, 2)]
    assert plain and moved == [each + 32 for each in plain]
