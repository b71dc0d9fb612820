"""`python -m hil smooth largest` finds the largest site that each grid rule allows."""

from argparse import Namespace

from hil.campaigns.smooth import largest, largest_tables as tables, loads
from hil.campaigns.smooth.paths import paths
from hil.engine.arguments import number
from hil.engine.refusals import InputError
from hil.runner import options, report
from hil.runner.cases import Runner

OPTIONS = {
    **loads.OPTIONS,
    "--delays": options.value(paths, "MS,MS", "path delays (100f,55)", ("100f", "55")),
    "--capacitor": options.value(
        number(0, 1e6), "J", "at the racks, per kW of the load's peak (%(default)s)", 54.0
    ),
    "--meter": {
        "choices": (largest.RACKS, largest.FEED),
        "default": largest.RACKS,
        "help": "where the load meter of a site with capacitors is (%(default)s)",
    },
    "--floor": options.value(number(0, 100), "PERCENT", "power smoothing of the GPUs: floor", 0.0),
    "--ramp": options.value(number(0, 1e6), "PERCENT", "its change per s (no limit)", 0.0),
    "--range": options.value(number(0, 100), "PERCENT", "a 5 s range that the site states"),
    "--notices": options.flag("all built-in loads, each step announced, instead of capacitors"),
    "--table": options.flag("the table of controller/audit/README.md as well"),
    "--hysteresis": options.value(number(0, 1e6), "S", "its time at the floor (2)", 2.0),
}


BESIDE_NOTICES = *loads.OPTIONS, "--delays", "--notices"


def _refuse_what_has_no_effect(arguments: Namespace) -> None:
    for option, form in OPTIONS.items():
        setting = getattr(arguments, option.removeprefix("--"))
        if option not in BESIDE_NOTICES and setting not in (None, False, form.get("default")):
            raise InputError(f"{option} cannot stand beside --notices, which plays no capacitor")


def cases(arguments: Namespace) -> list[largest.Case]:
    """NERC's ramp, the built-in job, and measured loads. LoadError, InputError."""
    if arguments.notices:
        _refuse_what_has_no_effect(arguments)
    built_in = loads.BUILT_IN if arguments.notices else largest.BUILT_IN[1:]
    made = [None, *[loads.Source("", name) for name in built_in]]
    sources = [*made, *loads.measured(arguments.loads)]
    settings = arguments.capacitor, arguments.floor, arguments.ramp, arguments.hysteresis
    racks = largest.Racks(*settings, arguments.meter, arguments.range)
    return loads.chosen(
        [largest.Case(source, arguments.delays, racks, arguments.notices) for source in sources],
        arguments.only,
    )


def run(arguments: Namespace) -> int:
    """Play all and print one table for each load."""
    todo = cases(arguments)
    print("\n".join(tables.head(todo[0])), flush=True)
    with Runner(arguments) as runner:
        rows = runner.play(todo, largest.played, tables.of_load, lambda case: f"load {case.name}")
    worst = tables.worst(rows)
    document = {"racks": todo[0].racks._asdict(), "rows": rows, "worst": worst}
    closing = [*tables.markdown(rows), ""] if arguments.table else []
    closing += [tables.of_worst(worst, len(rows)), report.verdict(f"{len(rows)} loads judged")]
    return report.finish(arguments, tables.plain(document), closing, True)


add = options.command(
    "largest",
    "the largest site that each operator's rule allows, by path delay and buffer",
    run,
    options.JSON | OPTIONS,
)
