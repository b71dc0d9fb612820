"""A planted violation is found within 1 % and one sample; a record just below the limit passes."""

import numpy as np
import planted
import pytest

from controller.audit import filters, judge, measures, rules, samples
from tests.tables import cases

BELOW, ABOVE = 0.985, 1.015
SEEDS = range(7)
RIDE_STEP = 0.02  # a power is back after whole samples


# file, rule, reading: limit in the unit of the rule, then what makes a record of a size
RULES = {
    ("southern", "range_6s"): (10, lambda rng, size: planted.change(rng, size, 6)),
    ("atc_spp", "range_5s"): (25, lambda rng, size: planted.change(rng, size, 5)),
    ("atc_spp", "change_50MW", "largest rise or fall inside"): (
        50,
        lambda rng, size: planted.change(rng, size, 100, 0.5),
    ),
    ("atc_spp", "change_50MW", "mean over longer times, in 100 s"): (
        50,
        lambda rng, size: planted.slope(rng, size, 100, 100, 0.5),
    ),
    ("ieso", "change_15s"): (5, lambda rng, size: planted.change(rng, size, 15)),
    ("ieso", "change_15s", "between moments 15 s apart"): (
        5,
        lambda rng, size: planted.slope(rng, size, 15, 15),
    ),
    ("ercot", "range_5s", "one pole"): (
        10,
        lambda rng, size: planted.through_band(rng, size, 0.1, 0, 0.02),
    ),
    ("ercot", "range_5s", "one pole", "5 ms"): (
        10,
        lambda rng, size: planted.through_band(rng, size, 0.1, 55, 0.005),
    ),
    ("ercot", "range_5s", "two poles"): (
        10,
        lambda rng, size: planted.through_band(rng, size, 0.1, 0, 0.02, 2),
    ),
    ("ercot", "nprr_1191_up"): (
        8,
        lambda rng, size: planted.slope(rng, size, 60, 60, 0.5, base_MW=1000),
    ),
    ("ercot", "nprr_1191_up", "", "of the peak"): (
        2,
        lambda rng, size: planted.relative_slope(rng, size, 60, 0.5),
    ),
    ("ercot", "nprr_1191_down"): (
        20,
        lambda rng, size: planted.slope(rng, -size, 60, 60, 0.5, base_MW=1000),
    ),
    ("ercot", "nprr_1191_down", "", "of the peak"): (
        5,
        lambda rng, size: planted.relative_slope(rng, -size, 60, 0.5),
    ),
    ("ercot", "nprr_1191_down", "largest rise or fall inside"): (
        20,
        lambda rng, size: planted.slope(rng, -size, 60, 60, 0.5, base_MW=1000),
    ),
    ("aeso", "ramp"): (10, lambda rng, size: planted.slope(rng, size, 60, 60)),
    ("southern", "ramp"): (20, lambda rng, size: planted.slope(rng, size, 60, 60)),
    ("southern", "ramp_75"): (20, planted.usual_slope),
    ("lipa", "slow"): (10, lambda rng, size: planted.tones(rng, size, 0.1, 5)),
    ("lipa", "fast"): (3.5, lambda rng, size: planted.tones(rng, size, 5, 55, 0.005)),
    ("ieso", "ramp"): (20, lambda rng, size: planted.slope(rng, size, 60, 60)),
    ("caiso", "ramp_10min"): (20, lambda rng, size: planted.slope(rng, size, 600, 60, 1.0)),
    ("nvidia_t4", "ramp"): (20, planted.relative_slope),
    ("ieso", "line"): (2.5, planted.tone),
    ("template_2508_14318", "energy"): (20, planted.share),
    ("ercot", "ride_through"): (2.0, planted.late),
    ("eirgrid", "ride_through"): (0.5, planted.late),
}


def verdict(case, made, seed):
    (rule,) = [each for each in rules.load(case[0]) if each.name == case[1]]
    odd = 997 + 7919 * (seed % 5)
    (found,) = judge.audit(planted.Given(made.times_s, made.columns, odd), [rule], None).verdicts
    return found.readings[case[2]] if case[2:] and case[2] else found


@pytest.mark.parametrize("case", RULES, ids=" ".join)
def test_a_planted_violation_is_found_and_a_record_below_passes(case):
    limit, make = RULES[case]
    for seed in SEEDS:
        is_ride = case[1] == "ride_through"
        low, high = (limit, limit + RIDE_STEP) if is_ride else (BELOW * limit, ABOVE * limit)
        for size, word in ((high, judge.BROKEN), (low, judge.MET)):
            made = make(np.random.default_rng(seed), size)
            found = verdict(case, made, seed)
            assert (found.word, seed) == (word, seed), found
            assert found.value == pytest.approx(made.value, rel=0.01), seed
            assert abs(found.at_s - made.at_s) <= made.near_s, seed
            assert not is_ride or (found.site_MW_max == np.inf) == (word == judge.MET), seed


def judged(name, rule, step_s, load_MW):
    """The verdict of a rule of a load with so many MW in each step, beside 100 MW."""
    times_s = np.arange(len(load_MW)) * step_s
    return verdict((name, rule), planted.Planted(times_s, {"load_W": 1e6 * load_MW}, 0, 0, 0), 0)


def steps(count, *rises):
    """100 MW less all rises, then each rise (MW, first step, length in steps)."""
    at = np.arange(count)
    every = [MW * (np.clip((at - first) / length, 0, 1) - 1) for MW, first, length in rises]
    return 100 + np.sum(every, axis=0)


def usual(share):
    return planted.usual_slope(None, 22, share).columns["load_W"] / 1e6


@cases("""
name        rule           step_s  load_MW                                     value  word
"ieso"     "change_15s"   0.02   steps(3000, (3, 900, 1), (3, 1649, 1))  6   judge.BROKEN
"ieso"     "change_15s"   0.02   steps(3000, (3, 900, 1), (3, 1650, 1))  3   judge.MET
"ieso"     "change_15s"   0.02   steps(3000, (3, 900, 1), (3, 1651, 1))  3   judge.MET
"ieso"     "change_15s"   0.02   steps(3000, (3, 900, 1), (-3, 1000, 1))  3   judge.MET
"atc_spp"  "change_50MW"  0.5    steps(999, (49, 400, 2))                    49  judge.MET
"atc_spp"  "change_50MW"  0.5    steps(999, (50, 400, 2))                    50  judge.MET
"atc_spp"  "change_50MW"  0.5    steps(999, (51, 400, 2))                    51  judge.BROKEN
"atc_spp"  "change_50MW"  0.5    steps(999, (60, 400, 242))                  49.59  judge.MET
"atc_spp"  "change_50MW"  0.5    steps(999, (60, 400, 238))                  50.42  judge.BROKEN
"atc_spp"  "change_50MW"  0.5    steps(999, (30, 400, 1), (30, 599, 1))      60  judge.BROKEN
"atc_spp"  "change_50MW"  0.5    steps(999, (30, 400, 1), (30, 600, 1))   59.70  judge.BROKEN
"atc_spp"  "change_50MW"  0.5    steps(999, (30, 400, 1), (30, 640, 1))   49.79  judge.MET
"atc_spp"  "change_50MW"  0.5    steps(999, (-50, 400, 1), (-50, 600, 1))  99.50  judge.BROKEN
"atc_spp"  "change_50MW"  0.5    steps(999, (50, 300, 1), (50, 699, 1))   50  judge.MET
"atc_spp"  "change_50MW"  0.5    steps(999, (40, 300, 1), (40, 500, 1))   79.60  judge.BROKEN
"atc_spp"  "change_50MW"  0.5    steps(999, (90, 400, 360))                50  judge.MET
"atc_spp"  "change_50MW"  0.5    steps(999, (90, 400, 358))             50.28  judge.BROKEN
"southern"  "ramp_75"      0.5    usual(0.24)    17.6  judge.MET
"southern"  "ramp_75"      0.5    usual(0.26)    22    judge.BROKEN
"aeso"   "ramp"  0.5    steps(999, (9, 400, 1), (-9, 404, 1))    9     judge.MET
"aeso"   "ramp"  0.5    steps(999, (6, 400, 1), (6, 518, 1))    12     judge.BROKEN
"aeso"   "ramp"  0.5    steps(999, (6, 400, 1), (6, 519, 1))    12     judge.BROKEN
"aeso"   "ramp"  0.5    steps(999, (6, 400, 1), (6, 520, 1))     6     judge.MET
"ercot"  "nprr_1191_down"  0.5    steps(999, (9, 400, 1), (-9, 404, 1))   9  judge.BROKEN
"ercot"  "nprr_1191_up"    0.5    steps(999, (-9, 400, 1), (9, 404, 1))   9  judge.BROKEN
"ercot"  "nprr_1191_down"  0.5    steps(999, (30, 400, 1))    0  judge.MET
"ercot"  "nprr_1191_up"    0.5    steps(999, (-30, 400, 1))   0  judge.MET
""")
def test_edges_of_a_change(name, rule, step_s, load_MW, value, word):
    """A change of one sample ends one sample later, so 749 samples are the last inside 15 s."""
    found = judged(name, rule, step_s, load_MW)
    assert (found.value, found.word) == (pytest.approx(value, rel=0.01), word)


@pytest.mark.parametrize("count, word", [(22, judge.NOTHING), (23, judge.MET)])
def test_a_record_too_short_for_one_reading_is_not_judged(count, word):
    """Moments 14.7 s apart stand for 15 s in samples of 0.7 s; any 15 s need 15.4 s of them."""
    assert judged("ieso", "change_15s", 0.7, np.full(count, 100.0)).word == word


def test_a_percentile_does_not_depend_on_the_length_of_the_blocks():
    load_W, times_s = 1e6 * usual(0.24), np.arange(4121) * 0.5
    found = []
    for ends in ([], [*range(241, 900)]):
        measure = measures.Percentile(75, 60.0, 60.0, "both", 0.5)
        for part in np.split(np.arange(4121), ends):
            measure.feed(samples.Block(part[0] == 0, times_s[part], {}), load_W[part])
        found.append(measure.worst)
    assert found[0] == found[1]


def test_the_stricter_reading_of_a_change_decides():
    """A wave of 7.5 s has no change between moments 15 s apart."""
    load_MW = 100 + 2.6 * np.sin(2 * np.pi * np.arange(5000) * 0.02 / 7.5)
    found = judged("ieso", "change_15s", 0.02, load_MW)
    net, inside = found.readings.values()
    assert (net.value, net.word) == (pytest.approx(0, abs=1e-6), judge.MET)
    assert (inside.value, inside.word) == (pytest.approx(5.2, rel=0.001), judge.BROKEN)
    decided = found.value, found.word, found.site_MW_max
    assert decided == (inside.value, inside.word, inside.site_MW_max)


@cases("""
name          rule          period_s  value  word
"aeso"        "ramp"        60.0      40     judge.BROKEN
"southern"    "ramp"        60.0      40     judge.BROKEN
"ieso"        "ramp"        30.0      40     judge.BROKEN
"caiso"       "ramp_10min"  60.0      0      judge.MET
"nvidia_t4"   "ramp"        0.1       40     judge.BROKEN
""")
def test_a_load_whose_period_divides_the_window_is_seen(name, rule, period_s, value, word):
    """A square of 40 MW: the net change is 0. An average, CAISO's, alone is decided by it."""
    at = np.arange(65_000 if rule == "ramp_10min" else 9000)
    load_MW = 60 + 40 * (2 * (at % round(period_s / 0.02)) >= period_s / 0.02)
    found = judged(name, rule, 0.02, load_MW)
    assert (found.value, found.word) == (pytest.approx(value, abs=1e-6), word)
    net, inside = found.readings.values()
    assert net.value == pytest.approx(0, abs=1e-6)
    assert inside.value == pytest.approx(4 if name == "caiso" else 40)


@pytest.mark.parametrize("step_s", [0.5, 0.7, 10.0])
def test_the_steepest_time_of_a_change_is_found_among_all(step_s):
    rng = np.random.default_rng(3)
    load_MW = 500 + np.cumsum(rng.normal(0, 3, 900))
    count = -int(-100 / step_s // 1)
    slopes = [np.abs(load_MW[n:] - load_MW[:-n]).max() / n for n in range(count, 900)]
    found = judged("atc_spp", "change_50MW", step_s, load_MW)
    expected = max(slopes) * 100 / step_s
    assert found.readings["mean over longer times, in 100 s"].value == pytest.approx(expected)


@pytest.mark.parametrize("poles", [1, 2])
@pytest.mark.parametrize("at_Hz", [0.03, 0.1, 1.0, 20.0, 55.0, 110.0])
def test_a_filter_has_the_gain_of_butterworth(at_Hz, poles):
    """|H|^2 = 1 / (1 + (edge / f)^2n) of the lower edge, 1 / (1 + (f / edge)^2n) of the upper."""
    low, high = (0.1 / at_Hz) ** poles, (at_Hz / 55) ** poles
    step_s = min(0.02 / at_Hz, 0.002)
    times_s = np.arange(60 / step_s) * step_s
    band, found = filters.Band([0.1, 55.0], step_s, poles), []
    for first, part in enumerate(np.array_split(np.sin(2 * np.pi * at_Hz * times_s), 7)):
        found.append(band.feed(not first, part))
    settled = np.concatenate(found)[len(times_s) // 3 :]
    assert np.ptp(settled) / 2 == pytest.approx(1 / np.hypot(1, low) / np.hypot(1, high), rel=0.01)


@pytest.mark.parametrize("end_s, value", [(89, 3.75), (59.98, None), (60, 0), (60.02, 0)])
@pytest.mark.parametrize("pause_s", [None, 20])
def test_a_line_at_the_end_of_a_segment_is_seen(end_s, value, pause_s):
    """10 MW in the last 28.5 s of 89 s: half of the last window, less its slope."""
    times_s = np.arange(round(end_s / 0.02)) * 0.02
    wave = np.where(times_s >= 60.5, 10e6 * np.sin(2 * np.pi * times_s), 0)
    if pause_s:
        times_s = np.append(times_s, end_s + pause_s + np.arange(3050) * 0.02)
        wave = np.append(wave, np.zeros(3050))
    given = planted.Given(times_s, {"load_W": 5e7 + wave}, 977)
    rule = [each for each in rules.load("ieso") if each.name == "line"]
    (found,) = judge.audit(given, rule, 50).verdicts
    expected = value or 0 if pause_s else value
    assert found.value == (expected if expected is None else pytest.approx(expected, abs=0.01))


def test_content_is_of_the_strongest_line_or_of_the_whole_band():
    made = planted.tones(np.random.default_rng(1), 10.5, 0.1, 5)
    line, whole = verdict(("lipa", "slow"), made, 1).readings.values()
    assert (line.value, line.word) == (pytest.approx(8.4, rel=0.01), judge.MET)
    assert (whole.value, whole.word) == (pytest.approx(10.5, rel=0.01), judge.BROKEN)


def response(part, late=5, drift_MW=0.0, end=9000):
    """A dip and a rise of 0.3 Hz, and a battery that gives this part of the droop's power."""
    times_s = np.arange(9000) * 0.02
    off_Hz = 0.3 * ((times_s > 20) & (times_s < 60)) - 0.3 * ((times_s > 100) & (times_s < 130))
    ideal_W = np.sign(off_Hz) * 0.264 / 3.0 * 0.25e6
    own_W = part * np.roll(ideal_W, late) + drift_MW * 1e6 * (times_s > 80)
    load_W = np.full(9000, 1e6)
    columns = {"load_W": load_W, "grid_W": load_W - own_W, "frequency_Hz": 60 - off_Hz}
    return times_s[:end], {name: each[:end] for name, each in columns.items()}


def droop(times_s, columns, odd=997):
    return judge.audit(planted.Given(times_s, columns, odd), rules.load("template_droop"), None)


@cases("""
made                           value  word          why
response(1)                    0      judge.MET     "the worst one 0.10 s late, with 100.0 %"
response(0.93)                 7      judge.MET     "with 93.0 %"
response(0.91)                 9      judge.BROKEN  "with 91.0 %"
response(1, late=25)           0      judge.MET     "0.50 s late"
response(1, late=250)          15     judge.BROKEN  "0.50 s late"
response(1, drift_MW=0.05)     0      judge.MET     "2 deviations"
response(-1)                   199    judge.BROKEN  "with -99.0 %"
response(1, end=6000)          0      judge.MET     "1 deviations; 1 at an end of the record"
""")
def test_a_response_is_compared_with_the_droop(made, value, word, why):
    for odd in (50, 997, 9001):
        alone, found = droop(*made, odd).verdicts
        assert (found.value, found.word) == (
            pytest.approx(value, abs=0.1),
            word,
        ) and why in found.why
        assert (alone.word, alone.why) == (judge.NOTHING, "it needs the battery")


def repeated(steps, late=0):
    """A moving frequency that is measured each `steps` samples, and a response to what was seen."""
    times_s = np.arange(9000) * 0.02
    off_Hz = 0.3 * np.sin(times_s / 8) * (np.abs(np.sin(times_s / 16)) > 0.5)
    seen_Hz = off_Hz[np.arange(9000) // steps * steps]
    behind_Hz = np.maximum(0, np.abs(seen_Hz) - 0.036)
    own_W = np.roll(np.sign(seen_Hz) * behind_Hz / 3.0 * 0.25e6, late)
    load_W = 1e6 + np.arange(9000) % 10  # the meters of the powers are fast
    return times_s, {"load_W": load_W, "grid_W": load_W - own_W, "frequency_Hz": 60 - seen_Hz}


@cases("""steps  late  word
    1  0  judge.MET
    1  25  judge.MET
    26  0  judge.MET       # 0.52 s between two values: up to 0.50 s late
    27  0  judge.REFUSED
    50  0  judge.REFUSED
    13  13  judge.MET
    13  14  judge.REFUSED
""")
def test_a_frequency_that_is_repeated_bounds_the_delay_that_can_be_judged(steps, late, word):
    found = droop(*repeated(steps, late))
    assert found.verdicts[1].word == word, found.verdicts[1].why
    assert found.is_met == (word == judge.MET)
    slow = f"one value every {steps * 20} ms"
    assert (slow in found.verdicts[1].why) == (word == judge.REFUSED)


def test_a_response_is_not_judged_without_a_deviation():
    times_s, columns = response(1, end=900)
    assert [each.word for each in droop(times_s, columns).verdicts] == [judge.NOTHING] * 2
    del columns["frequency_Hz"]
    assert not droop(times_s, columns).is_met


def bent(at, Hz, end=9000):
    """A perfect record with other frequencies in some samples."""
    times_s, columns = response(1, end=end)
    columns["frequency_Hz"][at] = Hz
    return times_s, columns


@cases("""
made                                          words
bent(slice(500, 501), 59.963)                 "2 deviations; 1 too small"
bent(slice(500, 501), np.nan)                 "2 deviations; frequency unknown for 0.02 s"
bent(slice(0, 9000), np.nan)                  "no deviation to judge; frequency unknown for 180 s"
bent(slice(8985, 8995), 59.5)                 "2 deviations; 1 at an end of the record"
bent(slice(8998, 8999), 59.5)                 "2 deviations; 1 at an end of the record"
bent(slice(8900, 8999), 59.5, 8999)           "2 deviations; 1 at an end of the record"
""")
def test_what_cannot_be_judged_is_named(made, words):
    for odd in (50, 997, 9001):
        found = droop(*made, odd).verdicts[1]
        assert found.why.startswith(words) and found.word != judge.BROKEN


@pytest.mark.parametrize("count", (2, 499, 500, 501, 997))
def test_a_swing_is_judged_by_itself_and_not_by_the_begin_of_the_record(count):
    """9.5 MW at 2 Hz, steady, which begins at its crest, also after each of 9 gaps: two poles
    showed 14.3 MW of 10.
    """
    times_s = np.arange(10_000) * 0.02
    times_s += np.arange(10_000) // 1000 * 3.0
    load_W = 1e6 * (5 + 4.75 * np.cos(4 * np.pi * times_s))
    (rule,) = rules.load("ercot")[:1]
    (found,) = judge.audit(planted.Given(times_s, {"load_W": load_W}, count), [rule], None).verdicts
    assert found.word == judge.MET and 10 <= found.begin_s % 23 < 20
    for reading in found.readings.values():
        assert reading.value == pytest.approx(9.5, rel=0.015)


@pytest.mark.parametrize("length_s, word", ((14.98, judge.NOTHING), (15.02, judge.MET)))
def test_a_band_needs_its_settling_and_a_window(length_s, word):
    times_s = np.arange(round(length_s / 0.02) + 1) * 0.02
    assert judged("ercot", "range_5s", 0.02, 100 + 0 * times_s).word == word
