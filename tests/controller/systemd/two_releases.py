"""The tree of a box with two releases."""

import os
import subprocess

from controller.systemd import rollback

UNITS, TYPES = "etc/systemd/system", "etc/firebreak/types"
OLD = {
    f"{UNITS}/firebreak.service": "old unit",
    f"{UNITS}/gone.service": "unit of the old release alone",
    "etc/udev/rules.d/70-firebreak.rules": "old rules",
    f"{TYPES}/a.toml": "old a",
    f"{TYPES}/mine.toml": "old mine",
}
NEW = {
    f"{UNITS}/firebreak.service": "new unit",
    f"{UNITS}/added.service": "unit of the new release alone",
    "etc/udev/rules.d/70-firebreak.rules": "new rules",
    f"{TYPES}/a.toml": "new a",
    f"{TYPES}/added.toml": "added",
    f"{TYPES}/mine.toml": "new mine",
}
OWNED = {
    f"{TYPES}/mine.toml": "changed by the owner",
    "etc/firebreak/cabinet/cabinet.toml": "cabinet",
    "etc/firebreak/cabinet/site.toml": "site",
    f"{UNITS}/firebreak.service.d/mine.conf": "drop-in of the owner",
}
STATE = "var/lib/firebreak"


def write(tree, files):
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def content(tree):
    """{name: text} below etc/, and the links of the releases."""
    files = {
        str(path.relative_to(tree)): path.read_text()
        for path in sorted((tree / "etc").rglob("*"))
        if path.is_file()
    }
    digests = files.get(rollback.AS_INSTALLED, "").splitlines()
    links = [os.path.basename(os.readlink(tree / "opt/firebreak" / name)) for name in LINKS]
    return {**files, rollback.AS_INSTALLED: sorted(digests)}, links


LINKS = ("current", "previous")


def made(tmp_path):
    """A box with the release `new`, and `old` before it."""
    for name, files in (("old", OLD), ("new", NEW)):
        folder = f"opt/firebreak/releases/{name}"
        write(tmp_path, {f"{folder}/files/{each}": text for each, text in files.items()})
        write(tmp_path, {f"{folder}/complete": ""})
    write(tmp_path, NEW | OWNED)
    owned = [name for name in NEW if name.startswith(TYPES)]
    lines = [rollback._line(name, NEW[name].encode()) for name in owned]
    write(tmp_path, {rollback.AS_INSTALLED: "\n".join([*lines, ""])})
    for link, name in zip(LINKS, ("new", "old")):
        (tmp_path / "opt/firebreak" / link).symlink_to(f"releases/{name}")
    (tmp_path / STATE).mkdir(parents=True)
    return tmp_path


def done(code=0, out="", err=""):
    return subprocess.CompletedProcess([], code, out, err)
