"""Reads refusals.txt (`== example preset`, `layer: change`, `=> line`); as a program writes it."""

import pathlib
import tempfile

from controller.config.equipment import EQUIPMENT
from tests.controller.site_files import FIREBREAK, LAYER, PYLONTECH, SiteFiles

TABLE = pathlib.Path(__file__).with_name("refusals.txt")
EXAMPLES = {"firebreak": FIREBREAK, "pylontech": PYLONTECH}
EQUIPMENT_NAMES = ", ".join([f'"{name}"' for name in EQUIPMENT])
PRESETS = {
    "optional": [("type", f"optional_equipment = [{EQUIPMENT_NAMES}]")],
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
    if said.startswith(EXAMPLES[example]) or ".toml:" in said.partition(" ")[0]:
        return said
    layer, words = change
    return f"{EXAMPLES[example][LAYER[layer]]}:{words.partition(' = ')[0]}: {said}"


def refusal(folder, example, changes):
    """Line for changes `old -> new`, `+ text`, `key = value` (empty: no key); <nl>: new line."""
    files = SiteFiles(folder, EXAMPLES[example])
    for layer, words in changes:
        old, arrow, new = words.partition(" ->")
        if words.startswith("+ "):
            files.append(layer, words[2:])
        elif arrow:
            files.replace(layer, old, new[1:])
        else:
            files.say(layer, *words.split(" = ", 1))
    return files.refusal()


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
                said = refusal(pathlib.Path(folder), example, changes)
            line = line if fits(known, said) else f"{change}=> {said}"
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(written(TABLE.read_text(encoding="ascii")), encoding="ascii")
