"""`firebreak status | why | alarms | events | trend | racks | map | devices | links`: shows one
page about a running controller, or the facts of this page as JSON.

Exit codes: 0 the page is current, 1 the controller has stopped (the page shows its last state),
2 wrong input, 3 no controller was found.
"""

from argparse import Namespace

from controller.console import pages
from controller.state import watch
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT

SPAN_S, SPAN_S_MAX, PAGES_MAX = 600, 7200, 7200
_PAGE = cli.option(
    "--page", type=cli.whole(1, PAGES_MAX), default=1, metavar="NUMBER", help="which part (1)"
)
_SPAN = cli.option(
    "--for",
    dest="span_s",
    type=cli.whole(1, SPAN_S_MAX),
    default=SPAN_S,
    metavar="SECONDS",
    help="length of the trend (%(default)s)",
)
_SCHEMA = cli.option(
    "--schema", action="store_true", help="each field of --json as a JSON Schema; no controller"
)
# {page: its options}. Each other page has the option --page, because it may have several parts.
_OPTIONS: dict[str, tuple] = {"status": (_SCHEMA,), "trend": (_SPAN,)}


def _show(arguments: Namespace) -> int:
    page, number = arguments.command, getattr(arguments, "page", 1)
    if getattr(arguments, "schema", False):
        from controller.state import schema  # slow to load

        print(cli.as_json(schema.schema()))
        return DONE
    with watch.first_look(arguments) as seen:
        facts = seen.facts(page, getattr(arguments, "span_s", SPAN_S))
    parts = pages.parts(page, facts)
    if number > len(parts):
        line = f"--page {number}: allowed is a whole number from 1 to {len(parts)}"
        raise cli.Ended(WRONG_INPUT, line)
    cli.show(arguments.json, facts, lambda: parts[number - 1])
    return DONE if facts["is_live"] else NOT_DONE


for _name in pages.PAGE_MODULES.keys() - {"plan"}:  # `plan` needs no controller, see plan.py
    _own = _OPTIONS.get(_name, (_PAGE,))
    cli.command(_name, cli.RUN_DIR, cli.STATE_DIR, cli.JSON, *_own)(_show)
