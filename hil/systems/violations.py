"""Limits that a run of a system violates: connection and backup reserve."""

import numpy as np

from hil.systems.failures import silent_in
from hil.systems.run import Result

ROUNDING_W = 1.0  # of seconds_W, which is float32
HARD_PERMILLE, SOC_MARGIN = 100, 1.0  # margin: percent


def of(result: Result) -> list[str]:
    """Limits of the connection in every second, and the backup reserve at the end of every slot."""
    size, grid_W, least_soc = (result.spec.size, result.seconds_W[1], 100 * float(result.soc.min()))
    found = [
        *_over("import", result, grid_W, size.import_W),
        *_over("export", result, -grid_W, size.export_W),
    ]
    hard = size.control.get("soc_reserve_backup_permille", HARD_PERMILLE) / 10
    if least_soc < hard - SOC_MARGIN:
        found.append(f"state of charge {least_soc:.1f} %, backup reserve {hard:g} %")
    return found + [
        f"{'outage' if each['is_outage'] else 'plain day'} at {each['at_s']} s: {fault}"
        for each in result.minutes
        for fault in each["faults"]
    ]


def _over(name: str, result: Result, power_W: np.ndarray, limit_W: int) -> list[str]:
    is_over = power_W > limit_W + ROUNDING_W
    if not is_over.any():
        return []
    most_kW = (float(power_W.max()) - limit_W) / 1000
    over = f"{name} above {limit_W / 1000:g} kW in {is_over.sum()} s, by {most_kW:.3g} kW"
    silent_s = silent_in(result.failures, is_over).items()
    return ["; ".join([over, *[f"{part} silent: {count} s" for part, count in silent_s]])]
