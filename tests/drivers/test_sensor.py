"""Sensor families: gas, off-gas, toxic gas, climate and UPS: values, saturation, health bits,
calibration days.
"""

import math
import struct

import pytest
from device_suite import ModbusSuite, Sink, Slave
from hypothesis import given
from hypothesis import strategies as st

from drivers import profile
from drivers.profile import ProfileError
from drivers.sensor import Sensor
from safety import signals as s

DUE, TODAY = 20_800, 20_500
FIRST_DAY = 20_454  # 2026-01-01: no detector's clock that runs tells an earlier day
METHANE_LFL_PPM = 50_000  # what the shipped gas detector is calibrated with
GAS = {
    "concentration": s.GAS_1_LFL_PERMILLE,
    "ok": s.GAS_1_OK,
    "calibration_d": s.GAS_1_CALIBRATION_D,
}
OFFGAS = {"vapour": s.OFFGAS_2_PPM, "ok": s.OFFGAS_2_OK, "calibration_d": s.OFFGAS_2_CALIBRATION_D}
TOXIC = {
    "hydrogen": s.TOXIC_PPM,
    "carbon_monoxide": s.TOXIC_PPM,
    "ok": s.TOXIC_OK,
    "calibration_d": s.TOXIC_CALIBRATION_D,
}
CLIMATE = {"air_temperature": s.AIR_TEMPERATURE_DDEGC, "humidity": s.HUMIDITY_PERMILLE}
UPS = {"reserve": s.UPS_RESERVE_MIN, "ok": s.MAINS_OK}


def sensor(name="gas_detector", indexes=None, group=s.G_GAS_1, lfl_vol_ppm=METHANE_LFL_PPM):
    """(device, sink) of a shipped profile."""
    sink = Sink()
    return Sensor(
        profile.load(name), 1, sink, GAS if indexes is None else indexes, group, lfl_vol_ppm
    ), sink


def reply(device, *registers):
    """Give the device one reply with these registers."""
    ((request, _),) = device.periodic()
    count = len(registers)
    request.on_reply(
        bytes((4, 2 * count)) + struct.pack(f">{count}H", *[word & 0xFFFF for word in registers]), 0
    )


def fed(*registers, **kind):
    """(device, sink) after one reply with these registers."""
    device, sink = sensor(**kind)
    reply(device, *registers)
    return device, sink


def offgas(*registers):
    return fed(*registers, name="offgas_detector", indexes=OFFGAS, group=s.G_OFFGAS_2)


def toxic(*registers):
    return fed(*registers, name="toxic_detector", indexes=TOXIC, group=s.G_TOXIC)


def climate(*registers):
    return fed(*registers, name="climate_monitor", indexes=CLIMATE, group=s.G_CLIMATE)


def ups(*registers):
    return fed(*registers, name="ups_monitor", indexes=UPS, group=s.G_UPS)


class TestGas(ModbusSuite):
    absurd = {0: 10_001}
    settle_ms = 1500

    def build(self):
        device, sink = sensor()
        return device, Slave(inputs={0: 105, 1: 0, 2: DUE, 3: TODAY}), sink, s.G_GAS_1


class TestOffgas(ModbusSuite):
    absurd = {0: 20_001}
    settle_ms = 1500

    def build(self):
        device, sink = sensor("offgas_detector", OFFGAS, s.G_OFFGAS_2)
        return device, Slave(inputs={0: 15, 1: 0, 2: DUE, 3: TODAY}), sink, s.G_OFFGAS_2


class TestToxic(ModbusSuite):
    absurd = {0: 20_001, 1: 0xFFFF}
    settle_ms = 1500

    def build(self):
        device, sink = sensor("toxic_detector", TOXIC, s.G_TOXIC)
        return device, Slave(inputs={0: 15, 1: 12, 2: 0, 3: DUE, 4: TODAY}), sink, s.G_TOXIC


class TestClimate(ModbusSuite):
    absurd = {0: 0x8000, 1: 0xFFFF, 2: 0b001}  # the last one: a sensor fault is no reading
    settle_ms = 2500

    def build(self):
        device, sink = sensor("climate_monitor", CLIMATE, s.G_CLIMATE)
        return device, Slave(inputs={0: 251, 1: 440, 2: 0}), sink, s.G_CLIMATE


class TestUps(ModbusSuite):
    absurd = {0: 0b11, 1: 0xFFFF}  # the first one: the UPS says its data are invalid
    settle_ms = 2500

    def build(self):
        device, sink = sensor("ups_monitor", UPS, s.G_UPS)
        return device, Slave(inputs={0: 1, 1: 240}), sink, s.G_UPS


# Gas


def test_values():
    _, sink = fed(105, 0, DUE, TODAY)
    assert sink.inp[s.GAS_1_LFL_PERMILLE] == 105
    assert sink.inp[s.GAS_1_OK] == 1
    assert sink.inp[s.GAS_1_CALIBRATION_D] == 300
    assert sink.taken() == {s.G_GAS_1}


@pytest.mark.parametrize("concentration", [0, 100, 249, 250, 999, 1000])
def test_the_whole_scale_is_taken(concentration):
    assert fed(concentration, 0, DUE, TODAY)[1].inp[s.GAS_1_LFL_PERMILLE] == concentration


@pytest.mark.parametrize(
    "status, ok",
    [(0, 1), (1, 0), (3, 0), (6, 0), (4, 1), (8, 0), (16, 0), (32, 1), (0xFFE0, 1), (31, 0)],
)
def test_each_fault_bit(status, ok):
    _, sink = fed(0, status, DUE, TODAY)
    assert sink.inp[s.GAS_1_OK] == ok and sink.taken() == {s.G_GAS_1}


@pytest.mark.parametrize(
    "concentration, status", [(1001, 0), (10_000, 0), (0, 4), (600, 4), (0xFFFF, 4)]
)
def test_a_saturated_cell_reads_full_scale_and_never_unknown(concentration, status):
    """Most gas is exactly when the cell is over range: row 12 must see it."""
    sink = fed(concentration, status, DUE, TODAY)[1]
    assert (sink.inp[s.GAS_1_LFL_PERMILLE], sink.inp[s.GAS_1_OK]) == (1000, 1)


@pytest.mark.parametrize(
    "status, shown",
    [(1, 0), (3, 0), (8, 0), (16, 0), (0b11011, 0), (5, 1000), (6, 1000), (31, 1000), (32, 600)],
)
def test_of_a_faulty_detector_only_saturation_is_believed(status, shown):
    """A word of a broken cell, of a warm-up or of calibration gas is no gas; an over range beside a
    fault may be.
    """
    for concentration in (600, 0xFFFF if status & 31 else 600):
        sink = fed(concentration, status, DUE, TODAY)[1]
        assert (sink.inp[s.GAS_1_LFL_PERMILLE], sink.inp[s.GAS_1_OK]) == (
            shown,
            0 if status & 27 else 1,
        )
        vapour = offgas(600, status, DUE, TODAY)[1]
        assert vapour.inp[s.OFFGAS_2_PPM] == shown


@pytest.mark.parametrize("status", [2, 2 | 32, 2 | 0xFFC0])
@pytest.mark.parametrize("make", [fed, offgas])
def test_one_that_warms_up_has_not_been_heard(make, status):
    """Two that took a minute after a cut of power were faulty (13a) and all gas detection lost (14)
    for good.
    """
    device, sink = make(600, status, DUE, TODAY)
    assert (sink.taken(), device.refused) == (set(), 1)


def test_nor_has_one_for_toxic_gases_and_it_ages_like_one_that_fell_silent():
    device, sink = toxic(70, 5, 4, DUE, TODAY)
    assert (sink.taken(), device.refused) == (set(), 1)
    device, sink = toxic(70, 5, 0, DUE, TODAY)
    assert sink.taken() == {s.G_TOXIC}
    reply(device, 70, 5, 4, DUE, TODAY)
    assert (sink.taken(), device.refused, sink.inp[s.TOXIC_PPM]) == (set(), 1, 70)


@pytest.mark.parametrize(
    "due, today, days",
    [(TODAY, TODAY, 0), (TODAY - 1, TODAY, -1), (65534, FIRST_DAY, 36500), (1, 65534, -36500)],
)
def test_calibration_days(due, today, days):
    assert fed(0, 0, due, today)[1].inp[s.GAS_1_CALIBRATION_D] == days


# One that lost its clock counts on from day 0 of its own; 10957 is 2000-01-01, where many begin.
BAD_DATES = [
    (0xFFFF, TODAY),
    (0, TODAY),
    (DUE, 0xFFFF),
    (DUE, 0),
    (DUE, 1),
    (DUE, 10_957),
    (DUE, FIRST_DAY - 1),
    (0xFFFF, 0),
    (0, 0),
]


@pytest.mark.parametrize("dates", BAD_DATES)
@pytest.mark.parametrize(
    "concentration, status, shown, ok",
    [(300, 0, 300, 1), (0, 0, 0, 1), (0xFFFF, 4, 1000, 1), (0xFFFF, 5, 1000, 0), (300, 1, 0, 0)],
)
def test_a_bad_date_takes_no_reading_away_and_is_an_overdue_calibration(
    dates, concentration, status, shown, ok
):
    """Rows 7 to 12 see the gas; row 13c sees the date; the cell is as good as its status says
    (13a).
    """
    device, sink = fed(concentration, status, *dates)
    assert [sink.inp[index] for index in GAS.values()] == [shown, ok, -36500]
    assert sink.taken() == {s.G_GAS_1} and device.refused == 0
    device, sink = offgas(concentration, status, *dates)
    assert [sink.inp[index] for index in OFFGAS.values()] == [shown, ok, -36500]
    assert sink.taken() == {s.G_OFFGAS_2} and device.refused == 0


@pytest.mark.parametrize("dates", BAD_DATES)
@pytest.mark.parametrize(
    "hydrogen, carbon_monoxide, status, shown, ok",
    [(60, 12, 0, 60, 1), (0, 0, 0, 0, 1), (3, 0xFFFF, 16, 1000, 1), (5, 70, 1, 70, 0)],
)
def test_nor_of_the_toxic_gases(dates, hydrogen, carbon_monoxide, status, shown, ok):
    device, sink = toxic(hydrogen, carbon_monoxide, status, *dates)
    assert [sink.inp[index] for index in (s.TOXIC_PPM, s.TOXIC_OK, s.TOXIC_CALIBRATION_D)] == [
        shown,
        ok,
        -36500,
    ]
    assert sink.taken() == {s.G_TOXIC} and device.refused == 0


def test_a_date_that_is_set_again_counts_at_once():
    device, sink = fed(300, 0, DUE, 0)
    assert sink.inp[s.GAS_1_CALIBRATION_D] == -36500
    reply(device, 300, 0, DUE, TODAY)
    assert sink.inp[s.GAS_1_CALIBRATION_D] == 300


@pytest.mark.parametrize(
    "registers", [(10_001, 0, DUE, TODAY), (0xFFFF, 32, DUE, TODAY), (10_001, 0, 0xFFFF, 0)]
)
def test_refused_whole(registers):
    device, sink = fed(*registers)
    assert device.refused == 1 and not sink.taken() and not any(sink.inp)


@pytest.mark.parametrize(
    "reading, lfl_vol_ppm, permille",
    [
        (100, 50_000, 100),
        (100, 62_000, 81),
        (100, 40_000, 125),
        (900, 40_000, 1000),
        (1000, 70_000, 715),
        (1, 1_000_000, 1),
        (0, 40_000, 0),
    ],
)
def test_what_methane_means_for_the_vent_gas(reading, lfl_vol_ppm, permille):
    """10 % of methane's LFL are 0.5 vol %; of a gas that burns from 4 vol % on they are 12.5 %."""
    assert (
        fed(reading, 0, DUE, TODAY, lfl_vol_ppm=lfl_vol_ppm)[1].inp[s.GAS_1_LFL_PERMILLE]
        == permille
    )


@given(st.integers(0, 1000), st.integers(1, 1_000_000))
def test_gas_is_never_rounded_away(reading, lfl_vol_ppm):
    shown = fed(reading, 0, DUE, TODAY, lfl_vol_ppm=lfl_vol_ppm)[1].inp[s.GAS_1_LFL_PERMILLE]
    assert shown == min(1000, math.ceil(reading * METHANE_LFL_PPM / lfl_vol_ppm))
    assert shown > 0 or reading == 0


def test_a_saturated_cell_is_full_scale_of_the_mixture_too():
    assert fed(1000, 4, DUE, TODAY, lfl_vol_ppm=70_000)[1].inp[s.GAS_1_LFL_PERMILLE] == 1000


@pytest.mark.parametrize("lfl_vol_ppm", [None, 0, -1, 1_000_001])
def test_the_vent_gas_must_be_known(lfl_vol_ppm):
    with pytest.raises(ValueError, match=r"^gas 1: lfl_vol_ppm: \S+; allowed 1..1000000, [^\n]+$"):
        sensor(lfl_vol_ppm=lfl_vol_ppm)


# The others


def test_vapour():
    sink = offgas(15, 0, DUE, TODAY)[1]
    assert [sink.inp[index] for index in OFFGAS.values()] == [15, 1, 300] and sink.taken() == {
        s.G_OFFGAS_2
    }


@pytest.mark.parametrize(
    "vapour, status, shown", [(1000, 0, 1000), (1001, 0, 1000), (0, 4, 1000), (20_000, 0, 1000)]
)
def test_vapour_saturates(vapour, status, shown):
    sink = offgas(vapour, status, DUE, TODAY)[1]
    assert (sink.inp[s.OFFGAS_2_PPM], sink.inp[s.OFFGAS_2_OK]) == (shown, 1)


@pytest.mark.parametrize("status", [1, 3, 8, 16])
def test_a_reference_that_fails_is_a_fault_too(status):
    assert offgas(0, status, DUE, TODAY)[1].inp[s.OFFGAS_2_OK] == 0


@pytest.mark.parametrize(
    "hydrogen, carbon_monoxide, status, shown, ok",
    [
        (60, 12, 0, 60, 1),
        (12, 60, 0, 60, 1),
        (0, 0, 0, 0, 1),
        (3, 0, 8, 1000, 1),
        (3, 0, 16, 1000, 1),
        (1001, 0, 0, 1000, 1),
        (0xFFFF, 0, 8, 1000, 1),
        (5, 70, 1, 70, 0),
        (5, 70, 2, 5, 0),
        (70, 5, 1, 5, 0),
        (70, 5, 2, 70, 0),
        (70, 5, 3, 0, 0),
        (70, 5, 9, 1000, 0),
        (70, 5, 12, 1000, 0),
        (70, 5, 32, 0, 0),
        (0, 0, 5, 0, 0),
        (0, 0, 32, 0, 0),
        (0, 0, 64, 0, 1),
    ],
)
def test_the_larger_of_hydrogen_and_carbon_monoxide_counts(
    hydrogen, carbon_monoxide, status, shown, ok
):
    sink = toxic(hydrogen, carbon_monoxide, status, DUE, TODAY)[1]
    assert [sink.inp[index] for index in (s.TOXIC_PPM, s.TOXIC_OK, s.TOXIC_CALIBRATION_D)] == [
        shown,
        ok,
        300,
    ]


@pytest.mark.parametrize(
    "air_ddegC, humidity", [(251, 440), (-400, 0), (0, 1000), (1250, 901), (-1, 1)]
)
def test_climate(air_ddegC, humidity):
    sink = climate(air_ddegC, humidity, 0)[1]
    assert [sink.inp[index] for index in CLIMATE.values()] == [air_ddegC, humidity]
    assert sink.taken() == {s.G_CLIMATE}


@pytest.mark.parametrize(
    "status, taken", [(0, True), (1, False), (2, False), (4, False), (8, True)]
)
def test_climate_with_a_sensor_fault_ages(status, taken):
    device, sink = climate(251, 440, status)
    assert bool(sink.taken()) == taken and device.refused == (not taken)


@pytest.mark.parametrize(
    "status, reserve, mains_ok", [(1, 240, 1), (0, 119, 0), (5, 0, 1), (4, 10_000, 0)]
)
def test_ups(status, reserve, mains_ok):
    sink = ups(status, reserve)[1]
    assert (sink.inp[s.MAINS_OK], sink.inp[s.UPS_RESERVE_MIN]) == (
        mains_ok,
        reserve,
    ) and sink.taken() == {s.G_UPS}


@pytest.mark.parametrize("registers", [(3, 240), (2, 240), (1, 10_001), (0, 0xFFFF)])
def test_ups_whose_data_are_invalid_is_refused(registers):
    device, sink = ups(*registers)
    assert device.refused == 1 and not sink.taken() and not any(sink.inp)


def test_a_refused_reading_leaves_the_last_good_one_and_the_next_good_one_counts():
    device, sink = ups(1, 240)
    sink.taken()
    reply(device, 3, 10)
    assert sink.inp[s.UPS_RESERVE_MIN] == 240 and not sink.taken()
    reply(device, 1, 240)
    assert sink.taken() == {s.G_UPS}


def test_values_with_a_scale_round_to_the_safe_side(tmp_path):
    """Gas up, because more is worse; a reserve down, because less is worse."""
    for name, old, new, words, indexes, shown in (
        (
            "offgas_detector",
            'unit = "ppm" ',
            'scale = 0.1\nunit = "ppm" ',
            (151, 0, DUE, TODAY),
            OFFGAS,
            16,
        ),
        ("ups_monitor", 'unit = "min", ', 'scale = 0.25, unit = "min", ', (1, 479), UPS, 119),
    ):
        text = (profile.FOLDER / f"{name}.toml").read_text()
        assert old in text
        path = tmp_path / f"{name}.toml"
        path.write_text(text.replace(old, new, 1))
        sink = Sink()
        reply(Sensor(profile.load(path), 1, sink, indexes, 0), *words)
        assert sink.inp[next(iter(indexes.values()))] == shown


@pytest.mark.parametrize(
    "kind, spans",
    [
        ({}, {"concentration": (0, 1000)}),
        ({"lfl_vol_ppm": 1_000_000}, {"concentration": (0, 1000)}),
        (
            {"name": "climate_monitor", "indexes": CLIMATE},
            {"air_temperature": (-600, 1250), "humidity": (0, 1000)},
        ),
        ({"name": "ups_monitor", "indexes": UPS}, {"reserve": (0, 10_000)}),
    ],
)
def test_what_values_it_can_take(kind, spans):
    assert sensor(**kind)[0].spans == spans


def test_no_more_than_a_word_holds(tmp_path):
    text = (profile.FOLDER / "climate_monitor.toml").read_text()
    path = tmp_path / "own.toml"
    path.write_text(text.replace("range = [-600, 1250]", "range = [-99999, 99999]"))
    spans = Sensor(profile.load(path), 1, Sink(), CLIMATE, 0).spans
    assert spans["air_temperature"] == (-0x8000, 0x7FFF)


@pytest.mark.parametrize(
    "indexes, line",
    [
        (
            {**GAS, "concentratoin": 1},
            "gas 1: values calibration_d, concentration, concentratoin, ok; "
            "allowed exactly "
            "calibration_d, concentration, ok",
        ),
        (
            {"concentration": 1, "ok": 2},
            "gas 1: values concentration, ok; allowed exactly calibration_d, concentration, ok",
        ),
    ],
)
def test_every_value_needs_its_place(indexes, line):
    with pytest.raises(ValueError) as error:
        sensor(indexes=indexes)
    assert str(error.value) == line


@pytest.mark.parametrize(
    "old, new, line",
    [
        (
            "function = 4\n",
            "function = 3\n",
            "registers.concentration.function: 3; allowed 4, input registers",
        ),
        (
            'type = "u16"\n',
            'type = "u32"\n',
            "registers.concentration.type: 'u32'; allowed u16, s16",
        ),
        ("range = [0, 10000]\n", "", "registers.concentration.range: missing; allowed [low, high]"),
        (
            "full_scale = 1000\n",
            "",
            "registers.concentration.full_scale: missing; over_range_mask needs it",
        ),
        (
            "fault_mask = 0b11011",
            "fault_mask = 0b11011\ninvalid_mask = 3",
            "settings.invalid_mask: unknown key, did you mean fault_mask?",
        ),
        (
            "today = {",
            "today = {full_scale = 1, ",
            "registers.today.full_scale: 1; allowed none, it is taken as it is",
        ),
        (
            "calibration_due = {",
            "calibration_due = {scale = 2, ",
            "registers.calibration_due.scale: 2; allowed 1, it is taken as it is",
        ),
        (
            "status = {",
            "status = {full_scale = 4, over_range_mask = 4, ",
            "registers.status.full_scale: 4; allowed none, it is taken as it is",
        ),
        (
            "status = {",
            "status = {untrusted_mask = 4, ",
            "registers.status.full_scale: missing; untrusted_mask needs it",
        ),
        (
            "calibrated_lfl_vol_ppm = 50000",
            "",
            "settings.calibrated_lfl_vol_ppm: missing; allowed a whole number from 1000 to 1000000",
        ),
    ],
)
def test_mistakes_in_a_profile(tmp_path, old, new, line):
    text = (profile.FOLDER / "gas_detector.toml").read_text()
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ProfileError) as error:
        profile.load(path)
    assert str(error.value) == f"own.toml: {line}"
