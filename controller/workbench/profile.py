"""`firebreak profile`: lists the profiles of devices, checks a profile, and makes the skeleton of a
new one. A profile says how the values of a device are read from its bus.
"""

import os
from argparse import Namespace
from collections.abc import Iterator

from controller.config import layers, maps, silence
from controller.config.profile_form import CAN_BMS, SITE_DEVICE
from controller.core.site_devices.roles import OF_DEVICES
from controller.documents.document import wrapped
from controller.store import durable
from controller.system import cli
from controller.system.paths import DONE, NO_START, WRONG_INPUT, ascii_only, say
from controller.workbench import profile_facts, profile_files, profile_skeleton
from controller.workbench.profile_facts import Facts
from drivers.profile import shipped

BAUD = cli.option(
    "--baud",
    "--baud-Bd",
    type=cli.whole(1200, 1_000_000),
    default=9600,
    metavar="BD",
    dest="baud_Bd",
    help="of the serial line, for the times of reads (%(default)s)",
)
cli.group("profile", "ACTION")


@cli.command(
    "profile list",
    cli.JSON,
    cli.option("--site", metavar="FILE", help="also the profiles beside this file and its layers"),
    help="every profile: what it serves, what proves it, what it lacks and costs",
)
def _list(arguments: Namespace) -> int:
    names = shipped()
    names += _beside(arguments.site) if arguments.site else []
    profiles, left_out = profile_files.usable(names)
    reports = [profile_facts.facts(name, profile) for name, profile in profiles.items()]
    for line in left_out:
        say(line)
    lines = [ascii_only(line) for report in reports for line in _lines(report)]
    cli.show(arguments.json, reports, lambda: lines)
    return WRONG_INPUT if left_out else DONE


def _beside(path: str) -> list[str]:
    """The profiles that lie beside a site file or one of its layers."""
    folders = dict.fromkeys(os.path.dirname(layer.file) for layer in layers.read_chain(path))
    return [name for folder in folders for name in profile_files.of_folder(folder)]


def _lines(facts: Facts) -> Iterator[str]:
    head = f"{facts['name']:22} "
    yield from wrapped(head, f"{facts['maker']} {facts['model']} ({facts['family']})")
    yield from wrapped(f"{'':23}", "; ".join(_states(facts)))


def _states(facts: Facts) -> Iterator[str]:
    evidence_text = f"{facts['evidence']}{_counted(facts)}, {facts['proven']}"
    yield evidence_text + (", MAP ONLY" if facts["map_only"] else "")
    acceptance_names = ", ".join(facts["acceptances"])
    yield f"needs not_fitted {acceptance_names}" if acceptance_names else "needs no acceptance"
    if facts["watchdog"] == profile_facts.NO_WATCHDOG:
        yield "NO WATCHDOG"
    if facts["writes_per_day_max"]:
        tracking = "" if facts["tracking"] else ", no load tracking"
        yield f"stored in flash: {facts['writes_per_day_max']} writes a day{tracking}"
    if facts["stored_unstated"]:
        yield f"{len(facts['stored_unstated'])} writes NOT STATED as stored or not"


def _counted(facts: Facts) -> str:
    """Words such as ": 3 of 5 values". A captured reading proves 3 of the 5 values that rows of the
    matrix and actuators use.
    """
    number, total = len(facts["evidence_of"]), len(facts["rested_on"])
    return f": {number} of {total} values" if number or not facts["map_only"] else ""


@cli.command(
    "profile check",
    cli.option("name", metavar="FILE|NAME", help="a file that ends in .toml, or a shipped name"),
    BAUD,
    cli.JSON,
    help="the first mistake of a profile in one line, or what it gives",
)
def _check(arguments: Namespace) -> int:
    profile = profile_files.checked(arguments.name)
    facts = profile_facts.facts(arguments.name, profile)
    silence.check(profile, facts["roles"])
    facts["signals"] = profile_facts.signals(profile)
    facts["writes"] = profile_facts.writes(profile)
    if profile.family == CAN_BMS:
        facts["messages"] = profile_facts.messages(profile)
    else:
        facts["reads"] = profile_facts.reads(profile, arguments.baud_Bd)
    lines = _summary(facts, arguments.baud_Bd)
    cli.show(arguments.json, facts, lambda: map(ascii_only, lines))
    return DONE


def _summary(facts: Facts, baud_Bd: int) -> Iterator[str]:
    yield f"{facts['name']}: accepted"
    kinds, roles = " or ".join(facts["buses"]), ", ".join(facts["roles"])
    signals = [f"{name} {unit}".rstrip() for name, unit in facts["signals"]]
    for label, text in (
        ("device", f"{facts['maker']} {facts['model']}"),
        ("family", f"{facts['family']}, for {roles} on a bus of kind {kinds}"),
        ("documents", "; ".join(facts["documents"])),
        ("evidence", f"{facts['evidence']}{_counted(facts)}; proven: {facts['proven']}"),
        ("a reading", f"has {', '.join(facts['evidence_of'])}" if facts["evidence_of"] else ""),
        ("signals", ", ".join(signals)),
        *[("read", _read_words(read, baud_Bd)) for read in facts.get("reads", ())],
        *[("message", _message_words(message)) for message in facts.get("messages", ())],
        *[("write", text) for text in facts["writes"]],
        ("sign", facts["sign"]),
        ("watchdog", facts["watchdog"] or ""),
        ("stored", _wear_words(facts)),
        *[("lacks", text) for text in facts["missing"]],
        ("map only", f"{maps.NO_READING}" if facts["map_only"] else ""),
        ("needs", ", ".join(f"not_fitted.{name}" for name in facts["acceptances"])),
    ):
        if text:
            yield from wrapped(f"  {label:10} ", text)


def _wear_words(facts: Facts) -> str:
    """Words about how often the device may be written to, and about writes for which the profile
    does not say whether the device stores them in its flash memory.
    """
    most, unstated = facts["writes_per_day_max"], facts["stored_unstated"]
    budget = f"{most} writes a day" if most else ""
    return "; ".join(
        filter(None, [budget, f"not stated: {', '.join(unstated)}" if unstated else ""])
    )


def _read_words(read: Facts, baud_Bd: int) -> str:
    text = f"{read['what']}: function {read['function']}, {read['count']} from {read['address']}"
    text += f" of {read['of']}" if read["of"] else ""
    warning = ""
    if read["time_ms"] > read["period_ms"]:
        warning = ": TOO SLOW, take a faster line or a longer period_ms"
    return (
        f"{text}, every {read['period_ms']:g} ms; at most {read['time_ms']:.1f} ms at "
        f"{baud_Bd} Bd{warning}"
    )


def _message_words(frame: Facts) -> str:
    more_text = f" and {frame['ids'] - 1} more" if frame["ids"] > 1 else ""
    return (
        f"{frame['what']}: {frame['id']}{more_text}, {frame['use']}, every {frame['period_ms']} ms"
    )


@cli.command(
    "profile new",
    cli.option("family", choices=profile_skeleton.FAMILIES, metavar="FAMILY"),
    cli.option("file", type=cli.output_file, metavar="FILE", help="a new file"),
    cli.option("--role", choices=OF_DEVICES, default="pv", help="of a site_device (%(default)s)"),
    help="write a profile to fill in: each ? is a value of the device's document",
)
def _new(arguments: Namespace) -> int:
    role = arguments.role if arguments.family == SITE_DEVICE else ""
    text = profile_skeleton.skeleton(arguments.family, role)
    with cli.ends(NO_START, OSError, at=arguments.file):
        if os.path.lexists(arguments.file):
            raise cli.Ended(WRONG_INPUT, f"{arguments.file}: File exists")
        durable.put(arguments.file, ".part", [text.encode("ascii")], 0o644)
    print(f'{arguments.file}: fill in each "?", then firebreak profile check {arguments.file}')
    return DONE
