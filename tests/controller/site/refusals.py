"""refusals.txt: what a configuration must not say, and the line that refuses it.

    == pylontech second             the example that is changed from here on, and PRESETS
    # why                           a comment
    site: old -> new                one change: layer, text that is replaced by another
    site: + text                    one change: text added at the end
    => the line                     what is said; one that ends in ... may go on

<nl> is a new line. As a program it writes the lines anew.
"""

import pathlib
import tempfile

from controller.site.equipment import EQUIPMENT
from tests.controller.site_files import FIREBREAK, PYLONTECH, SiteFiles

TABLE = pathlib.Path(__file__).with_name("refusals.txt")
EXAMPLES = {"firebreak": FIREBREAK, "pylontech": PYLONTECH}
EQUIPMENT_NAMES = ", ".join([f'"{name}"' for name in EQUIPMENT])
PRESETS = {
    "optional": [("type", '["suppression", "door"]', f"[{EQUIPMENT_NAMES}]")],
    "second": [
        ("type", 'second_channel = "none"', 'second_channel = "fitted"'),
        ("type", "[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n'),
    ],
}


def cases(text):
    """[(example, [(layer, old or None, new)], line)] of the table."""
    found, example, preset, changes = [], "", [], []
    for line in text.splitlines():
        if line.startswith("== "):
            example, *names = line[3:].split()
            preset = [change for name in names for change in PRESETS[name]]
        elif line.startswith("=> "):
            found.append((example, preset + changes, line[3:]))
            changes = []
        elif line and not line.startswith("#"):
            layer, _, change = line.replace("<nl>", "\n").partition(": ")
            old, arrow, new = change.partition(" ->")
            added = change.startswith("+ ")
            changes.append((layer, None, change[2:]) if added else (layer, old, new[1:]))
            assert added or arrow, line
    return found


def refusal(folder, example, changes):
    """The line that refuses the example with these changes."""
    files = SiteFiles(folder, EXAMPLES[example])
    for layer, old, new in changes:
        files.append(layer, new) if old is None else files.replace(layer, old, new)
    return files.refusal()


def fits(line, said):
    """Whether this line is the one in the table."""
    return said.startswith(line[:-3]) if line.endswith("...") else said == line


def written(text):
    """The table with every line as it is now."""
    left = iter(cases(text))
    lines = []
    for line in text.splitlines():
        if line.startswith("=> "):
            example, changes, known = next(left)
            with tempfile.TemporaryDirectory() as folder:
                said = refusal(pathlib.Path(folder), example, changes)
            line = "=> " + (known if fits(known, said) else said)
        lines.append(line)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(written(TABLE.read_text(encoding="ascii")), encoding="ascii")
