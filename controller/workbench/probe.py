"""`firebreak bus probe BUS`: finds the devices that answer on a bus, and the profiles that fit
them. The command only reads.

Exit codes: 0 a device answers and a profile fits it; 1 no device answers or no profile fits; 2
wrong input; 3 the port does not exist or another program holds it.
"""

import argparse
import contextlib
import dataclasses
import functools
import pathlib
import re
from argparse import Namespace
from collections.abc import Iterable

from controller.config.bus_schema import Bus
from controller.config.profile_form import CAN_BMS
from controller.forms.refusal import ConfigError
from controller.state.base import Facts
from controller.system import cli
from controller.system.paths import DONE, NOT_DONE, quoted, say
from controller.workbench import bus_access, can_fits, fits, greetings, probe_words, profile_files
from controller.workbench.can_listening import listen
from drivers.profile import Profile, shipped
from drivers.steps import StepError

BAUDS_TRIED_BD = (9600, 19_200, 115_200, 38_400)  # usual rates of new devices, in this order
UNITS, TCP_UNITS = "1-16,247", "0-16,247,255"
REFUSED_SHOWN = 5


def _numbers(text: str) -> list[int]:
    """An argparse type: unit ids, such as 1-16,247."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= 255:
            line = f"{quoted(text)}: allowed are unit ids from 0 to 255, such as 1-16,247"
            raise argparse.ArgumentTypeError(line)
        found += range(first, last + 1)
    return sorted(set(found))


@cli.command(
    "bus probe",
    *bus_access.OPTIONS,
    cli.option(
        "--units", type=_numbers, metavar="IDS", help=f"unit ids ({UNITS}; TCP {TCP_UNITS})"
    ),
    *bus_access.line_options("tried one after the other"),
    cli.option("--timeout-ms", type=cli.whole(20, 5000), default=150, help="(%(default)s)"),
    cli.option("--profiles", metavar="FOLDER", help="also the profiles of this folder"),
    cli.option(
        "--for",
        "--for-s",
        dest="listen_s",
        type=cli.whole(1, 600),
        default=5,
        metavar="SECONDS",
        help="listen to a CAN bus so long (%(default)s)",
    ),
    cli.option("--all", action="store_true", help="every profile that does not fit, and why"),
    cli.JSON,
)
def _probe(arguments: Namespace) -> int:
    bus = bus_access.find(arguments)
    every, left_out = _profiles(arguments.profiles)
    report = (_of_can if bus.kind == "can" else _of_modbus)(bus, every, arguments)
    report["notes"] = left_out + report["notes"]
    shown = None if arguments.all else REFUSED_SHOWN
    cli.show(arguments.json, report, lambda: probe_words.lines(report, shown))
    return DONE if any(each["fits"] for each in report["devices"]) else NOT_DONE


def _profiles(folder: str | None) -> tuple[list[Profile], list[str]]:
    """(profiles, notes): the shipped profiles and those of a folder. A profile of the folder
    replaces a shipped profile with its name. A bad profile is left out, with a note.
    """
    paths = {name: name for name in shipped()}
    if folder is not None:
        own = profile_files.of_folder(folder)
        if not own:
            raise ConfigError(f"{folder}: has no profile; allowed is a folder with NAME.toml")
        paths |= {pathlib.Path(each).stem: each for each in own}
    found, left_out = profile_files.usable(paths.values())
    return list(found.values()), left_out


# -- Modbus


def _of_modbus(bus: Bus, every: list[Profile], arguments: Namespace) -> Facts:
    known = [each for each in every if each.family in fits.FAMILIES]
    units = arguments.units or _numbers(TCP_UNITS if bus.kind == "tcp" else UNITS)
    report = probe_words.head(bus)
    is_held = bus.name != bus_access.DIRECT and bus_access.is_running(arguments.run_dir)
    report["through"] = "the running controller" if is_held else "this process"
    bauds_Bd = (bus.baud_Bd,) if is_held else _bauds(bus, arguments)
    longest = greetings.longest(len(units), len(bauds_Bd), arguments.timeout_ms, known)
    if is_held:
        say(longest)
        read = bus_access.through_controller(bus, arguments.run_dir)
        report["devices"], report["notes"] = _asked(bus, units, read, known)
        return report
    bus_access.lock(arguments.run_dir)
    for baud_Bd in bauds_Bd:
        own = dataclasses.replace(bus, baud_Bd=baud_Bd, characters=arguments.characters)
        with contextlib.closing(bus_access.Opened(own, arguments.timeout_ms * 1000)) as opened:
            if baud_Bd == bauds_Bd[0]:
                say(longest)
            found, notes = _asked(own, units, opened.read, known)
        report["notes"] += notes
        if found:
            return report | {"baud_Bd": baud_Bd, "devices": found}
    return report


def _bauds(bus: Bus, arguments: Namespace) -> tuple[int, ...]:
    given = arguments.baud_Bd or bus.baud_Bd
    return (given,) if given else BAUDS_TRIED_BD


def _asked(
    bus: Bus, units: Iterable[int], read: bus_access.Read, every: list[Profile]
) -> tuple[list[Facts], list[str]]:
    """(devices, notes). Each unit that answers is compared with every profile."""
    found: list[Facts] = []
    damaged = dict[int, str]()
    reads = {unit_id: functools.cache(functools.partial(read, unit_id)) for unit_id in units}
    answers = {
        unit_id: [own(*each) for each in greetings.GREETINGS] for unit_id, own in reads.items()
    }
    notes = greetings.ask_silent(reads, answers, greetings.first_reads(every))
    for unit_id, own in reads.items():
        greeting = answers[unit_id]
        code = greetings.code(greeting)
        if not any(map(greetings.is_answer, greeting)) and not code:
            if set(greeting) != {greetings.SILENT}:
                damaged[unit_id] = next(str(each) for each in greeting if each != greetings.SILENT)
            continue
        same = [each for each in found if answers[each["unit_id"]] == greeting]
        if same and (code or bus.kind == "tcp" and any(map(greetings.is_telling, greeting))):
            same[0]["also"].append(unit_id)
            continue
        found.append(_device(unit_id, code, own, every))
    return found, _trouble(bus, found, damaged) + notes


def _trouble(bus: Bus, found: list[Facts], damaged: dict[int, str]) -> list[str]:
    """Notes about damaged answers, or about a bus on which no unit answers. damaged: {unit id: why
    its answer is damaged}.
    """
    at = f" at {bus.baud_Bd} Bd" if bus.kind == "rtu" else ""
    notes = [f"unit {unit_id}{at}: {reason}" for unit_id, reason in damaged.items()]
    if len(set(damaged.values())) == 1 and len(damaged) > 1:
        notes = [f"{len(damaged)} units{at}: {next(iter(damaged.values()))}"]
    if len(damaged) > 1 and not found and bus.kind == "rtu":
        notes = [f"{len(damaged)} units{at}: {next(iter(damaged.values()))}: a wrong baud rate?"]
    if not found and not damaged:
        notes = [f"nobody answers{at}: another baud rate, unit id, or A and B swapped?"]
    return notes


def _device(unit_id: int, code: int, read: fits.Read, every: list[Profile]) -> Facts:
    """The facts of a unit that answers. code: the exception code if it answers only with this code,
    else 0.
    """
    found: Facts = {"unit_id": unit_id, "also": [], "sunspec": "", "code": code}
    found |= {"fits": [], "refused": {}}
    if code:
        return found
    with contextlib.suppress(fits.Unfit, StepError):
        models = fits.chain_of(read, fits.SUNSPEC_BASES)
        plate = fits.nameplate(read, models)
        names = ", ".join(str(model.model) for model in models)
        found["sunspec"] = f"models {names}" + (f"; {plate}" if plate else "")
    judged = fits.fits(every, read)
    fitting = [each for each in judged if not each.reason]
    found["fits"] = [_fit(each, fitting) for each in fitting]
    found["refused"] = {each.profile.path.stem: each.reason for each in judged if each.reason}
    return found


def _fit(fit: fits.Fit, every: list[fits.Fit]) -> Facts:
    equals = [each for each in every if each is not fit and each.rank[:2] == fit.rank[:2]]
    return {
        **probe_words.of_profile(fit.profile),
        "certainty": fit.certainty,
        "proofs": fit.proofs,
        "signs": fit.signs,
        "values": fit.values,
        "like": [equal.profile.path.stem for equal in equals],
    }


# -- CAN


def _of_can(bus: Bus, every: list[Profile], arguments: Namespace) -> Facts:
    known = [each for each in every if each.family == CAN_BMS]
    with contextlib.closing(bus_access.can_port(bus, arguments.run_dir)) as port:
        frames = list(listen(port, arguments.listen_s))
    return of_frames(bus, known, frames)


def of_frames(bus: Bus, every: list[Profile], frames: list[can_fits.Frame]) -> Facts:
    """The report about the frames of a CAN bus."""
    report = probe_words.head(bus)
    heard = can_fits.heard(frames)
    report["ids"] = [
        {**each._asdict(), "can_id": can_fits.shown(each.can_id), "lengths": each.lengths}
        for each in heard
    ]
    if not frames:
        report["notes"] = ["nothing comes: bit rate, termination, or a BMS that waits to be polled"]
        return report
    judged = can_fits.fits(every, frames)
    fitting = [each for each in judged if not each.reason]
    report["devices"] = [
        {
            "fits": [_can_fit(each, fitting, len(heard)) for each in fitting],
            "refused": {each.profile.path.stem: each.reason for each in judged if each.reason},
        }
    ]
    return report


def _can_fit(fit: can_fits.CanFit, every: list[can_fits.CanFit], ids: int) -> Facts:
    others = [each for each in every if each.profile.path != fit.profile.path]
    equals = [each for each in others if len(each.known) == len(fit.known)]
    return {
        **probe_words.of_profile(fit.profile),
        "certainty": "identity" if not equals else "plausible",
        "node": fit.node,
        "proofs": [f"{len(fit.known)} of the {ids} ids are its own, none is forbidden"],
        "signs": [],
        "values": [f"its driver took {fit.taken} frames"],
        "like": [equal.profile.path.stem for equal in equals],
    }
