"""`firebreak decode`: a saved capture by a profile, as named values or reasons of refusals."""

import json
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from controller.config.can_decoding import Frames, shown as shown_id
from controller.config.decoding import Found, Memory, Refusal, Registers, Value
from controller.config.profile_bench import RATED_W
from controller.config.sunspec_places import placed
from controller.console import captures
from controller.console.captures import Event, Failure, Frame, Words
from controller.console.profile import JSON, checked
from controller.documents.document import wrapped
from controller.forms.refusal import ConfigError
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT, ascii_only
from drivers.profile import Profile
from drivers.steps import StepError

POWER_W_MAX = 100_000_000
Report = dict[str, Any]


@cli.command(
    "decode",
    cli.option("file", metavar="FILE", help="of candump, frames of Modbus, or registers"),
    cli.option("--profile", metavar="NAME", required=True, help="shipped, or a file in .toml"),
    cli.option("--unit-id", type=cli.whole(0, 255), default=None, help="of a bus with several"),
    cli.option("--node", type=cli.whole(0, 55), default=0, help="of a BMS (%(default)s)"),
    cli.option(
        *("--rated-W", "--rated"),
        dest="rated_W",
        type=cli.whole(1, POWER_W_MAX),
        default=RATED_W,
        help="where a value is a part of the rating (%(default)s)",
    ),
    JSON,
)
def _decode(arguments: Namespace) -> int:
    with cli.ends(WRONG_INPUT, ConfigError):
        profile = checked(arguments.profile)
        events = list(captures.read(arguments.file))
        report = _report(profile, events, arguments)
    if arguments.json:
        print(json.dumps(report, indent=1))
    else:
        print(ascii_only("\n".join(_lines(report))))
    return DONE if report["values"] or report["stored"] else NOT_DONE


def _report(profile: Profile, events: list[Event], arguments: Namespace) -> Report:
    """What a capture says by a profile: one object of --json."""
    is_can = profile.family.endswith("_bms") and not profile.registers
    kinds = (Frame,) if is_can else (Words, Failure)
    own = [each for each in events if isinstance(each, kinds)]
    if not own:
        what = "frames of CAN" if is_can else "registers or frames of Modbus"
        raise ConfigError(f"{arguments.file}: has no {what}, which {profile.path.stem} needs")
    decoded = _of_can(profile, own, arguments) if is_can else _of_bus(profile, own, arguments)
    found, stored, fault, others = decoded
    return {
        "profile": profile.path.stem,
        "file": arguments.file,
        "values": [each._asdict() for each in found if isinstance(each, Value)],
        "refused": [each._asdict() for each in found if isinstance(each, Refusal)],
        "stored": {name: {"value": value, "unit": unit} for name, (value, unit) in stored.items()},
        "fault": "" if stored else fault,
        "other_ids": others,
    }


Decoded = tuple[list[Found], dict[str, tuple[int, str]], str, list[str]]


def _of_can(profile: Profile, events: list[Any], arguments: Namespace) -> Decoded:
    decoder = Frames(profile, arguments.node)
    for each in events:
        decoder.take(*each)
    last_us = events[-1].time_us
    others = [shown_id(each) for each in sorted(decoder.others)]
    return decoder.found, decoder.end(last_us), decoder.fault(last_us), others


def _of_bus(profile: Profile, events: list[Any], arguments: Namespace) -> Decoded:
    units = sorted({each.unit_id for each in events} - {-1})
    wanted = arguments.unit_id
    if wanted is None and len(units) > 1:
        allowed = ", ".join(map(str, units))
        raise ConfigError(f"{arguments.file}: has several units; allowed --unit-id of {allowed}")
    own = [each for each in events if wanted is None or each.unit_id in (-1, wanted)]
    decoder = Registers(_placed(profile, own, arguments.file), arguments.rated_W)
    for each in own:
        if isinstance(each, Failure):
            decoder.found.append(Refusal(each.time_us, "reply", each.reason))
        else:
            decoder.take(each.time_us, each.function, each.address, each.words)
    stored = decoder.end(events[-1].time_us)
    return decoder.found, stored, decoder.fault(), []


def _placed(profile: Profile, events: list[Any], file: str) -> Profile:
    """The profile with its registers where the SunSpec chain of the capture has them."""
    memory = Memory()
    for each in events:
        if isinstance(each, Words):
            memory.put(*each[2:])
    try:
        return placed(profile, memory.data)[0]
    except StepError as error:
        line = f"{file}: {error}; {profile.path.stem} needs the chain of the device in the capture"
        raise ConfigError(line) from None


def _lines(report: Report) -> Iterator[str]:
    yield f"{report['file']} by {report['profile']}:"
    for each in report["values"]:
        value = f"{each['value']:.9g} {each['unit']}".rstrip()
        yield f"{_seconds(each)} {each['name']:28} {value:16} {each['place']}"
    for each in report["refused"]:
        where = f"{each['place']}: " if each["place"] else ""
        yield from wrapped(f"{_seconds(each)} {each['name']:28} REFUSED  ", where + each["reason"])
    if report["other_ids"]:
        yield from wrapped("ids of no message: ", ", ".join(report["other_ids"]))
    if report["stored"]:
        stored = report["stored"].items()
        words = [f"{name} {each['value']} {each['unit']}".rstrip() for name, each in stored]
        yield from wrapped("A cabinet would store: ", "; ".join(words))
    else:
        yield from wrapped("A cabinet would store nothing: ", report["fault"])


def _seconds(each: dict[str, Any]) -> str:
    return f"{each['time_us'] / 1e6:10.3f} s"
