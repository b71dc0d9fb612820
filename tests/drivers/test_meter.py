"""Meter family: refused readings, accepted readings, captured replies of real meters."""

import csv
import math
import struct

import pytest
from device_suite import Sink

from controller.config import profiles
from controller.forms.refusal import ConfigError
from drivers import profile
from drivers.meter import Meter
from safety import signals
from tests.tables import cases

REGISTERS = 36


def words(
    voltage_V=(230.0, 231.0, 229.0),
    current_A=(100.0, 90.0, 80.0),
    power_W=(22_000.0, 20_000.0, 18_000.0),
    factor=(0.97, 0.96, 0.98),
):
    """Registers 0..35 of an SDM630."""
    values = [*voltage_V, *current_A, *power_W, *[0.0] * 6, *factor]
    return dict(enumerate(struct.unpack(">36H", struct.pack(">18f", *values))))


def meter(inverted=False, name="sdm630", unit_id=1, period_ms=None, **rating):
    profile_ = profiles.load(name)
    profile_.period_ms = period_ms or profile_.period_ms
    profile_.settings["inverted"] = inverted
    sink = Sink()
    places = signals.GRID_POWER_W, signals.GRID_RAW_HASH, signals.G_METER_GRID
    return Meter(profile_, unit_id, sink, *places, **rating), sink


def fed(registers, **options):
    device, sink = meter(**options)
    feed(device, registers)
    return device, sink


def feed(device, registers):
    (request,) = device.fast()
    data = struct.pack(">36H", *[registers[register] for register in range(REGISTERS)])
    request.on_reply(bytes((4, len(data))) + data, 0)


@cases("""power_W  inverted  total_W
    (22e3, 20e3, 18e3)  False  60_000 | (-22e3, 20e3, 18_000.4)  False  16_000
    (22e3, 20e3, 18e3)  True  -60_000""")
def test_power_is_the_sum_of_the_phases(power_W, inverted, total_W):
    device, sink = fed(words(power_W=power_W), inverted=inverted)
    assert sink.inp[signals.GRID_POWER_W] == total_W
    assert sink.taken() == {signals.G_METER_GRID} and device.refused == 0
    assert device.quality(0) == (1000, 0)  # 230 V of 230 V; the frequency is read seldom
    assert device.lowest_permille == 995


@cases("""
    power_W_max  power_W  refused
    60_000  (22e3, 20e3, 18e3)  0 | 59_999  (22e3, 20e3, 18e3)  1
    60_000  (-22e3, -20e3, -18e3)  0 | 59_999  (-22e3, -20e3, -18e3)  1
""")
def test_more_than_the_rating_is_refused_both_ways(power_W_max, power_W, refused):
    device, sink = fed(words(power_W=power_W), power_W_max=power_W_max)
    assert device.refused == refused == 1 - len(sink.taken())


@cases("""name  count  every_us
    "sdm630"  36  100_000 | "firebreak_fast_meter"  26  20_000""")
def test_one_read_of_input_registers(name, count, every_us):
    device, _ = meter(name=name)
    (request, period_us), *slow = device.periodic()
    assert [each.key[1] for each, _ in slow] == ["slow 1"] * (name == "sdm630")
    assert (request.frame[1:6], period_us) == (bytes((4, 0, 0, 0, count)), every_us)
    assert request.reply_bytes == 5 + 2 * count
    assert device.schedule()[0][0].frame == request.frame


@pytest.mark.parametrize(
    "change",
    [
        {"voltage_V": (45.9, 230.0, 230.0), "power_W": (0.0,) * 3},
        {"voltage_V": (230.0, 345.1, 230.0)},
        {"voltage_V": (230.0, 230.0, 0.0), "power_W": (0.0,) * 3},
        dict.fromkeys(("voltage_V", "current_A", "power_W", "factor"), (-1.0,) * 3),
        dict.fromkeys(("voltage_V", "current_A", "power_W", "factor"), (-2.0,) * 3),
        *({"factor": each} for each in ((1.001, 1, 1), (1, 1, -1.001), (1, math.nan, 1))),
        *({"current_A": (each, 90.0, 80.0)} for each in (-0.1, math.inf)),
        *({"power_W": (each, 0, 0)} for each in (math.nan, -math.inf, 23_000 * 1.1 + 100.1)),
        {"power_W": (0.0, -(231 * 90 * 1.1 + 100.1), 0.0)},
        {"power_W": (0.0, 0.0, 229 * 80 * 1.1 + 100.1)},
    ],
)
def test_absurd_readings_are_refused(change):
    device, sink = fed(words(**change))
    feed(device, words(**change))
    assert device.refused == 2 and not sink.taken() and not any(sink.inp)


def edited(folder, name, *changes):
    """A profile with other texts."""
    text = (profile.FOLDER / f"{name}.toml").read_text()
    for change in changes:
        text = text.replace(*change)
    (folder / "own.toml").write_text(text)
    return str(folder / "own.toml")


@pytest.mark.parametrize("voltage_V, taken", [(199.5, 0), (200, 1), (250, 1), (250.5, 0)])
def test_a_narrower_range_of_the_profile_counts(voltage_V, taken, tmp_path):
    name = edited(tmp_path, "sdm630", ("range = [0, 1000]", "range = [200, 250]"))
    registers = words(voltage_V=(230.0, voltage_V, 230.0), power_W=(0.0,) * 3)
    assert fed(registers, name=name)[0].refused == 1 - taken


def test_a_sum_beyond_a_word_of_the_image_is_refused(tmp_path):
    """Three phases within the widest range of a profile."""
    changes = [(f"range = {old}", "range = [-1e9, 1e9]") for old in ("[0, 20000]", "[-9e6, 9e6]")]
    name = edited(tmp_path, "sdm630", *changes)
    device, sink = fed(words(current_A=(1e9,) * 3, power_W=(9e8,) * 3), name=name)
    assert device.refused == 1 and not any(sink.inp)


@cases("""change
    {"voltage_V": (115.0, 345.0, 230.0), "power_W": (0.0, 0.0, 0.0)}
    {"factor": (-1.0, 1.0, 0.0)}
    {"power_W": (230 * 100 * 1.1 + 99.0, 0.0, 0.0)}
    {"power_W": (-22_000.0, 20_000.0, 18_000.0)}
    {"current_A": (0.0,) * 3, "power_W": (99.0, -99.0, 0.0)}""")
def test_extreme_but_possible_readings_are_taken(change):
    device, sink = fed(words(**change))
    assert device.refused == 0 and sink.taken() == {signals.G_METER_GRID}


def test_the_hash_shows_whether_the_raw_words_change(monkeypatch):
    device, sink = fed(words())
    first = sink.inp[signals.GRID_RAW_HASH]
    sink.taken()
    with monkeypatch.context() as patch:
        patch.setattr(Meter, "_power_W", None)
        feed(device, words())
    assert sink.taken() == {signals.G_METER_GRID}
    assert sink.inp[signals.GRID_RAW_HASH] == first
    feed(device, words(voltage_V=(230.1, 231.0, 229.0)))
    assert sink.inp[signals.GRID_RAW_HASH] != first
    assert 0 <= first <= signals.INT_MAX


@pytest.mark.parametrize("register", range(REGISTERS))
def test_a_change_of_any_word_shows(register):
    device, sink = fed(words())
    first = sink.inp[signals.GRID_RAW_HASH]
    feed(device, words() | {register: words()[register] ^ 1})
    assert device.refused == 0 and sink.inp[signals.GRID_RAW_HASH] != first


def _rows(shared, source):
    with (shared / "protocols/vectors/rtu_frames.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["source"] == source]


def test_a_captured_single_phase_meter_is_refused(shared):
    """gosdm630 README: U1 = 235.8 V, U2 and U3 not wired."""
    registers = words()
    for row in _rows(shared, "gosdm630_readme"):
        frame = bytes.fromhex(row["frame_hex"])
        if row["direction"] == "req":
            address = int.from_bytes(frame[2:4], "big")
        else:
            registers[address], registers[address + 1] = struct.unpack(">2H", frame[3:7])
    device, sink = fed(registers)
    assert device.refused == 1 and not sink.taken()


def test_captured_sdm230_reading(shared):
    """esphome/issues 3912: 80 registers of a single-phase meter, cut after the used ones."""
    rows = _rows(shared, "esphome_issues_3912")
    row = next(row for row in rows if row["direction"].startswith("resp"))
    frame = bytes.fromhex(row["frame_hex"])
    device, sink = meter(name="sdm230")
    device.fast()[0].on_reply(bytes((4, 64)) + frame[3:67], 0)
    assert sink.inp[signals.GRID_POWER_W] == 21 and device.refused == 0


def fast_words(frequency_Hz=49.98, **change):
    """The same values in the map of the fast meter: registers 0..25 without a gap."""
    registers = words(**change)
    places = [*range(18), *range(30, 36)]
    frequency = dict(zip((24, 25), struct.unpack(">2H", struct.pack(">f", frequency_Hz))))
    return {at: registers[register] for at, register in enumerate(places)} | frequency


def test_the_registers_of_the_fast_meter():
    device, sink = meter(name="firebreak_fast_meter")
    fast_reading(device, 0, power_W=(1000.0, -250.0, 0.4), factor=(0.97, -0.96, 1.0))
    assert sink.inp[signals.GRID_POWER_W] == 750 and device.refused == 0
    assert device.quality(0) == (1000, 49_980) and device.lowest_permille == 995


@pytest.mark.parametrize("frequency_Hz", [math.nan, math.inf, -0.1, 100.1])
def test_a_wrong_frequency_costs_only_itself(frequency_Hz):
    device, sink = meter(name="firebreak_fast_meter")
    fast_reading(device, 0, power_W=(1000.0, -250.0, 0.4), frequency_Hz=frequency_Hz)
    assert sink.inp[signals.GRID_POWER_W] == 750 and device.refused == 0
    assert device.quality(0) == (1000, 0)


def test_a_reading_refused_for_its_voltage_still_shows_the_depth_of_the_sag():
    device, _ = meter(name="firebreak_fast_meter")
    for volt, refused in ((46.1, 0), (23.0, 1), (0.0, 2)):
        fast_reading(device, 0, voltage_V=(volt,) * 3, power_W=(0.0,) * 3)
        permille = volt * 1000 / 230
        assert device.quality(0) == (max(1, round(permille)), 49_980)
        assert (device.lowest_permille, device.refused) == (max(1, int(permille)), refused)


def fast_reading(device, now_us, **change):
    registers = fast_words(**change)
    data = struct.pack(">26H", *[registers[at] for at in range(26)])
    device.fast()[0].on_reply(bytes((4, len(data))) + data, now_us)


@cases("""tick_ms  ticks  known
    10  2  True | 10  3  False | 10  4  False | 20  2  True | 20  3  False | 20  4  False""")
def test_voltage_and_frequency_are_unknown_after_three_silent_periods(tick_ms, ticks, known):
    device, _ = meter(name="firebreak_fast_meter", period_ms=tick_ms)
    fast_reading(device, 7_000_000)
    found = device.quality(7_000_000 + ticks * tick_ms * 1000)
    assert found == ((1000, 49_980) if known else (0, 0)) and device.lowest_permille == 995


@cases("""volt  refused
    230.0  0 | 23.0  1""")
def test_a_frozen_meter_shows_no_voltage_after_5_s(volt, refused):
    device, _ = meter(name="firebreak_fast_meter")
    for now_us in range(1_000_000, 6_020_000, 20_000):
        assert any(device.quality(now_us)) == (1_000_000 < now_us < 6_000_000)
        fast_reading(device, now_us, voltage_V=(volt,) * 3, power_W=(0.0,) * 3)
    assert bool(device.refused) == refused and device.lowest_permille == 1000 * volt // 230


def test_a_reading_refused_for_more_than_its_voltage_shows_no_sag():
    device, _ = meter(name="firebreak_fast_meter")
    fast_reading(device, 0)
    fast_reading(device, 20_000, voltage_V=(100.0,) * 3, power_W=(0.0, math.nan, 0.0))
    assert device.quality(20_000) == (1000, 49_980) and device.lowest_permille == 995
    fast_reading(device, 20_000, voltage_V=(23.0,) * 3, power_W=(0.0,) * 3)
    fast_reading(device, 40_000)
    assert device.quality(40_000) == (1000, 49_980)
    assert (device.lowest_permille, device.refused) == (995, 2)


@cases("""name  refresh_ms
    "sdm630"  100 | "firebreak_fast_meter"  20""")
def test_a_meter_profile_has_its_refresh_time(name, refresh_ms, tmp_path):
    assert profiles.load(name).settings["refresh_ms"] == refresh_ms
    without = edited(tmp_path, name, ("refresh_ms =", "# refresh_ms ="))
    with pytest.raises(ConfigError, match="settings.refresh_ms: is missing; allowed 5..60000"):
        profiles.load(without)


def test_a_power_in_kW_is_refused_until_one_fits_voltage_times_current():
    """23 kVA of each phase beside 22 W; a right meter may then show 0 W beside a battery."""
    in_kW = words(power_W=(22.0, 20.0, 18.0))
    device, sink = fed(in_kW)
    assert device.refused == 1 and not sink.taken()
    feed(device, words(power_W=(23.0, 20.0, 18.0)))
    assert device.refused == 2
    feed(device, words())
    assert signals.G_METER_GRID in sink.taken()
    feed(device, in_kW)
    assert signals.G_METER_GRID in sink.taken() and device.refused == 2


def test_an_idle_meter_is_believed():
    device, sink = fed(words(current_A=(0.4, 0.5, 0.6), power_W=(0.0, 0.0, 0.0)))
    assert signals.G_METER_GRID in sink.taken()
