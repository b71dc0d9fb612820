"""`firebreak plan`: shows the plan of the planner and the money that the battery saves. With
--once, the command makes a plan itself, without a running planner.

Exit codes: 0 the plan is current, 1 it is old, 2 wrong input, 3 there is no plan.
"""

from argparse import Namespace

from controller.console.pages import plan as page
from controller.series.refusal import SeriesError
from controller.state import plan_seen
from controller.state.base import Facts
from controller.system import cli, clock
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT

ONCE = "with --once: "


@cli.command(
    "plan",
    cli.RUN_DIR,
    cli.JSON,
    cli.option(
        "--html",
        type=cli.output_file,
        metavar="FILE",
        help="write one page with pictures to this file",
    ),
    cli.option("--once", action="store_true", help="plan from --site now, without the planner"),
    cli.option("--site", metavar="FILE", help=f"{ONCE}planner.toml"),
    cli.option(
        "--series",
        metavar="DIR",
        help=f"{ONCE}load.csv, prices.csv, pv.csv, carbon.csv there take precedence over the feeds",
    ),
    cli.option("--at", metavar="TIME", help=f"{ONCE}as 14:05 (local) or 2026-11-26T13:00Z (now)"),
    cli.option(
        "--charge",
        type=cli.whole(0, 100),
        default=50,
        metavar="PERCENT",
        help=f"{ONCE}stored energy at the start (%(default)s)",
    ),
)
def _plan(arguments: Namespace) -> int:
    facts = _planned_once(arguments) if arguments.once or arguments.site else _of_planner(arguments)
    if arguments.html:
        from controller.console import plan_page

        plan_page.write(arguments.html, facts)
    if arguments.json:
        age = {name: facts[name] for name in ("age_s", "is_old")}
        print(cli.as_json(facts["plan"] | age))
    elif arguments.html:
        print(f"written {arguments.html}")
    else:
        print("\n".join(page.lines(facts)))
    return NOT_DONE if facts["is_old"] else DONE


def _of_planner(arguments: Namespace) -> Facts:
    for name in ("series", "at"):
        if getattr(arguments, name) is not None:
            raise cli.Ended(WRONG_INPUT, f"--{name}: allowed only with --once --site FILE")
    facts = plan_seen.facts(arguments.run_dir, int(clock.utc_us()) / 1e6)
    if facts["plan"] is None:
        raise cli.Ended(NO_START, facts["trouble"])
    return facts


def _planned_once(arguments: Namespace) -> Facts:
    from controller.console import plan_once

    if not (arguments.once and arguments.site):
        raise cli.Ended(WRONG_INPUT, "--once and --site FILE: give both or neither")
    start = arguments.at or int(clock.utc_us()) / 1e6
    with (
        cli.ends(WRONG_INPUT, SeriesError),
        cli.ends(NO_START, plan_once.NoPlan, before="no plan: "),
    ):
        plan = plan_once.planned(arguments.site, arguments.series, start, 10 * arguments.charge)
    return {"plan": plan, "trouble": None, "is_old": False, "age_s": 0}
