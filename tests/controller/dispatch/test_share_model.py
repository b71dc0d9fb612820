"""The share rule, searched completely by SPIN, and each broken version of it found."""

import pytest
from share_model import BROKEN, FOUND, HOLDS, RIGHT, Case, searched, source

from tests.real.parts import needs
from tests.slow import whole


def name(case):
    sizes = [f"{key}={each}" for key, each in case._asdict().items() if each and key != "variant"]
    return f"{case.variant} {' '.join(sizes)}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", [RIGHT[0], *whole(*zip(RIGHT[1:7]))], ids=name)
def test_the_rule_holds_in_every_state(case):
    needs("spin", "gcc")
    verdict, states, _ = searched(case)
    assert verdict == HOLDS and states > 10_000


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", [*BROKEN[:2], *whole(*zip(BROKEN[2:]))], ids=name)
def test_a_broken_version_is_found(case):
    needs("spin", "gcc")
    assert searched(case)[0] == FOUND


def test_the_model_differs_by_its_variant():
    texts = {variant: source(Case(variant, 3)) for variant in ("ok", "no_w", "raise_early")}
    assert len({*texts.values()}) == 3
