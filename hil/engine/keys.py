"""`python -m hil keys`: prints every key of a scenario or a site, from the forms that check them.

The templates give the meanings. `keys covers` prints what the rig simulates of a cabinet.
"""

from argparse import Namespace
from typing import Any

from controller.forms import key_list
from controller.forms.field import Field, Form
from hil.engine import coverage
from hil.results import template
from hil.scenarios import expectations, faults, scenario
from hil.site import description


def _form(field: Field) -> Form:
    """The keys of a table in a site file. For the table `pod`, the keys of [[pod.member]]."""
    form = field.allowed[0] if field.kind == "table" and field.allowed else {}
    return form["member"].allowed[0] if "member" in form else form


CONTENT: dict[str, dict[str, Any]] = {
    "scenario": {
        "scenario": scenario.SCENARIO,
        "loads": scenario.LOADS,
        "actions": faults.FORMS,
        "events": expectations.EVENTS,
        "expectations": expectations.FORMS,
    },
    "site": {
        "tables": {name: _form(field) for name, field in description.TOP.items()},
        "loads": description.LOADS,
    },
}


def add(commands: Any) -> None:
    """Add the command to the subparsers."""
    summary = "every key of a scenario or site; what the rig covers of a cabinet"
    kinds = commands.add_parser("keys", help=summary).add_subparsers(
        required=True, metavar="WHAT", dest="kind"
    )
    for kind in CONTENT:
        kinds.add_parser(kind, help=f"every key of a {kind}").set_defaults(run=main)
    coverage.add(kinds)


def main(arguments: Namespace) -> int:
    """Print the keys. Returns the exit code."""
    print(text(arguments.kind), end="")
    return 0


def text(file: str) -> str:
    """The keys of one kind of file, with their meaning."""
    return template.rendered(f"keys_{file}.txt", keys=_keys, **CONTENT[file])


def _keys(form: Form) -> list[str]:
    """A line for each key: what is allowed, and the default."""
    return [key_list.line(key, field) for key, field in form.items()]
