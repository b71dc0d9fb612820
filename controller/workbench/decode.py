"""`firebreak bus decode`: decodes a saved capture of a bus with the profile of a device. It prints
values with their names, or the reasons why the profile refuses the frames.

The capture is read twice. So a mistake in its last line is found before the first value is printed,
and memory never holds the whole capture.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from controller.config.profile_form import CAN_BMS
from controller.config.sunspec_places import placed
from controller.forms.refusal import ConfigError
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE
from controller.workbench import can_decoding, can_fits, decode_fits
from controller.workbench.captures import Capture, Frame
from controller.workbench.decode_page import Json, Rest, Text
from controller.workbench.decoding import DeviceDecoder, Memory
from controller.workbench.exchanges import ON_CAN, Failure, Words
from controller.workbench.findings import Changes, Found, Refusal, Value
from controller.workbench.profile_bench import RATED_W
from controller.workbench.profile_files import checked
from drivers.profile import Profile
from drivers.steps import StepError

POWER_W_MAX = 100_000_000


@cli.command(
    "bus decode",
    cli.option("file", metavar="FILE", help="of candump, frames of Modbus, or registers"),
    cli.option("--profile", metavar="NAME", required=True, help="shipped, or a file in .toml"),
    cli.option("--unit-id", type=cli.whole(0, 255), default=None, help="of a bus with several"),
    cli.option("--node", type=cli.whole(0, 55), default=0, help="of a BMS (%(default)s)"),
    cli.option(
        "--rated-W",
        "--rated",
        dest="rated_W",
        type=cli.whole(1, POWER_W_MAX),
        default=RATED_W,
        help="where a value is a part of the rating (%(default)s)",
    ),
    cli.JSON,
)
def _decode(arguments: Namespace) -> int:
    profile = checked(arguments.profile)
    survey = surveyed(arguments.file)
    decoder, changes, fitting = _decoding(profile, survey, arguments)
    page = Json() if arguments.json else Text()
    page.begin(arguments.file, profile.path.stem)
    for change in changes:
        if isinstance(change, Value):
            page.value(change)
    rest = _rest(decoder, profile, survey.last_us, fitting)
    if survey.cut_line:
        rest["notes"] = [f"line {survey.cut_line}, the last, is cut off: left out", *rest["notes"]]
    page.end(rest)
    return DONE if page.values or rest["stored"] else NOT_DONE


class Survey(NamedTuple):
    """Content of a capture. unit_ids: of the Modbus events."""

    path: str
    can_frame_count: int
    modbus_event_count: int
    unit_ids: set[int]
    last_us: int
    cut_line: int


def surveyed(path: str) -> Survey:
    """Read a capture to its end. Raises ConfigError."""
    frames = events = last_us = 0
    units, capture = set[int](), Capture(path)
    for event in capture:
        last_us = max(last_us, event.time_us)
        if isinstance(event, Frame):
            frames += 1
        elif event.unit_id != ON_CAN:
            events += 1
            units.add(event.unit_id)
    return Survey(path, frames, events, units - {-1}, last_us, capture.cut_line)


def _decoding(
    profile: Profile, survey: Survey, arguments: Namespace
) -> tuple[Changes, Iterator[Found], Callable[[], decode_fits.Fitting]]:
    """(decoder, the values that it finds, in the order of the capture, and a function that finds
    profiles that fit the capture).
    """
    path = survey.path
    if profile.family == CAN_BMS:
        if not survey.can_frame_count:
            raise ConfigError(f"{path}: has no frames of CAN, which {profile.path.stem} needs")
        rack = can_decoding.RackDecoder(profile, arguments.node)
        return rack, _of_can(rack, path), partial(decode_fits.of_can, path, profile)
    if not survey.modbus_event_count:
        problem = f"has no registers or frames of Modbus, which {profile.path.stem} needs"
        advice = f"; {decode_fits.of_can(path).line}" if survey.can_frame_count else ""
        raise ConfigError(f"{path}: {problem}{advice}")
    unit_id = arguments.unit_id
    if unit_id is None and len(survey.unit_ids) > 1:
        allowed = ", ".join(map(str, sorted(survey.unit_ids)))
        raise ConfigError(f"{path}: has several units; allowed --unit-id of {allowed}")
    device = DeviceDecoder(_placed(profile, path, unit_id), arguments.rated_W)
    fitting = partial(decode_fits.of_registers, device.memory)
    return device, _of_bus(device, path, unit_id), fitting


def _of_can(rack: can_decoding.RackDecoder, path: str) -> Iterator[Found]:
    for event in Capture(path):
        if isinstance(event, Frame):
            yield from rack.take(*event)
        elif isinstance(event, Failure) and event.unit_id == ON_CAN:
            rack.refuse(Refusal(event.time_us, "frame", event.reason, event.place))


def _of_bus(device: DeviceDecoder, path: str, unit_id: int | None) -> Iterator[Found]:
    for event in _events(path, unit_id):
        if isinstance(event, Failure):
            device.refuse(Refusal(event.time_us, "reply", event.reason, event.place))
        else:
            yield from device.take(event.time_us, *event[2:])


def _events(path: str, unit_id: int | None) -> Iterator[Words | Failure]:
    """The Modbus events of a unit, or of all units if unit_id is None."""
    for event in Capture(path):
        if isinstance(event, Frame) or event.unit_id == ON_CAN:
            continue
        if unit_id is None or event.unit_id in (-1, unit_id):
            yield event


def _placed(profile: Profile, path: str, unit_id: int | None) -> Profile:
    """The profile. If it is a SunSpec profile, its register addresses come from the chain of models
    in the capture.
    """
    if not profile.models:
        return profile
    memory = Memory()
    for event in _events(path, unit_id):
        if isinstance(event, Words):
            memory.put(*event[2:])
    try:
        return placed(profile, memory.data)[0]
    except StepError as error:
        needs = f"{profile.path.stem} needs the chain of the device in the capture"
        raise ConfigError(f"{path}: {error}; {needs}") from None


def _rest(
    decoder: Changes, profile: Profile, last_us: int, fitting: Callable[[], decode_fits.Fitting]
) -> Rest:
    """The facts at the end of the capture."""
    stored = decoder.end(last_us)
    fault = decoder.fault(last_us, bool(stored))
    fitting_profiles = decode_fits.Fitting([], "") if stored else fitting()
    return {
        "refused": decoder.refusals(stored),
        "stored": {name: {"value": value, "unit": unit} for name, (value, unit) in stored.items()},
        "fault": fault,
        "other_ids": [can_fits.shown(can_id) for can_id in sorted(decoder.others)],
        "notes": can_decoding.notes(profile, decoder.last),
        "fits": fitting_profiles.profiles,
        "fitting": fitting_profiles.line,
    }
