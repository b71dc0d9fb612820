"""A planted violation is found within 1 % and one sample; a record just below the limit passes."""

import numpy as np
import planted
import pytest

from controller.audit import judge, rules

BELOW, ABOVE = 0.985, 1.015
SEEDS = range(7)
RIDE_STEP = 0.02  # a power is back after whole samples


# file, rule: limit in the unit of the rule, then what makes a record of a size
RULES = {
    ("southern", "range_6s"): (10, lambda rng, size: planted.change(rng, size, 6)),
    ("atc_spp", "range_5s"): (25, lambda rng, size: planted.change(rng, size, 5)),
    ("ieso", "change_15s"): (5, lambda rng, size: planted.change(rng, size, 15)),
    ("ercot", "range_5s"): (10, lambda rng, size: planted.through_band(rng, size, 0.1, 0, 0.02)),
    ("ercot", "range_5s", "5 ms"): (
        10,
        lambda rng, size: planted.through_band(rng, size, 0.1, 55, 0.005),
    ),
    ("lipa", "slow"): (10, lambda rng, size: planted.through_band(rng, size, 0.1, 5, 0.02)),
    ("lipa", "fast"): (3.5, lambda rng, size: planted.through_band(rng, size, 5, 55, 0.005)),
    ("ieso", "ramp"): (20, lambda rng, size: planted.slope(rng, size, 60, 60)),
    ("caiso", "ramp_10min"): (20, lambda rng, size: planted.slope(rng, size, 600, 60, 1.0)),
    ("atc_spp", "ramp"): (0.5, lambda rng, size: planted.slope(rng, size, 1, 1)),
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
    return found


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
