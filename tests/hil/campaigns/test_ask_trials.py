"""The answers of `firebreak ask` against simulated jobs: a few of `python -m hil trials ask`."""

import pytest
from in_process import written

from hil.campaigns.ask import command, job
from tests.tables import cases

SEED, MINUTES = 11, 3


@pytest.mark.whole
@pytest.mark.parametrize("count", [16, 40])
def test_no_job_with_a_yes_is_short(count, tmp_path):
    given = "--seed", SEED, "--count", count, "--minutes", MINUTES
    found = written(tmp_path, "trials ask", *given)
    assert (found["jobs"], found["false_yes"]) == (count, [])
    assert {name.split(",")[0] for name in found["outcomes"]} == {"yes", "no", "not known"}
    assert found["right"] + len(found["false_no"]) == found["known"] < count


def outcome(answer, short, number=0):
    return job.Outcome(number, answer, ("power",) if answer == "no" else (), short)


@cases("""
    outcomes                                          is_met
    [("yes", "")] * 19 + [("no", "")]                 True
    [("yes", "")] * 18 + [("no", "")]                 False
    [("no", "power")] * 99 + [("yes", "connection")]  False
    [("not known", "power"), ("no", "power")]         True
""")
def test_a_yes_that_is_short_or_too_many_strict_ones_are_not_met(outcomes, is_met):
    document = command.summary([outcome(*each) for each in outcomes])
    assert command.is_met(document) == is_met


def test_the_draw_depends_on_seed_and_number_alone():
    one, again, other = [job.drawn(*each) for each in ((1, 2), (1, 2), (1, 3))]
    assert one == again != other


def test_no_share_of_no_known_answer():
    """Nothing is right, and nothing is met, without one known answer."""
    found = command.summary([outcome("not known", "power")])
    assert command.verdict(found) == "0 of 0 known answers right"
    assert not command.is_met(found)
