"""BMS on CAN by their profiles: the suite of all, captures, dialects, direction of the current."""

import csv
import itertools
import math
import random
import struct
from fractions import Fraction

import cantools
import pytest
from device_suite import CanSuite, Sink, rack_of, sent

from controller.config import can_dialects, can_profile, profiles
from controller.workbench import can_fits
from drivers import can_dialect, can_messages, profile
from drivers.can_bms import CanBms
from drivers.can_codec import EXTENDED, Fault, Value, word
from hil.devices.mirrored_bms import MirroredBms
from safety import signals as s
from tests.slow import slow
from tests.tables import cases

NAMES = sorted({each.name for each in can_dialects.shipped()} - {"firebreak_rack"})
SECOND_US = 1_000_000
CELLS = 15
RACK = rack_of(CELLS)
VALUES = {
    s.RACK_VOLTAGE_MV: 49_600,
    s.RACK_CURRENT_MA: 7000,
    s.CHARGE_CURRENT_MA_MAX: 100_000,
    s.DISCHARGE_CURRENT_MA_MAX: 120_000,
    s.SOC_PERMILLE: 550,
}


def made(name, **more):
    sink = Sink()
    profile = profiles.load(name)
    node = 1 if profile.settings["node_stride"] else 0
    more = {"rated_mA": VALUES[s.CHARGE_CURRENT_MA_MAX]} | more  # of one that reports no limits
    return CanBms(profile, 0, node, sink, sink.layout, (CELLS, 0), **more), sink


def values(profile):
    own = "discharge_current_mA_max" in profile.signals
    return VALUES if own else VALUES | {s.DISCHARGE_CURRENT_MA_MAX: 100_000}


def marked(can_id):
    return can_id | EXTENDED if can_id > 0x7FF else can_id


def bursts(name):
    """Call it for the frames of one cycle, of the ids that the profile needs."""
    profile = profiles.load(name)
    node = 1 if profile.settings["node_stride"] else 0
    device, us = MirroredBms(RACK, node, profile), itertools.count(0, 10 * SECOND_US)
    rows = [*profile.signals.values(), *profile.faults.values()]
    used = {row["message"] for row in rows}
    stride = profile.settings["node_stride"] * node
    ids = {
        profile.messages[each]["id"] + stride
        for each in profile.messages
        if each in used or profile.messages[each]["use"] == "required"
    }
    return lambda: [
        (marked(can_id), data) for can_id, data in device.frames(next(us)) if can_id in ids
    ]


def play(device, burst, *seconds):
    """The frames of a cycle at each of these times."""
    for second in seconds:
        for can_id, data in burst():
            device.on_frame(can_id, data, second * SECOND_US)


def joined(name, **more):
    """(device, sink, bursts) that has just confirmed its dialect."""
    device, sink = made(name, **more)
    burst = bursts(name)
    for early_us in (device.dialect.confirm_us, device.dialect.confirm_us // 2):
        for can_id, data in burst():
            device.on_frame(can_id, data, -early_us)
    device.on_frame(*burst()[0], 0)
    assert not sink.taken() and not any(sink.inp)
    device.frames = device.refused = device.bad_frames = 0
    return device, sink, burst


@pytest.mark.parametrize("name", NAMES, scope="class")
class TestEach(CanSuite):
    cycle_us = SECOND_US

    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.profile = profiles.load(name)
        groups = [s.G_BMS_STATE, s.G_BMS_PACK, s.G_BMS_LIMITS, s.G_BMS_CHARGE]
        groups += [s.G_BMS_CELLS] * can_profile.reports(self.profile, "cells_reported")
        self.groups = {Sink().layout.rack_group(0, group) for group in groups}
        self.burst = bursts(name)
        self.least = {}
        for row in self.profile.messages.values():
            self.least[row["id"]] = row["bytes"]

    def build(self):
        device, sink, self.burst = joined(self.profile.path.stem)
        play(device, self.burst, 0)  # the limits, by which a voltage is judged
        device.refused = 0
        sink.taken()
        return device, sink

    def frames(self, counter):
        return self.burst()

    def unheard(self):
        return made(self.profile.path.stem)[0]

    def asking(self):
        return {marked(row["id"]) for row in self.profile.sent.values() if row["asks"]}

    def test_an_id_of_another_dialect_ends_all_that_is_sent(self):
        for foreign in self.profile.settings["forbidden"]:
            device, _ = self.fed()
            device.on_frame(foreign, bytes(8), 3 * SECOND_US)
            assert sent(device, 20) == []

    def short_bytes(self, can_id):
        plain = can_id & ~EXTENDED
        plain -= self.profile.settings["node_stride"]
        return self.least[plain] - 1

    def test_values(self):
        _, sink = self.fed()
        rack = sink.layout.rack_input(0, 0)
        for index, value in values(self.profile).items():
            assert abs(sink.inp[rack + index] - value) <= max(100, value // 100), index
        if s.G_BMS_CELLS + sink.layout.rack_group(0, 0) in self.groups:
            lowest, highest = [
                sink.inp[rack + at] for at in (s.CELL_VOLTAGE_MV_MIN, s.CELL_VOLTAGE_MV_MAX)
            ]
            assert (lowest, highest) == (3301, 3312)

    def test_a_fault_is_reported(self, monkeypatch):
        device, sink = self.fed()
        monkeypatch.setattr(RACK, "fault_bits", 1)
        play(device, self.burst, 3)
        bits = sink.inp[sink.layout.rack_input(0, s.BMS_FAULT_BITS)]
        assert bits & self.profile.mask("trip")

    def test_ids_of_another_dialect_are_none_of_its_own(self):
        own = {each.can_id for each in can_messages.ids(self.profile)}
        assert own.isdisjoint(self.profile.settings["forbidden"])


# -- captures

EXPECTED = {
    "ccl": (s.CHARGE_CURRENT_MA_MAX, 1000),
    "dcl": (s.DISCHARGE_CURRENT_MA_MAX, 1000),
    "max_charge_a": (s.CHARGE_CURRENT_MA_MAX, 1000),
    "max_discharge_a_raw": (s.DISCHARGE_CURRENT_MA_MAX, 1000),
    "max_discharge_a": (s.DISCHARGE_CURRENT_MA_MAX, 1000),
    "charge_current_request": (s.CHARGE_CURRENT_MA_MAX, 1000),
    "soc": (s.SOC_PERMILLE, 10),
    "soh": (s.SOH_PERMILLE, 10),
    "voltage": (s.RACK_VOLTAGE_MV, 1000),
    "current": (s.RACK_CURRENT_MA, -1000),
    "cell_v_min": (s.CELL_VOLTAGE_MV_MIN, 1000),
    "cell_v_max": (s.CELL_VOLTAGE_MV_MAX, 1000),
}
# source and version: the profile that fits, others that decode it right as well
FITTING = {
    ("byd_lvs_victron", ""): ("victron_cells", ["pylontech_lv"]),
    ("setfirelabs_pylontech", "V1.2"): ("pylontech_lv", []),
    ("setfirelabs_pylontech", "V1.3"): ("pylontech_lv", []),
    ("python_mqtt_pylontech", ""): ("pylontech_lv", []),
    ("pytes_1088", ""): (None, []),
    ("be_pylon_hv_header", ""): ("pylontech_hv", []),
    ("ocell_j1939", ""): ("j1939_like", []),
}


@pytest.fixture(scope="module")
def captures(shared):
    """{(source, version): {id: [(data, {index: value})]}} of the frames that a BMS sent."""
    found = {}
    with (shared / "protocols/vectors/can_frames.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["kind"] == "single_bit_probe" or row["expected"].startswith("inverter"):
                continue
            if "GX keep-alive" in row["note"] or row["signal"] == "first frame after power up":
                continue
            version = row["note"][:4] if row["note"].startswith("V1.") else ""
            can_id = int(row["can_id_hex"], 16) | EXTENDED * (row["extended"] == "1")
            frames = found.setdefault((row["source"], version), {}).setdefault(can_id, {})
            values = frames.setdefault(bytes.fromhex(row["data_hex"]), {})
            if row["signal"] in EXPECTED:
                index, scale = EXPECTED[row["signal"]]
                is_j1939 = row["protocol"].startswith("j1939") and row["signal"] == "current"
                values[index] = round(float(row["expected"]) * scale * (-1 if is_j1939 else 1))
    return found


def test_the_captures_are_those_that_are_known(captures):
    assert set(captures) == set(FITTING)


def _replayed(name, frames, join):
    """The groups that became fresh; no value may be another than the capture's at any moment."""
    device, sink = made(name)
    if device.node:
        device = CanBms(device.profile, 0, 0, sink, sink.layout, (CELLS, 0))
    groups, told, ids = set(), {}, list(frames)
    rack, first = sink.layout.rack_input(0, 0), sink.layout.rack_group(0, 0)
    for number in range(join, join + 7 * len(ids)):
        cycle, at = divmod(number, len(ids))
        shots = list(frames[ids[at]].items())
        data, values = shots[cycle % len(shots)]
        told.update(values)
        now_us = cycle * SECOND_US + at * 1000
        device.on_frame(ids[at], data, now_us)
        if now_us < 2 * SECOND_US:
            assert not any(sink.fresh), "before two periods"
        taken = {group - first for group in sink.taken()}
        groups |= taken
        for row, (_, _, _, _, group) in enumerate(s.RACK_INPUTS):
            if group in taken and row in told:
                assert sink.inp[rack + row] == told[row], (name, join, s.RACK_INPUTS[row][0])
    return groups, device


@pytest.mark.parametrize("key", FITTING)
def test_a_capture_decodes_right_or_is_refused_at_every_moment_of_joining(captures, key):
    fits, others = FITTING[key]
    frames = captures[key]
    for name in NAMES:
        for join in range(len(frames)):
            groups, device = _replayed(name, frames, join)
            if name == fits or name in others:
                assert {s.G_BMS_PACK, s.G_BMS_LIMITS, s.G_BMS_CHARGE, s.G_BMS_STATE} <= groups
                assert device.report(8 * SECOND_US)[0] in (can_dialect.OK, can_dialect.STOPPED)
            else:
                assert not groups, (name, join)
                state, can_id = device.report(8 * SECOND_US)
                assert state != can_dialect.OK
                assert state != can_dialect.FOREIGN or can_id in frames
                assert state != can_dialect.MISSING or can_id not in frames


@pytest.fixture(scope="module")
def shipped():
    return [profiles.load(name) for name in (*NAMES, "firebreak_rack")]


def fitting(shipped, frames):
    """(profile, node) of the best by the frames of eight cycles."""
    heard = [
        (second * SECOND_US + at * 1000, can_id, data)
        for second in range(8)
        for at, (can_id, data) in enumerate(frames)
    ]
    found = can_fits.best(can_fits.fits(shipped, heard))
    return [(each.profile.path.stem, each.node) for each in found]


def test_the_evidence_of_each_profile_is_what_its_captures_hold(captures):
    told = {name: set() for name in NAMES}
    for key, (name, _) in FITTING.items():
        for shots in captures[key].values() if name else ():
            indexes = [index for values in shots.values() for index in values if values[index]]
            told[name].update([s.RACK_INPUTS[index][0] for index in indexes])
    told["seplos"] = {"cell_voltage_mV_min", "cell_voltage_mV_max"}  # a frame of its document
    assert {name: set(profiles.load(name).evidence_of) for name in NAMES} == told


@pytest.mark.parametrize("key", FITTING)
def test_a_refusal_names_the_profile_that_fits(captures, shipped, key):
    name = FITTING[key][0]
    number = can_dialects.number_of(captures[key])
    assert (can_dialects.names()[number - 1] if number else None) == name
    frames = [(can_id, next(iter(shots))) for can_id, shots in captures[key].items()]
    for join in range(len(frames)):
        found = fitting(shipped, frames[join:] + frames[:join])
        assert found == ([(name, 0)] if name else []), join


# -- dialects


@pytest.mark.parametrize("name", NAMES)
def test_frames_of_each_dialect_are_decoded_by_none_that_reads_them_wrongly(name, shipped):
    """Each simulated dialect is fed to every profile."""
    burst = bursts(name)
    frames = burst()
    number = can_dialects.number_of([can_id for can_id, _ in frames])
    assert can_dialects.names()[number - 1] == name
    stride = profiles.load(name).settings["node_stride"]
    assert fitting(shipped, frames) == [(name, 1 if stride else 0)]
    for other in NAMES:
        device, sink = made(other)
        play(device, lambda: frames, *range(6))
        rack = sink.layout.rack_input(0, 0)
        for index, value in values(device.profile).items() if sink.taken() else ():
            assert abs(sink.inp[rack + index] - value) <= 500, (other, index)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_counts_before_two_periods_and_without_a_required_id(name):
    device, sink = made(name)
    burst = bursts(name)
    needed = [each.can_id for each in can_messages.ids(device.profile) if each.is_required]
    node = device.node * device.profile.settings["node_stride"]
    for missing in needed:
        device, sink = made(name)
        left = [each for each in burst() if each[0] != missing + node]
        play(device, lambda left=left: left, *range(6))
        assert not any(sink.fresh) and not any(sink.inp)
        assert device.report(6 * SECOND_US) == (can_dialect.MISSING, missing + node)


def test_a_forbidden_id_ends_it_until_a_restart():
    device, sink, burst = joined("pylontech_lv")
    device.on_frame(0x150, bytes(8), 0)
    play(device, burst, *range(9))
    assert not any(sink.fresh) and device.report(9 * SECOND_US) == (can_dialect.FOREIGN, 0x150)


def test_after_a_silence_the_dialect_is_confirmed_again():
    device, sink, burst = joined("pylontech_lv")
    for second in (1, 2, 10, 11):
        sink.taken()
        play(device, burst, second)
        assert bool(sink.taken()) == (second < 10)


def test_a_required_id_that_stops_ends_all():
    device, sink, burst = joined("pylontech_lv")
    for second in range(1, 9):
        sink.taken()
        for can_id, data in burst():
            if can_id != 0x355 or second < 3:
                device.on_frame(can_id, data, second * SECOND_US)
    assert not any(sink.fresh) and device.report(8 * SECOND_US) == (can_dialect.STOPPED, 0x355)


# -- the direction of the current


@cases("""flow  times  is_refused
    -5000  5  False | -5000  6  True | 5000  9  False | 0  9  False""")
def test_a_converter_that_contradicts_the_direction_refuses_the_rack(flow, times, is_refused):
    """RACK discharges with 7 A."""
    device, sink, burst = joined("pylontech_lv", flow=lambda: flow, sign_mA=5000)
    for second in range(1, times + 1):
        sink.taken()
        play(device, burst, second)
    assert device.is_sign_wrong == is_refused
    assert (device.report(times * SECOND_US)[0] == can_dialect.SIGN) == is_refused
    assert (sink.layout.rack_group(0, s.G_BMS_PACK) in sink.taken()) != is_refused


def test_a_small_current_contradicts_nobody_and_the_sign_is_never_turned():
    device, sink, burst = joined("pylontech_lv", flow=lambda: -5000, sign_mA=8000)
    play(device, burst, *range(1, 20))
    assert not device.is_sign_wrong
    assert sink.inp[sink.layout.rack_input(0, s.RACK_CURRENT_MA)] == 7000


@pytest.mark.parametrize("sign_mA, is_refused", [(0, False), (1, True)])
def test_the_direction_is_judged_from_the_smallest_stated_current_on(sign_mA, is_refused):
    device, _, burst = joined("pylontech_lv", flow=lambda: -5000, sign_mA=sign_mA)
    play(device, burst, *range(1, 7))
    assert device.is_sign_wrong == is_refused


def test_a_scale_wrong_by_ten_is_told():
    """bms-to-inverter 34, 107: Discover AES sends steps of 0.1 V, like Sol-Ark V1.3."""
    device, sink, burst = joined("pylontech_lv")
    for second in range(1, 9):
        for can_id, data in burst():
            data = struct.pack("<hhh", 496, -70, 200) if can_id == 0x356 else data
            device.on_frame(can_id, data, second * SECOND_US)
    assert sink.layout.rack_group(0, s.G_BMS_PACK) not in sink.taken()
    assert device.report(8 * SECOND_US) == (can_dialect.REFUSED, 0x356)


def test_a_pile_without_the_offset_of_its_current_is_no_short_circuit():
    """Battery-Emulator: some Pylontech HV counterparts send no offset of 3000 A."""
    device, sink, burst = joined("pylontech_hv")
    for second in range(1, 9):
        for can_id, data in burst():
            plain = can_id & ~EXTENDED
            data = data[:2] + bytes(2) + data[4:] if plain == 0x4211 else data
            data = data[:4] + bytes(4) if plain == 0x4221 else data
            device.on_frame(can_id, data, second * SECOND_US)
    fresh = {group - sink.layout.rack_group(0, 0) for group in sink.taken()}
    assert fresh == {s.G_BMS_CELLS} and device.report(8 * SECOND_US)[0] == can_dialect.REFUSED


def test_many_readings_within_a_turn_of_the_power_are_no_contradiction():
    device, sink, burst = joined("foxbms2", flow=lambda: -5000, sign_mA=5000)
    for step in range(1, 50):
        for can_id, data in burst():
            device.on_frame(can_id, data, step * 100_000)
    assert not device.is_sign_wrong


def test_readings_that_agree_begin_the_count_anew():
    flow = [-5000] * 5 + [5000] + [-5000] * 5
    device, sink, burst = joined("pylontech_lv", flow=lambda: flow.pop(0), sign_mA=5000)
    play(device, burst, *range(1, 12))
    assert not flow and not device.is_sign_wrong


def test_a_lowest_cell_above_the_highest_is_refused(monkeypatch):
    device, sink, burst = joined("victron_cells")
    monkeypatch.setattr(RACK, "cell_voltage_V_min", 3.313)
    play(device, burst, 1)
    assert sink.layout.rack_group(0, s.G_BMS_CELLS) not in sink.taken() and device.refused
    assert device.misfit == ("cell_voltage_mV_min", 3313, 0, 3312)


# -- the codec, judged by cantools


def test_any_field_reads_as_by_cantools():
    draw = random.Random(1)
    for _ in range(200):
        length, is_big, is_signed = draw.randint(1, 32), draw.random() < 0.5, draw.random() < 0.5
        start = draw.randrange(64)
        text = (
            f'VERSION ""\nBU_: A\nBO_ 16 M: 8 A\n SG_ x : {start}|{length}@{int(not is_big)}'
            f'{"-" if is_signed else "+"} (1,0) [0|0] "" A\n'
        )
        try:
            message = cantools.database.load_string(text, "dbc", strict=True).messages[0]
        except cantools.database.Error:
            continue
        row = {"start": start, "length": length, "order": "big" if is_big else "little"}
        row |= {"signed": is_signed, "scale": 1, "offset": 0, "range": [-(1 << 32), 1 << 32]}
        row |= {"invalid": [], "values": {}, "otherwise": None, "magnitude": False}
        for data in (draw.randbytes(8), bytes(8), b"\xff" * 8):
            assert Value(row).value(word(data)) == message.decode(data)["x"], row


@cases("""form  raw  bits
    "bits"  0b0110  0b0110 | "any"  0b0110  1 | "any"  0  0 | "zeros"  0b0110  0b1001
    "pairs"  0b0110  0b10 | "pairs"  0b0101  0b11 | "pairs"  0b1010  0 | "pairs"  0b1111  0
    "any pair"  0b0100  1 | "any pair"  0b1010  0""")
def test_forms_of_fault_bits(form, raw, bits):
    row = {"start": 8, "length": 4, "order": "little", "bit": 3, "form": form}
    assert Fault(row).bits(word(bytes((0, raw)))) == bits << 3


# -- random frames, judged bit by bit

ZERO = (s.CHARGE_CURRENT_MA_MAX, s.DISCHARGE_CURRENT_MA_MAX)  # of a direction that is not allowed
INDEX = {row[0]: index for index, row in enumerate(s.RACK_INPUTS)}


def _bits(row, data):
    """The raw value of a signal, without code of the driver; None: the frame is too short."""
    if row["order"] == "little":
        places = [row["start"] + bit for bit in range(row["length"])]
    else:
        line = [8 * byte + bit for byte in range(8) for bit in range(7, -1, -1)]
        first = line.index(row["start"])
        places = line[first : first + row["length"]][::-1]
    if max(places) >= 8 * len(data):
        return None
    raw = sum((data[place // 8] >> place % 8 & 1) << at for at, place in enumerate(places))
    top = 1 << row["length"] - 1
    return raw - 2 * top if row["signed"] and raw & top else raw


def _judged(row, data):
    raw = _bits(row, data)
    if raw is None or raw in row["invalid"]:
        return None
    if row["values"]:
        return row["values"].get(str(raw), row["otherwise"])
    value = math.floor(Fraction(str(row["scale"])) * raw + Fraction(str(row["offset"])))
    value = abs(value) if row["magnitude"] else value
    return value if row["range"][0] <= value <= row["range"][1] else None


@pytest.mark.parametrize("count", [300, *slow(100_000)])
@pytest.mark.parametrize("name", NAMES)
def test_of_random_frames_only_values_that_were_sent_are_stored(name, count):
    device, sink, burst = joined(name)
    draw, frames, profile = random.Random(name), burst(), device.profile
    stride = profile.settings["node_stride"] * device.node
    of = {marked(row["id"]) + stride: each for each, row in profile.messages.items()}
    rated = {100_000} if can_profile.lacks_limits(profile) else set()
    sent = {index: {0} | rated for index in ZERO}
    rack, first = sink.layout.rack_input(0, 0), sink.layout.rack_group(0, 0)
    for number in range(count):
        can_id, data = draw.choice(frames)
        if draw.random() < 0.5:
            at = draw.randrange(len(data))
            data = data[:at] + bytes((draw.randrange(256),)) + data[at + 1 :]
        data = draw.randbytes(8) if draw.random() < 0.1 else data
        for signal, row in profile.signals.items():
            if row["message"] == of[can_id] and signal in INDEX:
                sent.setdefault(INDEX[signal], set()).add(_judged(row, data))
        device.on_frame(can_id, data, number * 50_000)
        for group in {group - first for group in sink.taken()} - {s.G_BMS_CELLS}:
            for index, (_, _, _, _, own_group) in enumerate(s.RACK_INPUTS):
                if own_group == group and index in sent and index != s.RACK_VOLTAGE_MV:
                    assert sink.inp[rack + index] in sent[index], s.RACK_INPUTS[index][0]
    assert device.frames > count // 4 and device.refused > 0


# -- a profile of a maker: the example of the README, and one by a DBC file

README = (profile.FOLDER.parent / "README.md").read_text(encoding="ascii")


def own(tmp_path, text, size=CELLS, modules=0, node=2):
    path = tmp_path / "own.toml"
    path.write_text(text, encoding="ascii")
    sink, loaded = Sink(modules=modules), profiles.load(str(path))
    sizes = size, modules
    return CanBms(loaded, 0, node, sink, sink.layout, sizes), sink


def fed(device, frames, seconds=4):
    for second in range(seconds):
        for can_id, data in frames(second):
            device.on_frame(marked(can_id), data, second * SECOND_US)


def inputs(sink, *indexes):
    return tuple([sink.inp[sink.layout.rack_input(0, index)] for index in indexes])


def test_the_example_of_the_readme(tmp_path):
    text = README[README.index("## Example: a rack") : README.index("Signals: those above")]
    device, sink = own(tmp_path, "\n".join([line[4:] for line in text.splitlines()[1:]]), 19)
    cells = [3300 + cell for cell in range(19)]
    cells[7] = 0xFFFF  # of a cell that the BMS does not see

    def frames(second):
        yield 0x420, struct.pack("<Hh", 500, 20) + struct.pack(">HH", 550, 0)
        yield 0x421, struct.pack("<HHBB", 1000, 1200, 0b10, 4)
        for page in range(7):
            three = (cells[3 * page : 3 * page + 3] + [0] * 2)[:3]
            yield 0x18F00121, struct.pack("<B3HB", page, *three, 0)

    fed(device, frames)
    assert inputs(sink, s.RACK_VOLTAGE_MV, s.RACK_CURRENT_MA) == (50_000, -2000)
    assert inputs(sink, s.SOC_PERMILLE, s.SOH_PERMILLE, s.CELLS_ONLINE) == (550, 0, 18)
    assert inputs(sink, s.CHARGE_CURRENT_MA_MAX, s.DISCHARGE_CURRENT_MA_MAX) == (100_000, 120_000)
    assert inputs(sink, s.CELL_VOLTAGE_MV_MIN, s.CELL_VOLTAGE_MV_MAX) == (3300, 3318)
    assert inputs(sink, s.CELL_POSITION_MIN, s.CELL_POSITION_MAX) == (0, 32 + 2)
    assert inputs(sink, s.BMS_FAULT_BITS) == (0b1_0000_0010,)
    assert device.command(0) == [(0x4A0, b"\0")] and device.command(1) == [(0x4A0, b"\1")]
    assert device.command_period_us == 500_000 and device.refused <= 3 * 9


DBC = """VERSION ""
BO_ 2566834689 PACK: 8 A
 SG_ Voltage : 7|16@0+ (0.1,0) [0|0] "V" B
 SG_ Current : 23|16@0- (0.1,-5) [0|0] "A" B
 SG_ Soc : 32|8@1+ (0.5,0) [0|0] "%" B
 SG_ Count : 40|4@1+ (1,0) [0|0] "" B
BO_ 300 MORE: 8 A
 SG_ Page M : 0|8@1+ (1,0) [0|0] "" B
 SG_ ChargeMax m1 : 15|16@0+ (0.1,0) [0|0] "A" B
 SG_ DischargeMax m2 : 15|16@0+ (0.1,0) [0|0] "A" B
 SG_ Fault m2 : 24|1@1+ (1,0) [0|0] "" B
"""
BY_DBC = """maker = "N. N."
model = "by DBC"
family = "can_bms"
documents = ["own.dbc"]
[timing]
period_ms = 1000
turnaround_ms = 0
timeout_ms = 3000
[settings]
dbc = "own.dbc"
[messages]
pack = {dbc = "PACK", counter = {start = 40, length = 4}, check = "sum8"}
more = {dbc = "MORE", mux = {start = 0, length = 8}}
heat = {id = 5, ids = 2}
[signals]
rack_voltage_mV = {message = "pack", signal = "Voltage", scale = 1000, range = [0, 1000000]}
rack_current_mA = {message = "pack", signal = "Current", scale = 1000, range = [-400000, 400000]}
soc_permille = {message = "pack", signal = "Soc", scale = 10, range = [0, 1000]}
charge_current_mA_max = {message = "more", signal = "ChargeMax", scale = 1000, range = [0, 400000]}
[signals.discharge_current_mA_max]
message = "more"
signal = "DischargeMax"
scale = 1000
range = [0, 400000]
[arrays.module_temperature_ddegC]
message = "heat"
starts = [0, 16, 32, 48]
length = 16
signed = true
range = [-400, 1500]
[faults]
fault = {message = "more", signal = "Fault", bit = 3}
[fault_bits]
trip = {fault = 3}
warn = {}
info = {}
"""


@pytest.mark.parametrize("break_at", ["", "check", "counter", "heat", "hot"])
def test_a_profile_by_a_dbc_file_with_pages_counter_and_check(tmp_path, break_at):
    (tmp_path / "own.dbc").write_text(DBC)
    device, sink = own(tmp_path, BY_DBC, modules=6)
    messages = cantools.database.load_string(DBC).messages
    pack, more = sorted(messages, key=lambda each: each.name, reverse=True)
    degrees = [200 + module for module in range(6)]

    def frames(second):
        count = 0 if break_at == "counter" else second % 16
        values = {"Voltage": 512.3, "Current": -7.5, "Soc": 55, "Count": count}
        data = bytearray(pack.encode(values, strict=False))
        data[7] = (pack.frame_id + 8 + sum(data[:7]) + (break_at == "check")) & 0xFF
        yield pack.frame_id, bytes(data)
        yield more.frame_id, more.encode({"Page": 1, "ChargeMax": 90.5})
        yield more.frame_id, more.encode({"Page": 2, "DischargeMax": 100.5, "Fault": 1})
        yield 5, struct.pack("<4h", *degrees[:4])
        if break_at != "heat":
            last = 9999 if break_at == "hot" else degrees[5]
            yield 6, struct.pack("<4h", degrees[4], last, 9999, 9999)

    fed(device, frames, 6)
    if break_at == "hot":
        groups = {group - sink.layout.rack_group(0, 0) for group in sink.taken()}
        assert s.G_BMS_TEMPERATURES not in groups and s.G_BMS_PACK in groups
        return
    if break_at:
        assert not any(sink.fresh) and not any(sink.inp)
        return
    assert inputs(sink, s.RACK_VOLTAGE_MV, s.RACK_CURRENT_MA) == (512_300, -7500)
    assert inputs(sink, s.SOC_PERMILLE, s.BMS_FAULT_BITS) == (550, 8)
    assert inputs(sink, s.CHARGE_CURRENT_MA_MAX, s.DISCHARGE_CURRENT_MA_MAX) == (90_500, 100_500)
    first = s.MODULE_TEMPERATURE_DDEGC
    assert inputs(sink, *range(first, first + 6)) == tuple(degrees)


def test_the_rig_mirrors_a_profile_by_a_dbc_file(tmp_path, monkeypatch):
    (tmp_path / "own.dbc").write_text(DBC)
    device, sink = own(tmp_path, BY_DBC, modules=6)
    monkeypatch.setattr(RACK, "temperatures_degC", [20.0, 21.0, 22.0, 23.0, 24.0, 25.5])
    mirror = MirroredBms(RACK, 0, device.profile)
    fed(device, lambda second: mirror.frames(second * SECOND_US), 6)
    found = inputs(sink, s.RACK_VOLTAGE_MV, s.RACK_CURRENT_MA, s.CHARGE_CURRENT_MA_MAX)
    assert found == (49_600, 7000, 100_000) and device.bad_frames == 0
    assert inputs(sink, s.MODULE_TEMPERATURE_DDEGC + 5) == (255,)
