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


def _unit_ids(text: str) -> list[int]:
    """An argparse type: unit ids, such as 1-16,247."""
    unit_ids: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part, re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= 255:
            problem = f"{quoted(text)}: allowed are unit ids from 0 to 255, such as 1-16,247"
            raise argparse.ArgumentTypeError(problem)
        unit_ids += range(first, last + 1)
    return sorted(set(unit_ids))


@cli.command(
    "bus probe",
    *bus_access.OPTIONS,
    cli.option(
        "--units", type=_unit_ids, metavar="IDS", help=f"unit ids ({UNITS}; TCP {TCP_UNITS})"
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
    profiles, left_out = _profiles(arguments.profiles)
    report = (_of_can if bus.kind == "can" else _of_modbus)(bus, profiles, arguments)
    report["notes"] = left_out + report["notes"]
    shown = None if arguments.all else REFUSED_SHOWN
    cli.show(arguments.json, report, lambda: probe_words.lines(report, shown))
    return DONE if any(device["fits"] for device in report["devices"]) else NOT_DONE


def _profiles(folder: str | None) -> tuple[list[Profile], list[str]]:
    """(profiles, notes): the shipped profiles and those of a folder. A profile of the folder
    replaces a shipped profile with its name. A bad profile is left out, with a note.
    """
    paths = {name: name for name in shipped()}
    if folder is not None:
        paths_in_folder = profile_files.of_folder(folder)
        if not paths_in_folder:
            raise ConfigError(f"{folder}: has no profile; allowed is a folder with NAME.toml")
        paths |= {pathlib.Path(path).stem: path for path in paths_in_folder}
    usable, left_out = profile_files.usable(paths.values())
    return list(usable.values()), left_out


# -- Modbus


def _of_modbus(bus: Bus, profiles: list[Profile], arguments: Namespace) -> Facts:
    known = [profile for profile in profiles if profile.family in fits.FAMILIES]
    units = arguments.units or _unit_ids(TCP_UNITS if bus.kind == "tcp" else UNITS)
    report = probe_words.head(bus)
    is_held = bus.name != bus_access.DIRECT and bus_access.is_running(arguments.run_dir)
    report["through"] = "the running controller" if is_held else "this process"
    stated_Bd = bus.baud_Bd if is_held else arguments.baud_Bd or bus.baud_Bd
    bauds_Bd = (stated_Bd,) if stated_Bd or is_held else BAUDS_TRIED_BD
    longest = greetings.longest(len(units), len(bauds_Bd), arguments.timeout_ms, known)
    if is_held:
        say(longest)
        read = bus_access.through_controller(bus, arguments.run_dir)
        report["devices"], report["notes"] = _answering_devices(bus, units, read, known)
        return report
    bus_access.lock(arguments.run_dir)
    for baud_Bd in bauds_Bd:
        tried_bus = dataclasses.replace(bus, baud_Bd=baud_Bd, characters=arguments.characters)
        with contextlib.closing(
            bus_access.OpenedBus(tried_bus, arguments.timeout_ms * 1000)
        ) as opened:
            if baud_Bd == bauds_Bd[0]:
                say(longest)
            devices, notes = _answering_devices(tried_bus, units, opened.read, known)
        report["notes"] += notes
        if devices:
            return report | {"baud_Bd": baud_Bd, "devices": devices}
    return report


def _answering_devices(
    bus: Bus, units: Iterable[int], read: bus_access.Read, profiles: list[Profile]
) -> tuple[list[Facts], list[str]]:
    """(devices, notes). Each unit that answers is compared with every profile."""
    devices: list[Facts] = []
    damaged = dict[int, str]()
    reads = {unit_id: functools.cache(functools.partial(read, unit_id)) for unit_id in units}
    answers = {
        unit_id: [unit_read(*place) for place in greetings.GREETINGS]
        for unit_id, unit_read in reads.items()
    }
    notes = greetings.ask_silent(reads, answers, greetings.first_reads(profiles))
    for unit_id, own in reads.items():
        greeting = answers[unit_id]
        code = greetings.refusal_code(greeting)
        if not any(map(greetings.is_answer, greeting)) and not code:
            if set(greeting) != {greetings.SILENT}:
                damaged[unit_id] = next(
                    str(answer) for answer in greeting if answer != greetings.SILENT
                )
            continue
        alike = [device for device in devices if answers[device["unit_id"]] == greeting]
        if alike and (code or bus.kind == "tcp" and any(map(greetings.is_telling, greeting))):
            alike[0]["also"].append(unit_id)
            continue
        devices.append(_device(unit_id, code, own, profiles))
    return devices, _trouble(bus, devices, damaged) + notes


def _trouble(bus: Bus, devices: list[Facts], damaged: dict[int, str]) -> list[str]:
    """Notes about damaged answers, or about a bus on which no unit answers. damaged: {unit id: why
    its answer is damaged}.
    """
    rate_text = f" at {bus.baud_Bd} Bd" if bus.kind == "rtu" else ""
    if not devices and not damaged:
        return [f"nobody answers{rate_text}: another baud rate, unit id, or A and B swapped?"]
    if len(damaged) > 1:
        reasons = list(damaged.values())
        line = f"{len(damaged)} units{rate_text}: {reasons[0]}"
        if not devices and bus.kind == "rtu":
            return [f"{line}: a wrong baud rate?"]
        if len(set(reasons)) == 1:
            return [line]
    return [f"unit {unit_id}{rate_text}: {reason}" for unit_id, reason in damaged.items()]


def _device(unit_id: int, code: int, read: fits.Read, profiles: list[Profile]) -> Facts:
    """The facts of a unit that answers. code: the exception code if it answers only with this code,
    else 0.
    """
    device: Facts = {"unit_id": unit_id, "also": [], "sunspec": "", "code": code}
    device |= {"fits": [], "refused": {}}
    if code:
        return device
    with contextlib.suppress(fits.Unfit, StepError):
        models = fits.chain_of(read, fits.SUNSPEC_BASES)
        plate = fits.nameplate(read, models)
        names = ", ".join(str(model.model) for model in models)
        device["sunspec"] = f"models {names}" + (f"; {plate}" if plate else "")
    judged = fits.fits(profiles, read)
    fitting = [fit for fit in judged if not fit.reason]
    device["fits"] = [_fit(fit, fitting) for fit in fitting]
    device["refused"] = {fit.profile.path.stem: fit.reason for fit in judged if fit.reason}
    return device


def _fit(fit: fits.Fit, fitting: list[fits.Fit]) -> Facts:
    equals = [rival for rival in fitting if rival is not fit and rival.rank[:2] == fit.rank[:2]]
    return {
        **probe_words.of_profile(fit.profile),
        "certainty": fit.certainty,
        "proofs": fit.proofs,
        "signs": fit.signs,
        "values": fit.values,
        "like": [equal.profile.path.stem for equal in equals],
    }


# -- CAN


def _of_can(bus: Bus, profiles: list[Profile], arguments: Namespace) -> Facts:
    known = [profile for profile in profiles if profile.family == CAN_BMS]
    with contextlib.closing(bus_access.can_port(bus, arguments.run_dir)) as port:
        frames = list(listen(port, arguments.listen_s))
    return of_frames(bus, known, frames)


def of_frames(bus: Bus, profiles: list[Profile], frames: list[can_fits.Frame]) -> Facts:
    """The report about the frames of a CAN bus."""
    report = probe_words.head(bus)
    heard = can_fits.heard(frames)
    report["ids"] = [
        heard_id._asdict() | {"can_id": can_fits.shown(heard_id.can_id)} for heard_id in heard
    ]
    if not frames:
        report["notes"] = ["nothing comes: bit rate, termination, or a BMS that waits to be polled"]
        return report
    judged = can_fits.fits(profiles, frames)
    fitting = [fit for fit in judged if not fit.reason]
    report["devices"] = [
        {
            "fits": [_can_fit(fit, fitting, len(heard)) for fit in fitting],
            "refused": {fit.profile.path.stem: fit.reason for fit in judged if fit.reason},
        }
    ]
    return report


def _can_fit(fit: can_fits.CanFit, fitting: list[can_fits.CanFit], ids: int) -> Facts:
    rivals = [rival for rival in fitting if rival.profile.path != fit.profile.path]
    equals = [rival for rival in rivals if len(rival.known) == len(fit.known)]
    return {
        **probe_words.of_profile(fit.profile),
        "certainty": "identity" if not equals else "plausible",
        "node": fit.node,
        "proofs": [f"{len(fit.known)} of the {ids} ids are its own, none is forbidden"],
        "signs": [],
        "values": [f"its driver took {fit.taken} frames"],
        "like": [equal.profile.path.stem for equal in equals],
    }
