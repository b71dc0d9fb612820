"""Page why: the range that the operator allows holds load tracking back."""

from array import array
from dataclasses import replace

import numpy as np
from watched import CONFIG, Watched

from tests.tables import cases

UPPER = np.random.default_rng(4).integers(0, 2, 60).tolist()


def unforeseen(t_s):
    """Steps of 120 kW that nobody foresees: load tracking leaves twice as much."""
    return 300_000 + 120_000 * UPPER[int(t_s) % 60]


@cases("""range_W  load  shown
    250_000  unforeseen  True | 2_000_000  unforeseen  False | 100_000_000  unforeseen  False
    10_000  lambda t_s: 300_000  False""")
def test_why_names_the_strict_judge_while_it_decides(tmp_path, range_W, load, shown):
    control = CONFIG.control | {"range_5s_W_max": range_W}
    settings = replace(CONFIG, control=control, control_image=array("i", control.values()))
    watched = Watched(tmp_path, load, settings=settings)
    found = watched.run(11).facts("why")["range"]
    page = watched.text("why")
    assert (found is not None) == shown == ("\nRange  " in page)
    if found:
        share, load_W = found["share_permille"], found["load_W"]
        assert 0 < share < 1000 and abs(share - 1000 * (200_000 / load_W - 1)) < 5
        words = f"Follows {share / 10:.0f} % of swings of {load_W / 1000:.1f} kW in 5 s"
        assert f"Range  {words}: range_5s_W_max is 250.0 kW.\n" in page
