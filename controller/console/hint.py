"""`firebreak hint`: sends a hint in the name of a source, and prints the reply. A hint asks the
controller for power or for a tighter limit. schedule.py sends schedules.
"""

import functools
import os
import re
from argparse import Namespace
from typing import NamedTuple

from controller.console import schedule
from controller.core.base import hint_codes as h
from controller.hints import hint_statistics, keys, no_answer, wire as w, words
from controller.hints.client import HintClient, SequenceError
from controller.hints.key_file import KeyStoreError, read
from controller.hints.later import START_MS_MAX
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT

_OPTIONS = {
    "--charge-max": (h.CHARGE_W_MAX, "charge at most"),
    "--discharge-max": (h.DISCHARGE_W_MAX, "discharge at most"),
    "--power": (h.POWER_W, "ask for this power, > 0 discharges"),
    "--import-max": (h.IMPORT_W_MAX, "import at most from the grid"),
    "--export-max": (h.EXPORT_W_MAX, "export at most to the grid"),
    "--step": (h.STEP_W, "notice: at --in the load changes by this power"),
}
POWER_UNITS = {"W": 1, "kW": 1000, "MW": 1_000_000}
TIME_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
_NUMBER = re.compile(r"(-?\d{1,9}(?:\.\d{1,6})?) ?([A-Za-z]+)")
_VALID_MS_MAX = 2**32 - 1


class HintRequest(NamedTuple):
    """A hint from the command line."""

    kind: int
    quantity: int
    value_W: int
    valid_ms: int
    ahead_ms: int


@cli.command(
    "hint",
    cli.option("what", nargs="?", choices=("schedule",), help="a table of slots"),
    cli.option("file", nargs="?", metavar="FILE", help="TOML or CSV; none: show the schedule"),
    cli.option("--source", required=True, metavar="NAME", help="as in [source.NAME]"),
    *[
        cli.option(name, metavar="POWER", help=f"{text}, such as 450kW")
        for name, (_, text) in _OPTIONS.items()
    ],
    cli.option("--heartbeat", action="store_true", help="only show that the source is alive"),
    cli.option("--price-negative", action="store_true", help="notice: the price is negative"),
    cli.option("--exact", action="store_true", help="with --power: load tracking pauses"),
    cli.option("--in", dest="ahead", metavar="TIME", help="begin later, such as 10min"),
    cli.option("--for", dest="valid", metavar="TIME", help="validity, such as 300s or 5min"),
    cli.option(
        "--purpose",
        type=cli.whole(0, 2**16 - 1),
        default=0,
        metavar="NUMBER",
        help="shown with the hint (0)",
    ),
    cli.option("--key-file", metavar="FILE", help="the key in hex (STATE_DIR/keys/NAME.key)"),
    cli.option("--json", action="store_true", help="the reply as one line of JSON"),
    cli.RUN_DIR,
    cli.STATE_DIR,
)
def _run(arguments: Namespace) -> int:
    name = arguments.source
    try:
        plan = schedule.plan_of(arguments)
        request = None if arguments.what else request_of(arguments)
        keys.checked_name(name)
        stored = os.path.join(arguments.state_dir, keys.DIRECTORY, name + keys.SUFFIX)
        key, _ = read(arguments.key_file or stored)
    except FileNotFoundError as error:
        remedy = f"firebreak key create {name}, or name another --state-dir"
        raise cli.Ended(WRONG_INPUT, f"{error.filename}: no such key; {remedy}") from error
    except KeyStoreError as error:
        raise cli.Ended(WRONG_INPUT, error) from error
    queue_full = "the queue of hints is full: a source sends too many; see firebreak sources"
    with cli.ends(NO_START, OSError, before=f"{no_answer.silent(arguments.run_dir)}: "):
        try:
            with cli.ends(NOT_DONE, SequenceError), HintClient(arguments.run_dir) as client:
                if request is None:
                    return schedule.show(arguments, schedule.ask(client, arguments, key, plan))
                hint_and_reply = client.say(
                    name, key, *request[:-1], arguments.purpose, request.ahead_ms
                )
        except BlockingIOError as error:
            raise cli.Ended(NOT_DONE, queue_full) from error
    return _show(arguments, name, hint_and_reply)


def _show(arguments: Namespace, name: str, answered: tuple | None) -> int:
    """Print the reply, return the exit code. answered: (wire.Hint, wire.Reply), or None if no reply
    came.
    """
    if answered is None:
        raise cli.Ended(NO_START, no_answer.unanswered(arguments.run_dir, name))
    statistics = hint_statistics.of_source(arguments.run_dir, name)
    hint, reply = answered
    code = DONE if h.effect(reply.code, reply.asked_W, reply.granted_W) == h.YES else NOT_DONE
    lines = functools.partial(words.lines, hint, reply, statistics, code)
    cli.show(arguments.json, words.fields(reply), lines, None)
    return code


def request_of(arguments: Namespace) -> HintRequest:
    """The hint of parsed arguments. Ends the command if the arguments describe no hint."""
    values = {name: getattr(arguments, name[2:].replace("-", "_")) for name in _OPTIONS}
    named_options = [(name, text) for name, text in values.items() if text is not None]
    if len(named_options) + arguments.heartbeat + arguments.price_negative != 1:
        line = f"a hint has exactly one of {', '.join(_OPTIONS)}, --price-negative or --heartbeat"
        raise cli.Ended(WRONG_INPUT, line)
    if arguments.exact and arguments.power is None:
        raise cli.Ended(WRONG_INPUT, "--exact is allowed with --power only")
    if arguments.valid is None:
        line = "--for TIME is missing: every hint has a validity, such as --for 300s"
        raise cli.Ended(WRONG_INPUT, line)
    valid_ms = quantity_of("--for", arguments.valid, TIME_UNITS, 0, _VALID_MS_MAX, "300s")
    ahead_ms = 0
    if arguments.ahead is not None:
        ahead_ms = quantity_of("--in", arguments.ahead, TIME_UNITS, 0, START_MS_MAX, "10min")
    if arguments.heartbeat:
        return HintRequest(h.HEARTBEAT, 0, 0, valid_ms, ahead_ms)
    if arguments.price_negative:
        return HintRequest(h.NOTICE, h.PRICE_IS_NEGATIVE, 1, valid_ms, ahead_ms)
    name, text = named_options[0]
    value_W = quantity_of(name, text, POWER_UNITS, -w.VALUE_W_MAX, w.VALUE_W_MAX, "450kW")
    quantity, _ = _OPTIONS[name]
    kind = h.EXACT if arguments.exact else h.KIND_OF[quantity]
    return HintRequest(kind, quantity, value_W, valid_ms, ahead_ms)


def quantity_of(
    option: str, text: str, units: dict[str, int], low: int, high: int, example: str
) -> int:
    """The quantity in a text such as "450kW", in the first unit of `units`. Ends the command for
    any other text.
    """
    match = _NUMBER.fullmatch(text)
    if not match or match[2] not in units:
        allowed = f"a number with {', '.join(units)}, as in {example}"
    else:
        value = round(float(match[1]) * units[match[2]])
        if low <= value <= high:
            return value
        allowed = f"{low} .. {high} {next(iter(units))}"
    raise cli.Ended(WRONG_INPUT, f"{option} {text!r} is not allowed; allowed {allowed}")
