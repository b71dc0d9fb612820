"""The cabinet files of the systems are sound: no pair of their numbers is doubted."""

import pytest

from controller.config import configuration, pairs
from hil.systems import sized, spec

SYSTEMS = [(name, variant) for name in spec.NAMES for variant in ("", *spec.variants(name))]
# rated current: a third of the capacity per hour, or less (row 54)
LARGE = "berlin", "north_america", "shanghai"


@pytest.mark.parametrize("name, variant", SYSTEMS)
def test_no_cabinet_of_a_system_is_doubted(name, variant, tmp_path):
    chosen = spec.load(name, variant)
    size = sized.cabinets(chosen.size, chosen.cabinets, {})[0]
    doubts = configuration.with_doubts(sized.write(size, tmp_path))[1]
    assert [each for each in doubts if pairs.STILL not in each] == []
    assert bool(doubts) == (name in LARGE)
