"""`firebreak ask`: says whether battery and grid connection can carry a planned job that raises the
load for some time.

Exit codes: 0 yes, 1 no, 2 wrong input, 3 not known (no controller, or a meter is silent).
"""

from argparse import Namespace

from controller.console.hint import POWER_UNITS, TIME_UNITS, quantity_of
from controller.console.moment import moment
from controller.console.pages import ask as page
from controller.doors import asking, job_in_plan
from controller.series import times
from controller.series.refusal import SeriesError
from controller.state import ask
from controller.state.forecast import Job
from controller.system import cli, clock
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, say
from controller.system.utc import elapsed_s

EXIT_CODES = {ask.YES: DONE, ask.NO: NOT_DONE, ask.NOT_KNOWN: NO_START}
SPAN = cli.option("--for", dest="span", required=True, metavar="TIME", help="as in 20min")
JSON = cli.option("--json", action="store_true", help="the answer as JSON, units in the names")


def job_of(arguments: Namespace) -> Job:
    """The job of parsed arguments. Ends the command if the arguments describe no job."""
    return Job(
        quantity_of("--power", arguments.power, POWER_UNITS, 1, ask.POWER_W_MAX, "400kW"),
        _ahead_s(arguments),
        quantity_of("--for", arguments.span, TIME_UNITS, 1000, ask.FOR_S_MAX * 1000, "20min")
        // 1000,
    )


def _ahead_s(arguments: Namespace) -> int:
    """Time from now to the start of the job, s. --at is a span such as +10min, or a local time of
    the site.
    """
    if ":" not in arguments.at:
        span, ahead_ms_max = arguments.at.removeprefix("+"), ask.AT_S_MAX * 1000
        return quantity_of("--at", span, TIME_UNITS, 0, ahead_ms_max, "+10min or 14:05") // 1000
    plan, now_utc_s = job_in_plan.read(arguments.run_dir), int(clock.utc_us()) / 1e6
    with cli.ends(WRONG_INPUT, SeriesError, before="--at: "):
        zone = times.zone_of(plan["zone"]) if plan else times.machine_zone()
        start_utc_s = moment(arguments.at, now_utc_s, zone)
    ahead_s = elapsed_s(now_utc_s, start_utc_s)
    if not 0 <= ahead_s <= ask.AT_S_MAX:
        allowed = f"now, {times.local(now_utc_s, zone)}, to {ask.AT_S_MAX // 3600} h later"
        line = f"--at {arguments.at!r} is {times.local(start_utc_s, zone)}; allowed {allowed}"
        raise cli.Ended(WRONG_INPUT, line)
    say(f"--at is {times.local(start_utc_s, zone)} in {zone}, in {ahead_s:.0f} s")
    return round(ahead_s)


@cli.command(
    "ask",
    cli.option("--power", required=True, metavar="POWER", help="rise of the load, as in 400kW"),
    cli.option(
        "--at",
        default="+0s",
        metavar="TIME",
        help="+10min, 14:05 (local time of the site) or 2026-12-01T14:05 (now)",
    ),
    SPAN,
    JSON,
    cli.RUN_DIR,
)
def _run(arguments: Namespace) -> int:
    answer = asking.answered(arguments.run_dir, job_of(arguments), clock.now_us())
    cli.show(arguments.json, answer, lambda: page.lines(answer))
    return EXIT_CODES[answer["answer"]]
