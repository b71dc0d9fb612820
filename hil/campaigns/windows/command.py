"""`python -m hil windows`: the mean import of 15 and of 30 minutes, over a quarter."""

import argparse
from typing import Any

from hil.campaigns.windows import course
from hil.engine.arguments import whole
from hil.runner import options, report
from hil.runner.cases import Runner
from hil.systems import run as system_run

INTERVALS_S = 900, 1800
OPTIONS: dict[str, dict[str, Any]] = options.CASES | {
    "--days": options.value(whole(1, 366), "N", "(%(default)s)", 90),
    "--limit": options.value(
        whole(1000, 600_000), "W", "of the mean import (%(default)s)", 470_000
    ),
}


def run(arguments: argparse.Namespace) -> int:
    """Play both intervals and print. Returns the exit code."""
    print(f"seed       {arguments.seed}\nmode       {system_run.MODE}", flush=True)
    given = arguments.seed, arguments.days, arguments.limit
    with Runner(arguments) as runner:
        found = runner.play(INTERVALS_S, lambda interval_s: course.play(*given, interval_s))
    over = sum(each["over"] for each in found)
    impossible = sum(each["energy_short"] + each["power_short"] for each in found)
    count = sum(each["intervals"] for each in found) - impossible
    others = sum(each["over_all"] for each in found) - over
    beside = f"; {others} more above it, which the battery could not keep" if others else ""
    closing = [line for each in found for line in lines(each)]
    closing.append(report.verdict(f"{over} of {count} possible intervals above the limit{beside}"))
    document = {"seed": arguments.seed, "mode": system_run.MODE, "runs": found}
    return report.finish(arguments, document, closing, not over)


def lines(found: dict[str, Any]) -> list[str]:
    """Lines of one length of interval."""
    used = found["used_permille"]
    mean = "" if used is None else f"; {used / 10:g} % in intervals that needed the battery"
    return [
        f"{found['interval_min']} min     {found['intervals']} intervals in {found['days']} days, "
        f"limit {found['limit_W'] / 1000:g} kW; {found['needed_over']} of them need the battery, "
        f"{found['with_restart']} have a restart",
        f"           impossible: {found['energy_short']} by energy (a battery that always charges "
        f"up to the limit: {found['ideal_short']}), {found['power_short']} after a restart; in all "
        f"{found['over_all']} intervals are above the limit",
        f"           above the limit although possible: {found['over']}"
        + (f", by {found['over_W']:.0f} W" if found["over"] else "")
        + f"; highest mean {found['highest_permille'] / 10:g} % of the limit{mean}",
    ]


add = options.command(
    "windows",
    "peak shaving over a quarter, with restarts and clock errors",
    run,
    options.JSON | options.SEED | OPTIONS,
)
