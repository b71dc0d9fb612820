"""Reads refusals.txt (`== example preset`, `layer: change`, `=> line`); as a program writes it.

`=> taken: EXPRESSION` instead of a line: the change is taken, and the expression holds. Its names
are those of the configuration.
"""

import pathlib
import tempfile

import pytest

from controller.config import profiles
from controller.config.equipment import EQUIPMENT
from controller.forms.refusal import ConfigError
from drivers.profile import FOLDER
from tests.controller.site_files import FIREBREAK, LAYER, PYLONTECH, SiteFiles

TABLE = pathlib.Path(__file__).with_name("refusals.txt")
TAKEN = "taken: "
PROFILE = "profile"  # in place of an example: changes of a shipped profile alone
EXAMPLES = {
    "firebreak": FIREBREAK,
    "pylontech": PYLONTECH,
    "pv_genset": (*FIREBREAK[:2], "pv_genset/cabinet.toml"),
    "three_units": (
        "types/firebreak_1935.toml",
        "three_units/site.toml",
        "three_units/cabinet.toml",
    ),
    PROFILE: (),
}
TAPERS = ("charge_taper_mV", "charge_end_mV", "discharge_taper_mV", "discharge_end_mV")
EQUIPMENT_NAMES = ", ".join([f'"{name}"' for name in EQUIPMENT])
PRESETS = {
    "optional": [("type", f"optional_equipment = [{EQUIPMENT_NAMES}]")],
    "nmc": [
        ("type", 'hma.chemistry = "NMC"'),
        *[("type", f"rack.all.{key} = nothing") for key in TAPERS],
    ],
    "planless": [("cabinet", f"plan.{key} = nothing") for key in ("file", "racks")],
    "socketcand": [("cabinet", 'bus.can0.interface = "socketcand"')],
    "second": [
        ("type", 'cabinet.second_channel = "fitted"'),
        ("type", 'channel_b.port = "/dev/serial/by-path/b"'),
    ],
}


def cases(text):
    """[(example, [(layer, change)], line)] of the table."""
    found, example, preset, changes = [], "", [], []
    for line in text.splitlines():
        if line.startswith("== "):
            example, *names = line[3:].split()
            preset = [change for name in names for change in PRESETS[name]]
        elif line and not line.startswith("#"):
            change, is_refused, said = line.partition("=> ")
            if change:
                layer, _, words = change.replace("<nl>", "\n").partition(": ")
                changes.append((layer, words[:-1] if is_refused else words))
            if is_refused:
                found.append((example, preset + changes, whole(example, changes[-1], said)))
                changes = []
    return found


def whole(example, change, said):
    """The line with its file and key, by default those of the last change."""
    layer, words = change
    is_whole = said.startswith((TAKEN, *EXAMPLES[example])) or ".toml:" in said.split(" ")[0]
    if layer not in LAYER or is_whole:
        return said
    return f"{EXAMPLES[example][LAYER[layer]]}:{words.partition(' = ')[0]}: {said}"


def outcome(folder, example, changes, line):
    """The refusal, or the expression of the line, with "not " before it if it does not hold."""
    if not line.startswith(TAKEN):
        return refusal(folder, example, changes)
    config = changed(folder, example, changes).load()
    names = {name: getattr(config, name) for name in dir(config) if name[0] != "_"}
    return line if eval(line.removeprefix(TAKEN), names) else f"not {line}"


def refusal(folder, example, changes):
    if example == PROFILE:
        return of_profile(folder, *changes[0])
    return changed(folder, example, changes).refusal()


def changed(folder, example, changes):
    """Files with changes `old -> new`, `+ text`, `key = value` (empty: no key); <nl>: new line. A
    layer `profile NAME` is that profile, which a copy with the change replaces.
    """
    files = SiteFiles(folder, EXAMPLES[example])
    for layer, words in changes:
        old, arrow, new = words.partition(" ->")
        if layer not in LAYER:
            files.with_profile(layer.removeprefix("profile "), old, new[1:])
        elif words.startswith("+ "):
            files.append(layer, words[2:])
        elif arrow:
            files.replace(layer, old, new[1:])
        else:
            files.say(layer, *words.split(" = ", 1))
    return files


def of_profile(folder, name, words):
    """Line for a change of the first match in a shipped profile."""
    old, _, new = words.partition(" ->")
    text = (FOLDER / f"{name}.toml").read_text()
    assert old in text
    (folder / "device.toml").write_text(text.replace(old, new[1:], 1))
    with pytest.raises(ConfigError) as refused:
        profiles.load(str(folder / "device.toml"))
    return str(refused.value).removeprefix("device.toml:")


def fits(line, said):
    return said.startswith(line[:-3]) if line.endswith("...") else said == line


def written(text):
    left = iter(cases(text))
    lines = []
    for line in text.splitlines():
        change, is_refused, _ = line.partition("=> ")
        if is_refused:
            example, changes, known = next(left)
            with tempfile.TemporaryDirectory() as folder:
                said = outcome(pathlib.Path(folder), example, changes, known)
            line = line if fits(known, said) else f"{change}=> {said}"
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(written(TABLE.read_text(encoding="ascii")), encoding="ascii")
