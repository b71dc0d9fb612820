"""`firebreak decode`: a saved capture by a profile, as named values or reasons of refusals.

The capture is read twice, so that a mistake in its last line is found before the first value is
printed. Neither reading keeps it: memory does not grow with the file.
"""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any, NamedTuple

from controller.config import can_decoding
from controller.config.decoding import Memory, Registers
from controller.config.findings import Found, Refusal, Value
from controller.config.profile_bench import RATED_W
from controller.config.profile_files import checked
from controller.config.sunspec_places import placed
from controller.console import decode_fits
from controller.console.captures import Capture, Frame
from controller.console.decode_page import Json, Text
from controller.console.exchanges import ON_CAN, Failure, Words
from controller.forms.refusal import ConfigError
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, WRONG_INPUT
from drivers.profile import Profile
from drivers.steps import StepError

POWER_W_MAX = 100_000_000
Rest = dict[str, Any]


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
    cli.JSON,
)
def _decode(arguments: Namespace) -> int:
    with cli.ends(WRONG_INPUT, ConfigError):
        profile = checked(arguments.profile)
        seen = survey(arguments.file)
        decoding = _decoding(profile, seen, arguments)
        page = Json() if arguments.json else Text()
        page.begin(arguments.file, profile.path.stem)
        for each in decoding.values():
            if isinstance(each, Value):
                page.value(each)
        rest = decoding.end()
    if seen.cut_line:
        rest["notes"] = [f"line {seen.cut_line}, the last, is cut off: left out", *rest["notes"]]
    page.end(rest)
    return DONE if page.values or rest["stored"] else NOT_DONE


class Survey(NamedTuple):
    """What a capture has: frames of CAN, events of Modbus and their units, the last time."""

    path: str
    frames: int
    events: int
    units: set[int]
    last_us: int
    cut_line: int


def survey(path: str) -> Survey:
    """Read a capture to its end. Raises ConfigError."""
    frames = events = last_us = 0
    units, capture = set[int](), Capture(path)
    for each in capture:
        last_us = max(last_us, each.time_us)
        if isinstance(each, Frame):
            frames += 1
        elif each.unit_id != ON_CAN:
            events += 1
            units.add(each.unit_id)
    return Survey(path, frames, events, units - {-1}, last_us, capture.cut_line)


def _decoding(profile: Profile, seen: Survey, arguments: Namespace) -> "OfCan | OfBus":
    if decode_fits.is_can(profile):
        if seen.frames:
            return OfCan(profile, seen, arguments.node)
        line = f"has no frames of CAN, which {profile.path.stem} needs"
        raise ConfigError(f"{seen.path}: {line}")
    if not seen.events:
        line = f"has no registers or frames of Modbus, which {profile.path.stem} needs"
        fitting = f"; {decode_fits.of_can(seen.path).line}" if seen.frames else ""
        raise ConfigError(f"{seen.path}: {line}{fitting}")
    wanted = arguments.unit_id
    if wanted is None and len(seen.units) > 1:
        allowed = ", ".join(map(str, sorted(seen.units)))
        raise ConfigError(f"{seen.path}: has several units; allowed --unit-id of {allowed}")
    return OfBus(profile, seen, wanted, arguments.rated_W)


def _rest(refused: list[Refusal], stored: dict[str, tuple[int, str]], fault: str) -> Rest:
    return {
        "refused": refused,
        "stored": {name: {"value": value, "unit": unit} for name, (value, unit) in stored.items()},
        "fault": fault,
        "other_ids": [],
        "notes": [],
        "fits": [],
        "fitting": "",
    }


def _fitting(rest: Rest, fitting: decode_fits.Fitting) -> Rest:
    return rest | {"fits": fitting.profiles, "fitting": fitting.line}


class OfCan:
    """The values of a rack on CAN."""

    def __init__(self, profile: Profile, seen: Survey, node: int) -> None:
        self._frames, self._seen = can_decoding.Frames(profile, node), seen
        self._profile, self._node = profile, node

    def values(self) -> Iterator[Found]:
        """The changes, in the order of the capture."""
        for each in Capture(self._seen.path):
            if isinstance(each, Frame):
                yield from self._frames.take(*each)
            elif isinstance(each, Failure) and each.unit_id == ON_CAN:
                refusal = Refusal(each.time_us, "frame", each.reason, each.place)
                self._frames.refused.add(refusal)

    def end(self) -> Rest:
        """The facts at the end of the capture."""
        frames, stored = self._frames, self._frames.end()
        fault = frames.fault(self._seen.last_us, bool(stored))
        rest = _rest(frames.refused.every(stored), stored, fault)
        rest["other_ids"] = [can_decoding.shown(each) for each in sorted(frames.others)]
        rest["notes"] = can_decoding.notes(self._profile, frames.last)
        if stored:
            return rest
        return _fitting(rest, decode_fits.of_can(self._seen.path, self._profile))


class OfBus:
    """The values of a device on Modbus."""

    def __init__(self, profile: Profile, seen: Survey, wanted: int | None, rated_W: int) -> None:
        self._seen, self._wanted = seen, wanted
        self._registers = Registers(self._placed(profile), rated_W)
        self._profile = profile

    def _events(self) -> Iterator[Words | Failure]:
        for each in Capture(self._seen.path):
            if isinstance(each, Frame) or each.unit_id == ON_CAN:
                continue
            if self._wanted is None or each.unit_id in (-1, self._wanted):
                yield each

    def _placed(self, profile: Profile) -> Profile:
        """The profile with its registers where the SunSpec chain of the capture has them."""
        if not profile.models:
            return profile
        memory = Memory()
        for each in self._events():
            if isinstance(each, Words):
                memory.put(*each[2:])
        try:
            return placed(profile, memory.data)[0]
        except StepError as error:
            needs = f"{profile.path.stem} needs the chain of the device in the capture"
            raise ConfigError(f"{self._seen.path}: {error}; {needs}") from None

    def values(self) -> Iterator[Found]:
        """The changes, in the order of the capture."""
        for each in self._events():
            if isinstance(each, Failure):
                self._registers.refused.add(Refusal(each.time_us, "reply", each.reason, each.place))
            else:
                yield from self._registers.take(each.time_us, *each[2:])

    def end(self) -> Rest:
        """The facts at the end of the capture."""
        registers = self._registers
        stored = registers.end(self._seen.last_us)
        rest = _rest(registers.refused.every(stored), stored, "" if stored else registers.fault())
        rest["notes"] = can_decoding.notes(self._profile, registers.last)
        return rest if stored else _fitting(rest, decode_fits.of_registers(registers.memory))
