"""`firebreak hint`: sends one hint as a source would, and says in words what became of it."""

import json
import os
import re
from typing import NamedTuple

from controller.core import hint_codes as h
from controller.hints import hint_statistics, keys, words
from controller.hints import wire as w
from controller.hints.client import HintClient, SequenceError
from controller.system.paths import (
    DONE,
    NO_START,
    NOT_DONE,
    RUN_DIRECTORY,
    STATE_DIRECTORY,
    WRONG_INPUT,
    say,
)

_OPTIONS = (
    ("charge_max", h.CHARGE_W_MAX, "charge at most"),
    ("discharge_max", h.DISCHARGE_W_MAX, "discharge at most"),
    ("power", h.POWER_W, "ask for this power, > 0 discharges"),
    ("import_max", h.IMPORT_W_MAX, "import at most from the grid"),
    ("export_max", h.EXPORT_W_MAX, "export at most to the grid"),
)
_POWER_UNITS = {"W": 1, "kW": 1000, "MW": 1_000_000}
_TIME_UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}
_NUMBER = re.compile(r"(-?\d{1,9}(?:\.\d{1,6})?) ?([A-Za-z]+)")
_VALID_MS_MAX, _PURPOSE_MAX = 2**32 - 1, 2**16 - 1


class Order(NamedTuple):
    """What the command line asks for."""

    kind: int
    quantity: int
    value_W: int
    valid_ms: int


class OrderError(ValueError):
    """Something on the command line that cannot be; one line."""


def add(commands):
    """Add `firebreak hint` to the subparsers."""
    parser = commands.add_parser("hint")
    parser.add_argument("--source", required=True, metavar="NAME", help="as in [source.NAME]")
    for option, _, text in _OPTIONS:
        parser.add_argument(
            "--" + option.replace("_", "-"), metavar="POWER", help=f"{text}, such as 450kW"
        )
    parser.add_argument("--heartbeat", action="store_true", help="only say that the source lives")
    parser.add_argument(
        "--for", dest="valid", metavar="TIME", help="validity, such as 300s or 5min"
    )
    parser.add_argument(
        "--purpose", type=int, default=0, metavar="NUMBER", help="shown with the hint (0)"
    )
    parser.add_argument(
        "--key-file", metavar="FILE", help="the key in hex (STATE_DIR/keys/NAME.key)"
    )
    parser.add_argument("--json", action="store_true", help="the reply as one line of JSON")
    parser.add_argument("--run-dir", default=RUN_DIRECTORY)
    parser.add_argument("--state-dir", default=STATE_DIRECTORY)
    parser.set_defaults(run=_run)


def _run(arguments):
    try:
        order = order_of(arguments)
        name = keys.checked_name(arguments.source)
        path = arguments.key_file or os.path.join(
            arguments.state_dir, keys.DIRECTORY, name + keys.SUFFIX
        )
        key, _ = keys.read(path)
    except FileNotFoundError as error:
        say(
            f"{error.filename}: no such key; firebreak key create {arguments.source}, or name "
            f"another --state-dir"
        )
        return WRONG_INPUT
    except (OrderError, keys.KeyStoreError) as error:
        say(error)
        return WRONG_INPUT
    try:
        with HintClient(arguments.run_dir) as client:
            said = client.say(name, key, *order, arguments.purpose)
    except SequenceError as error:
        say(error)
        return NOT_DONE
    except BlockingIOError:
        say("the queue of hints is full: somebody floods it; firebreak sources counts what comes")
        return NOT_DONE
    except OSError as error:
        say(f"no controller answers in {arguments.run_dir}: {error}")
        return NO_START
    return _show(arguments, name, said)


def _show(arguments, name, said):
    """Print what became of it; returns the exit code."""
    seen = hint_statistics.read(os.path.join(arguments.run_dir, "hints.stats"))
    own = (
        next((source for source in seen["sources"] if source["name"] == name), None)
        if seen
        else None
    )
    if said is None:
        say(words.unanswered(name, own))
        return NO_START
    hint, reply = said
    code = DONE if h.taken(reply.code) else NOT_DONE
    if arguments.json:
        print(json.dumps(words.fields(reply)))
    else:
        print("\n".join(words.lines(hint, reply, own, code)))
    return code


def order_of(arguments):
    """Order of parsed arguments. Raises OrderError."""
    given = [
        (quantity, option, getattr(arguments, option))
        for option, quantity, _ in _OPTIONS
        if getattr(arguments, option) is not None
    ]
    if len(given) + arguments.heartbeat != 1:
        options = ", ".join("--" + option.replace("_", "-") for option, _, _ in _OPTIONS)
        raise OrderError(f"a hint says exactly one thing: {options} or --heartbeat")
    if not 0 <= arguments.purpose <= _PURPOSE_MAX:
        raise OrderError(
            f"--purpose {arguments.purpose} is not allowed; allowed 0 .. {_PURPOSE_MAX}"
        )
    if arguments.valid is None:
        raise OrderError(
            "--for TIME is missing: every hint says how long it holds, such as --for 300s"
        )
    valid_ms = whole("--for", arguments.valid, _TIME_UNITS, 0, _VALID_MS_MAX, "300s")
    if arguments.heartbeat:
        return Order(h.HEARTBEAT, 0, 0, valid_ms)
    quantity, option, text = given[0]
    value_W = whole(
        "--" + option.replace("_", "-"), text, _POWER_UNITS, -w.VALUE_W_MAX, w.VALUE_W_MAX, "450kW"
    )
    return Order(h.KIND_OF[quantity], quantity, value_W, valid_ms)


def whole(option, text, units, low, high, example):
    """A number with its unit as a whole number of the smallest unit. Raises OrderError."""
    match = _NUMBER.fullmatch(text)
    if not match or match[2] not in units:
        raise OrderError(
            f"{option} {text!r} is not allowed; allowed a number with "
            f"{', '.join(units)}, as in {example}"
        )
    value = round(float(match[1]) * units[match[2]])
    if not low <= value <= high:
        smallest = next(iter(units))
        raise OrderError(f"{option} {text!r} is not allowed; allowed {low} .. {high} {smallest}")
    return value
