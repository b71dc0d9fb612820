"""RMS power in bands of frequency: sines of known amplitude, held and lost samples, journals."""

import math
import random
from types import SimpleNamespace

import pytest

from controller.state import bands, spectrum
from safety import signals as s
from tests.controller.console.watched import Watched
from tests.tables import cases

LAYOUT = s.Layout(2, 3, 2)
RMS_W = 100_000


def sine(frequency_Hz, sample_ms=20, reply_ms=20, end_ms=60_000, rms_W=RMS_W):
    """Replies of a meter that has a new value every sample_ms and is read every reply_ms."""
    replies = []
    for at_ms in range(0, end_ms, reply_ms):
        t_s = at_ms // sample_ms * sample_ms / 1000
        power_W = rms_W * math.sqrt(2) * math.sin(2 * math.pi * frequency_Hz * t_s + 0.3)
        replies.append((at_ms, 300_000 + round(power_W)))
    return replies


def measured(replies, sample_ms=20):
    return bands.measured(replies, replies[-1][0], 20, sample_ms)


def rms_W(replies, sample_ms=20):
    return tuple(measured(replies, sample_ms)["rms_W"].values())


@cases("""sample_ms  frequency_Hz  expected
    20  0.04  (0, 0, 0) | 20  0.2  (1, 0, 0) | 20  0.44  (1, 0, 0)
    20  0.56  (0, 1, 0)   | 20  1.7  (0, 1, 0) | 20  2.9   (0, 1, 0)
    20  3.1  (0, 0, 1)    | 20  9    (0, 0, 1) | 20  16    (0, 0, 1) | 20  18  (0, 0, 0)
    20  0.1  (0.7, 0, 0)  | 20  0.5  (0.7, 0.7, 0) | 20  3  (0, 0.7, 0.7)
    100  0.2  (1, 0, None) | 100  1.7  (0, 1, None) | 100  2.9  (0, 1, None)
    100  0.5  (0.7, 0.7, None) | 100  3  (0, 0.7, None)
""")
def test_a_sine_has_its_rms_in_its_band_and_half_its_power_at_an_edge(
    sample_ms, frequency_Hz, expected
):
    found = rms_W(sine(frequency_Hz, sample_ms), sample_ms)
    wanted = tuple(part and part * RMS_W for part in expected)
    assert found == pytest.approx(wanted, abs=0.02 * RMS_W), (frequency_Hz, found)


def test_the_bands_add_up_and_a_constant_or_slow_slope_reads_0():
    draw = random.Random(11)
    replies = [(20 * tick, round(draw.gauss(0, 40_000))) for tick in range(3000)]
    parts = rms_W(replies)
    whole_W = 40_000 * math.sqrt((16.67 - 0.1) / 25)  # white: the share of 0 .. 25 Hz
    assert math.hypot(*parts) == pytest.approx(whole_W, rel=0.05)
    assert rms_W([(20 * tick, 300_000) for tick in range(3000)]) == (0, 0, 0)
    slope = [(20 * tick, 80 * tick) for tick in range(3000)]  # 240 kW in a minute
    assert max(rms_W(slope)) < 300


@cases("""sample_ms  reply_ms
    100  20 | 100  60 | 100  100 | 60  20 | 200  40""")
def test_the_hold_of_a_meter_limits_the_observable_bands(sample_ms, reply_ms):
    found = measured(sine(0.3, sample_ms, reply_ms), 20)
    step_ms = max(reply_ms, sample_ms) if reply_ms != 60 else 120
    assert found["sample_ms"] == step_ms
    assert found["observable_to_Hz"] == pytest.approx(1000 / 3 / step_ms, abs=0.01)
    slow_W, middle_W, fast_W = found["rms_W"].values()
    assert slow_W == pytest.approx(RMS_W, rel=0.01) and fast_W is None
    assert middle_W < 0.05 * RMS_W and "a third of the rate" in found["not_observable"]["3-20 Hz"]


def test_a_meter_with_a_tick_of_jitter_loses_no_sample():
    """Samples of 100 ms; each comes with the reply before, at or after its time."""
    draw = random.Random(3)
    print("seed 3")
    values_W, replies = [power_W for _, power_W in sine(2.5, 100, 100)], []
    seen_ms = [100 * number + draw.choice((-20, 0, 20)) for number in range(len(values_W))]
    for at_ms in range(20, 60_000, 20):
        replies.append((at_ms, values_W[max(0, sum(each <= at_ms for each in seen_ms) - 1)]))
    found = rms_W(replies, 100)
    assert found[0] < 0.02 * RMS_W and found[1] == pytest.approx(RMS_W, rel=0.02)


def test_a_value_that_seldom_changes_has_a_sample_per_reply():
    step = [(20 * tick, 300_000 + 100_000 * (tick > 1500)) for tick in range(3000)]
    found = measured(step)
    assert found["sample_ms"] == 20 and None not in found["rms_W"].values()
    # of a step |X| = A / omega; the window is 1 in the middle, its square 3/8 in the mean
    wanted_W = 1e5 * math.sqrt(2 * (1 / 0.5 - 1 / 3) / (2 * math.pi) ** 2 / (0.375 * 60))
    assert found["rms_W"]["0.5-3 Hz"] == pytest.approx(wanted_W, rel=0.03)


def test_few_lost_samples_are_bridged():
    draw = random.Random(5)
    replies = sine(1.7)
    some = [each for each in replies if draw.random() > 0.1]
    assert rms_W(some)[1] == pytest.approx(RMS_W, rel=0.01)
    assert max(rms_W(some)[::2]) < 0.02 * RMS_W
    half = [each for each in replies if draw.random() > 0.4]
    found = measured(half)
    assert set(found["rms_W"].values()) == {None}
    assert "% of the samples are missing; 20 % may be" in found["not_observable"]["0.5-3 Hz"]
    for late_ms, is_known in ((1000, True), (1020, False)):
        found = bands.measured(replies, replies[-1][0] + late_ms, 20, 20)
        assert (None not in found["rms_W"].values()) == is_known
    assert found["not_observable"]["3-20 Hz"] == "no samples without a gap of 1 s"
    assert bands.measured([], 0, 20, 20)["rms_W"] == dict.fromkeys(bands.BANDS_Hz)


@cases("""from_s  known
    29  (1, 1, 1) | 31  (0, 1, 1) | 53  (0, 1, 1) | 55  (0, 0, 1) | 58  (0, 0, 1) | 59.5  (0, 0, 0)
""")
def test_the_window_begins_after_the_last_gap_and_needs_three_periods(from_s, known):
    replies = [each for each in sine(1.7) if not from_s - 1.02 < each[0] / 1000 < from_s]
    found = measured(replies)
    assert tuple(int(value is not None) for value in found["rms_W"].values()) == known
    if not known[0]:
        why = f"{60 - from_s:.0f} s of samples; 30 s are needed"
        assert found["not_observable"]["0.1-0.5 Hz"] == why


def test_the_transform_equals_its_definition():
    values = [math.sin(place) + place % 3 for place in range(16)]
    turn = 2j * math.pi / 16
    wanted = [
        sum(value * math.e ** (-turn * place * k) for place, value in enumerate(values))
        for k in range(16)
    ]
    assert spectrum.transform(values) == pytest.approx(wanted)


def fed(frames, layout=LAYOUT, control=None):
    """Facts of frames: each (ticks lost before it, groups that reply, battery powers, load)."""
    inp = [0] * layout.inputs
    header = {"safety_image": [20] * 9, **(control or {})}
    samples = bands.Samples(
        SimpleNamespace(inp=inp, layout=layout, reader=SimpleNamespace(header=header))
    )
    sequence = 7
    for lost, groups, powers_W, load_W in frames:
        sequence += 1 + lost
        for unit, power_W in enumerate(powers_W):
            inp[layout.unit_input(unit, s.PCS_POWER_W)] = power_W
        inp[s.LOAD_POWER_W], inp[s.LOAD_RAW_HASH] = load_W, sequence
        fresh = bytes(at in groups for at in range(layout.groups))
        samples.feed(SimpleNamespace(sequence=sequence, elapsed_ticks=1, fresh=fresh))
    return samples.facts()


PCS = [LAYOUT.unit_group(unit, s.G_PCS_MEASURE) for unit in (0, 1)]


def test_battery_power_is_the_sum_of_one_reply_per_unit():
    def facts(silent_from=3000):
        powers_W, frames = [0, 0], []
        for tick, (_, power_W) in enumerate(sine(1.7)):
            unit = tick % 2
            if unit == 0 or tick < silent_from:
                powers_W[unit] = power_W // 2
            frames.append((0, {PCS[unit]} if tick < silent_from else {PCS[0]}, (*powers_W,), 0))
        return fed(frames)["battery"]

    assert facts()["sample_ms"] == 40
    assert facts()["rms_W"]["0.5-3 Hz"] == pytest.approx(RMS_W, rel=0.01)
    assert set(facts(1000)["rms_W"].values()) == {None}


def test_only_the_last_minute_counts():
    loads = [load_W for hertz in (0.3, 1.7) for _, load_W in sine(hertz, end_ms=61_000)]
    found = fed((0, {s.G_METER_LOAD}, (), load_W) for load_W in loads)["load"]["rms_W"]
    assert found["0.5-3 Hz"] == pytest.approx(RMS_W, rel=0.01)
    assert found["0.1-0.5 Hz"] < 0.001 * RMS_W


def test_lost_frames_are_a_gap_in_time():
    loads = [load_W for _, load_W in sine(1.7)]

    def with_gap(lost):
        group = {s.G_METER_LOAD}
        ticks = [(lost * (tick == 2000), group, (), load_W) for tick, load_W in enumerate(loads)]
        return fed(ticks)["load"]

    found = {lost: with_gap(lost) for lost in (0, 40, 60)}
    assert found[0]["rms_W"]["0.1-0.5 Hz"] is not None
    assert found[40]["rms_W"]["0.1-0.5 Hz"] is not None  # 0.8 s
    assert found[60]["not_observable"]["0.1-0.5 Hz"].startswith("20 s of samples")


@pytest.mark.whole
def test_status_shows_the_bands_of_the_last_minute(tmp_path):
    def load_W(t_s):
        return 300_000 + 20_000 * math.sin(2 * math.pi * 0.25 * t_s)

    watched = Watched(tmp_path, load_W).run(20)
    early = watched.facts("status")["bands"]["load"]
    assert early["not_observable"]["0.1-0.5 Hz"].endswith("30 s are needed")
    found = watched.run(70).facts("status")["bands"]  # the same watch goes on
    fresh = watched.beside(watched.state).facts("status")["bands"]
    for name, each in found.items():
        if name != "window_s":
            assert each["rms_W"]["0.1-0.5 Hz"] == pytest.approx(
                fresh[name]["rms_W"]["0.1-0.5 Hz"], abs=200
            )
    assert found["window_s"] == 60
    assert found["load"]["rms_W"]["0.1-0.5 Hz"] == pytest.approx(14_142, rel=0.02)
    assert found["battery"]["rms_W"]["0.1-0.5 Hz"] == pytest.approx(14_142, rel=0.1)
    assert found["load"]["rms_W"]["0.5-3 Hz"] < 500
    limit_Hz = found["load"]["observable_to_Hz"]
    assert limit_Hz == pytest.approx(1000 / 3 / found["load"]["sample_ms"], abs=0.01)
    text = watched.text("status")
    assert "RMS kW   battery/grid/load, last 60 s: 0.1-0.5 Hz " in text and "/14." in text
    assert "- not observable, why: --json" in text
    assert len(text.split("\n")) <= 23
