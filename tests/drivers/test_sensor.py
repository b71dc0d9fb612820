"""Sensor families: gas, off-gas, toxic gas, climate and UPS."""

import math
import struct

import pytest
from device_suite import ModbusSuite, Sink, Slave
from hypothesis import given, strategies as st

from controller.config import profiles
from drivers import profile
from drivers.sensor import Sensor
from safety import signals as s
from tests.tables import cases, table

DUE, TODAY = 20_800, 20_500
FIRST_DAY = 20_454  # 2026-01-01: no detector's clock that runs tells an earlier day
METHANE_LFL_PPM = 50_000  # what the shipped gas detector is calibrated with
GAS = {"concentration": s.GAS_1_LFL_PERMILLE}
GAS |= {"ok": s.GAS_1_OK, "calibration_d": s.GAS_1_CALIBRATION_D}
TOXIC = dict.fromkeys(("hydrogen", "carbon_monoxide"), s.TOXIC_PPM)
TOXIC |= {"ok": s.TOXIC_OK, "calibration_d": s.TOXIC_CALIBRATION_D}
# family: (profile, group, values and their places)
OFFGAS = {"ok": s.OFFGAS_2_OK, "calibration_d": s.OFFGAS_2_CALIBRATION_D}
CLIMATE = {"air_temperature": s.AIR_TEMPERATURE_DDEGC, "humidity": s.HUMIDITY_PERMILLE}
KINDS = {
    "gas": ("gas_detector", s.G_GAS_1, GAS),
    "offgas": ("offgas_detector", s.G_OFFGAS_2, {"vapour": s.OFFGAS_2_PPM, **OFFGAS}),
    "toxic": ("toxic_detector", s.G_TOXIC, TOXIC),
    "climate": ("climate_monitor", s.G_CLIMATE, CLIMATE),
    "ups": ("ups_monitor", s.G_UPS, {"reserve": s.UPS_RESERVE_MIN, "ok": s.MAINS_OK}),
}


def sensor(kind="gas", indexes=None, lfl_vol_ppm=METHANE_LFL_PPM, path=None):
    name, group, places = KINDS[kind]
    sink = Sink()
    loaded = profiles.load(path or name)
    return Sensor(loaded, 1, sink, indexes or places, group, lfl_vol_ppm), sink


def reply(device, *registers):
    ((request, _),) = device.periodic()
    count = len(registers)
    data = struct.pack(f">{count}H", *[word & 0xFFFF for word in registers])
    request.on_reply(bytes((4, 2 * count)) + data, 0)


def fed(kind, *registers, **options):
    device, sink = sensor(kind, **options)
    reply(device, *registers)
    return device, sink


def shown(kind, *registers, **options):
    device, sink = fed(kind, *registers, **options)
    assert sink.taken() == {KINDS[kind][1]} and device.refused == 0
    return [sink.inp[index] for index in dict.fromkeys(KINDS[kind][2].values())]


def edited(tmp_path, name, old, new):
    text = (profile.FOLDER / f"{name}.toml").read_text()
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1))
    return path


class _Suite(ModbusSuite):
    settle_ms = 1500

    def build(self):
        device, sink = sensor(self.kind)
        return device, Slave(inputs=enumerate(self.good)), sink, KINDS[self.kind][1]


class TestGas(_Suite):
    kind, good, absurd = "gas", (105, 0, DUE, TODAY), {0: 10_001}


class TestOffgas(_Suite):
    kind, good, absurd = "offgas", (15, 0, DUE, TODAY), {0: 20_001}


class TestToxic(_Suite):
    kind, good, absurd = "toxic", (15, 12, 0, DUE, TODAY), {0: 20_001, 1: 0xFFFF}


class TestClimate(_Suite):
    kind, good = "climate", (251, 440, 0)
    absurd = {0: 0x8000, 1: 0xFFFF, 2: 0b001}  # the last one: a sensor fault is no reading
    settle_ms = 2500


class TestUps(_Suite):
    kind, good = "ups", (1, 240)
    absurd = {0: 0b11, 1: 0xFFFF}  # the first one: the UPS says its data are invalid
    settle_ms = 2500


@pytest.mark.parametrize(
    "concentration, status, expected",
    [(value, 0, [value, 1]) for value in (0, 100, 249, 250, 999, 1000)]
    # over range or saturated: most gas is exactly then, row 12 must see it
    + [(1001, 0, [1000, 1]), (10_000, 0, [1000, 1])]
    + [(value, 4, [1000, 1]) for value in (0, 600, 0xFFFF)]
    # the word of a broken cell, of a warm-up or of calibration gas is no gas
    + [(600, status, [0, 0]) for status in (1, 3, 8, 16, 0b11011)]
    + [(0xFFFF, status, [0, 0]) for status in (1, 3, 8, 16, 0b11011)]
    # an over range beside a fault may be one
    + [(600, 5, [1000, 0]), (0xFFFF, 5, [1000, 0]), (600, 6, [1000, 0]), (0xFFFF, 31, [1000, 0])]
    + [(600, 32, [600, 1]), (600, 0xFFE0, [600, 1])],
)
def test_gas_and_vapour(concentration, status, expected):
    assert shown("gas", concentration, status, DUE, TODAY) == [*expected, 300]
    assert shown("offgas", concentration, status, DUE, TODAY) == [*expected, 300]


def test_vapour_at_the_end_of_its_range():
    assert shown("offgas", 20_000, 0, DUE, TODAY) == [1000, 1, 300]


@cases("""hydrogen  carbon_monoxide  status  expected
    60  12  0  [60, 1] | 12  60  0  [60, 1] | 0  0  0  [0, 1] | 3  0  8  [1000, 1]
    3  0  16  [1000, 1] | 1001  0  0  [1000, 1] | 0xFFFF  0  8  [1000, 1]
    5  70  1  [70, 0] | 5  70  2  [5, 0] | 70  5  1  [5, 0] | 70  5  2  [70, 0]
    70  5  3  [0, 0] | 70  5  9  [1000, 0] | 70  5  12  [1000, 0] | 70  5  32  [0, 0]
    0  0  5  [0, 0] | 0  0  32  [0, 0] | 0  0  64  [0, 1]""")
def test_the_larger_toxic_gas_counts(hydrogen, carbon_monoxide, status, expected):
    assert shown("toxic", hydrogen, carbon_monoxide, status, DUE, TODAY) == [*expected, 300]


@pytest.mark.parametrize("status", [2, 2 | 32, 2 | 0xFFC0])
@pytest.mark.parametrize("kind", ["gas", "offgas"])
def test_a_detector_that_warms_up_gives_no_reading(kind, status):
    """Two warming detectors were faulty (13a) and all detection lost (14)."""
    device, sink = fed(kind, 600, status, DUE, TODAY)
    assert (sink.taken(), device.refused) == (set(), 1)


def test_a_toxic_detector_that_warms_up_again_becomes_stale():
    device, sink = fed("toxic", 70, 5, 0, DUE, TODAY)
    assert sink.taken() == {s.G_TOXIC}
    reply(device, 70, 6, 4, DUE, TODAY)
    assert (sink.taken(), device.refused, sink.inp[s.TOXIC_PPM]) == (set(), 1, 70)


@cases("""due  today  days
    TODAY  TODAY  0 | TODAY - 1  TODAY  -1 | 65534  FIRST_DAY  36500 | 1  65534  -36500""")
def test_calibration_days(due, today, days):
    assert shown("gas", 0, 0, due, today) == [0, 1, days]


# A clock that lost its time counts on from its own day 0; 10957 is 2000-01-01, where many begin.
BAD_DATES = [(0xFFFF, TODAY), (0, TODAY), (0xFFFF, 0), (0, 0)] + [
    (DUE, today) for today in (0xFFFF, 0, 1, 10_957, FIRST_DAY - 1)
]


@pytest.mark.parametrize("dates", BAD_DATES)
def test_a_bad_date_is_an_overdue_calibration(dates):
    """Rows 7 to 12 use the gas, row 13c the date, row 13a the status."""
    for concentration, status, gas, ok in table(
        "300 | 0 | 300 | 1 ; 0 | 0 | 0 | 1 ; 0xFFFF | 4 | 1000 | 1 ; 0xFFFF | 5 | 1000 | 0 ;"
        " 300 | 1 | 0 | 0"
    ):
        for kind in ("gas", "offgas"):
            assert shown(kind, concentration, status, *dates) == [gas, ok, -36500]
    for *registers, gas, ok in table("60|12|0|60|1 ; 0|0|0|0|1 ; 3|0xFFFF|16|1000|1 ; 5|70|1|70|0"):
        assert shown("toxic", *registers, *dates) == [gas, ok, -36500]


def test_a_date_that_is_set_again_counts_at_once():
    device, sink = fed("gas", 300, 0, DUE, 0)
    reply(device, 300, 0, DUE, TODAY)
    assert sink.inp[s.GAS_1_CALIBRATION_D] == 300


@cases("""kind  registers
    *(("gas", (*each, DUE, TODAY)) for each in ((10_001, 0), (0xFFFF, 32)))
    "gas"  (10_001, 0, 0xFFFF, 0)
    *(("ups", each) for each in ((3, 240), (2, 240), (1, 10_001), (0, 0xFFFF)))
    *(("climate", (251, 440, status)) for status in (1, 2, 4))""")
def test_refused_whole(kind, registers):
    device, sink = fed(kind, *registers)
    assert device.refused == 1 and not sink.taken() and not any(sink.inp)


@cases("""reading  lfl_vol_ppm  permille
    100  50_000  100 | 100  62_000  81 | 100  40_000  125 | 900  40_000  1000
    1000  70_000  715 | 1  1_000_000  1 | 0  40_000  0""")
def test_methane_reading_as_vent_gas(reading, lfl_vol_ppm, permille):
    """10 % of methane's LFL are 0.5 vol %; of a gas that burns from 4 vol % on they are 12.5 %."""
    assert shown("gas", reading, 0, DUE, TODAY, lfl_vol_ppm=lfl_vol_ppm) == [permille, 1, 300]
    assert shown("gas", reading, 4, DUE, TODAY, lfl_vol_ppm=lfl_vol_ppm) == [1000, 1, 300]


@given(st.integers(0, 1000), st.integers(1, 1_000_000))
def test_gas_is_never_rounded_away(reading, lfl_vol_ppm):
    permille = min(1000, math.ceil(reading * METHANE_LFL_PPM / lfl_vol_ppm))
    assert shown("gas", reading, 0, DUE, TODAY, lfl_vol_ppm=lfl_vol_ppm)[0] == permille
    assert permille > 0 or reading == 0


@pytest.mark.parametrize("lfl_vol_ppm", [None, 0, -1, 1_000_001])
def test_the_vent_gas_must_be_known(lfl_vol_ppm):
    with pytest.raises(ValueError, match=r"^gas 1: lfl_vol_ppm: \S+; allowed 1..1000000, [^\n]+$"):
        sensor(lfl_vol_ppm=lfl_vol_ppm)


@cases("""kind  registers  expected
    "climate"  (251, 440, 8)  [251, 440] | "climate"  (-400, 0, 0)  [-400, 0]
    "climate"  (0, 1000, 0)  [0, 1000] | "climate"  (1250, 901, 0)  [1250, 901]
    "climate"  (-1, 1, 0)  [-1, 1] | "ups"  (1, 240)  [240, 1] | "ups"  (0, 119)  [119, 0]
    "ups"  (5, 0)  [0, 1] | "ups"  (4, 10_000)  [10_000, 0]""")
def test_climate_and_ups(kind, registers, expected):
    assert shown(kind, *registers) == expected


@cases(r"""kind  name  old  new  registers  first
    "offgas"  "offgas_detector"  'unit = "ppm" '  "scale = 0.1\n"  (151, 0, DUE, TODAY)  16
    "ups"  "ups_monitor"  'unit = "min", '  "scale = 0.25, "  (1, 479)  119""")
def test_scaled_values_round_to_the_safe_side(tmp_path, kind, name, old, new, registers, first):
    """Gas is rounded up, because more is worse; a reserve down, because less is worse."""
    path = edited(tmp_path, name, old, new + old)
    assert shown(kind, *registers, path=path)[0] == first


@cases("""kind  lfl_vol_ppm  spans
    "gas"  METHANE_LFL_PPM  {"concentration": (0, 1000)}
    "gas"  1_000_000  {"concentration": (0, 1000)}
    "climate"  None  {"air_temperature": (-600, 1250), "humidity": (0, 1000)}
    "ups"  None  {"reserve": (0, 10_000)}""")
def test_spans(kind, lfl_vol_ppm, spans):
    assert sensor(kind, lfl_vol_ppm=lfl_vol_ppm)[0].spans == spans


def test_a_span_fits_the_register(tmp_path):
    path = edited(tmp_path, "climate_monitor", "range = [-600, 1250]", "range = [-99999, 99999]")
    assert sensor("climate", path=path)[0].spans["air_temperature"] == (-0x8000, 0x7FFF)
