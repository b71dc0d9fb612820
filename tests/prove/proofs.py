"""All proofs by name, each run in a process of its own."""

import claims
import liveness
from symbolic import Unknown

from hil.engine import forks

# minutes each; left out of --quick
SLOW = (
    claims.every_value_stays_small,
    claims.every_value_stays_small_at_10_ms,
    claims.every_value_stays_small_bare,
)
PROOFS = (
    claims.scale_is_within,
    claims.taper_is_within,
    claims.a_limit_never_widens,
    claims.what_is_published_is_within,
    claims.a_demand_never_widens_a_limit,
    claims.a_weaker_rack_never_widens,
    claims.a_share_never_widens,
    claims.a_fault_never_lowers_a_demand,
    claims.permit_holds,
    claims.relays_are_tested,
    claims.no_reset_clears_what_stands,
    claims.evaluating_never_unlatches,
    claims.a_hint_only_narrows,
    claims.every_copy_stays_small,
    liveness.what_is_held_acts_in_its_time,
    liveness.what_moves_is_looked_at,
    liveness.a_ramp_ends,
    *SLOW,
)
BY_NAME = {proof.__name__: proof for proof in PROOFS}


def work(name, fd):
    try:
        why = BY_NAME[name]()
    except (Unknown, RecursionError) as error:
        why = f"cannot be run: {type(error).__name__} {error}"
    return {"why": why}


def run(workers, quick, wall_s_max=3600):
    """Yield (proof, its title, None or why it is not held, seconds), the slow ones first."""
    chosen = [proof for proof in PROOFS if not quick or proof not in SLOW]
    chosen.sort(key=lambda proof: proof not in SLOW)
    titles = {proof.__name__: proof.__doc__ for proof in chosen}
    for name, result in forks.run(list(titles), work, workers, wall_s_max):
        yield name, titles[name], result.get("error", result.get("why")), result["wall_s"]
