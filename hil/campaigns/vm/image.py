"""Makes the box's disk: a Debian base (which is kept), the controller, the scaffold of the test.

A check takes the Lab. The check returns a text about its findings, or raises CheckError or
ImageError.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from controller.system import toml_text
from hil.campaigns import process
from hil.campaigns.vm.lab import Lab
from hil.campaigns.vm.machine import port_name
from hil.engine.processes import ROOT
from hil.engine.rig import RigError
from hil.runner.report import CheckError

HERE = Path(__file__).resolve().parent
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    "mke2fs": "e2fsprogs",
    "tar": "tar",
    "unshare": "util-linux",
    "flock": "util-linux",
}
DISK_SIZE = "1500M"
FREE_BYTES_MIN = 3 << 30
SOURCE_IN_BOX = "opt/source"
SOURCES = "flash.sh setup.cfg pyproject.toml requirements.lock README.md LICENSE".split()
SOURCES += "safety controller drivers".split()
# How long a step may take on a busy machine. On an idle one, the base takes 70 s, the installation
# 60 s and each other step 20 s.
LIMITS_S = {"mmdebstrap": 1800.0, "flash.sh install": 900.0}
LIMIT_S, STOP_S = 300.0, 10.0
CABINET = """schema = 1
layer = "cabinet"
extends = "site.toml"
name = "Box in QEMU"
[bus.can0]
interface = "socketcan"
channel = "can0"
"""
OLDER = "0.0.1"  # version of the release to which a rollback returns
SKIPPED = shutil.ignore_patterns("__pycache__", "*.egg-info")


class ImageError(RigError):
    """The disk could not be made. The text is one line."""


def base(lab: Lab) -> str:
    """The Debian base, unpacked as a tree without device nodes, which the box makes."""
    free = shutil.disk_usage(lab.cache).free
    if free < FREE_BYTES_MIN:
        raise ImageError(
            f"{lab.cache}: {free >> 20} MB are free, {FREE_BYTES_MIN >> 20} MB are needed"
        )
    # another recipe makes another base
    recipe = hashlib.sha256((HERE / "base.sh").read_bytes()).hexdigest()
    path = lab.cache / f"base-{lab.suite}-{recipe[:12]}.tar"
    kept = path.exists()
    if not kept:
        for old in lab.cache.glob(f"base-{lab.suite}-*.tar*"):
            old.unlink()
        unfinished = path.with_suffix(".tar.new")
        _run(["sh", HERE / "base.sh", lab.suite, unfinished], lab.cache, "mmdebstrap")
        unfinished.rename(path)
    shutil.rmtree(lab.tree, ignore_errors=True)
    lab.tree.mkdir()
    _run(["tar", "-C", lab.tree, "-xf", path, "--exclude=./dev/*"], lab.cache, "tar")
    return f"{path.name}, {path.stat().st_size >> 20} MB, {'kept from before' if kept else 'made'}"


def _install(source: Path, tree: Path) -> list[str]:
    """Run `flash.sh install --doors` as a person would type it. Returns its lines."""
    code, out, err = _finished(
        [source / "flash.sh", "install", "--doors", "--root", tree], "flash.sh install"
    )
    lines = (out + err).splitlines()
    if code:
        raise CheckError(lines[-1])
    return lines


def installed(lab: Lab) -> str:
    """Install the same sources into the tree as an older version, for the first time."""
    source = lab.cache / "older"
    shutil.rmtree(source, ignore_errors=True)
    _copy_sources(source)
    setup = source / "setup.cfg"
    setup.write_text(re.sub(r"(?m)^version = .*", f"version = {OLDER}", setup.read_text()))
    lines = _install(source, lab.tree)
    return f"{len(lines)} lines; {next(line for line in lines if 'release' in line)}"


def upgraded(lab: Lab) -> str:
    """Install the present version, and check that a file that its owner has changed is kept."""
    owned = lab.tree / "etc/firebreak/example/site.toml"
    owned.write_text(owned.read_text() + "# mine\n")
    lines = _install(ROOT, lab.tree)
    if not owned.read_text().endswith("# mine\n"):
        raise CheckError(" | ".join(lines))
    return " | ".join(line for line in lines if line.startswith(("switched", "kept")))


def disk(lab: Lab) -> str:
    """Add the scaffold, make disk.img, vmlinuz and initrd from the tree, and remove the tree."""
    _add_scaffold(lab.tree, lab.rig.wires["ports"], lab.cache / "work")
    (kernel,) = (lab.tree / "boot").glob("vmlinuz-*")
    (initrd,) = (lab.tree / "boot").glob("initrd.img-*")
    shutil.copy(kernel, lab.cache / "vmlinuz")
    shutil.copy(initrd, lab.cache / "initrd")
    disk_path = lab.cache / "disk.img"
    disk_path.unlink(missing_ok=True)
    options = "-q -F -t ext4 -E lazy_itable_init=1 -d".split()
    _run(["mke2fs", *options, lab.tree, disk_path, DISK_SIZE], lab.cache, "mke2fs")
    shutil.rmtree(lab.tree)
    return f"{disk_path.stat().st_blocks * 512 >> 20} MB"


def cabinet_file(buses: Iterable[str]) -> str:
    """cabinet.toml of the box: its ports in the order of the USB sockets, its first CAN
    interface.
    """
    ports = [
        f"[bus.{bus}]\nport = {json.dumps(port_name(number))}\n"
        for number, bus in enumerate(buses, 1)
    ]
    return CABINET + "".join(ports)


def slower() -> dict[str, str]:
    """{file: text} of the files in slower.toml."""
    files = toml_text.read(HERE / "slower.toml")["file"]
    return {file["name"]: _replaced(ROOT / file["from"], file["replace"]) for file in files}


def _replaced(path: Path, changes: Iterable[tuple[str, str]]) -> str:
    text = path.read_text(encoding="ascii")
    for old, new in changes:
        if old not in text:
            raise ImageError(
                f"{path.name}: has no {old!r} any more, which the box needs to be slower"
            )
        text = text.replace(old, new)
    return text


def _add_scaffold(tree: Path, buses: Iterable[str], work: Path) -> None:
    """Add root shell, CAN, the cabinet's files, a first store, and the sources for a second
    installation.
    """
    work.mkdir(exist_ok=True)
    for name, text in (slower() | {"cabinet.toml": cabinet_file(buses)}).items():
        (work / name).write_text(text, encoding="ascii")
    shutil.copy(HERE / "in_box.py", work)
    _run(["sh", HERE / "scaffold.sh", tree, work], work, "scaffold.sh")
    _copy_sources(tree / SOURCE_IN_BOX)


def _copy_sources(target: Path) -> None:
    """Copy the files that `flash.sh install` reads."""
    target.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=SKIPPED)
        else:
            shutil.copy(ROOT / name, target)


def _run(command: Sequence[str | Path], directory: Path, name: str) -> None:
    environment = {**os.environ, "PATH": process.search_path()}
    code, _, err = _finished(command, name, cwd=directory, env=environment)
    if code:
        lines = [line.strip() for line in err.splitlines() if line.strip()] or [f"exit code {code}"]
        line = next((line for line in lines if line.startswith("E:")), lines[0])
        raise ImageError(f"{name}: {line}")


def _finished(command: Sequence[str | Path], name: str, **options: Any) -> tuple[int, str, str]:
    """(exit code, stdout, stderr), after all processes of the command have ended."""
    limit_s = LIMITS_S.get(name, LIMIT_S)
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        **options,
    )
    try:
        out, err = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        lines = "\n".join(_stopped(process)).strip().splitlines() or ["none"]
        raise ImageError(
            f"{name}: not done after {limit_s:.0f} s; its last words: {lines[-1].strip()}"
        ) from None
    finally:
        if process.returncode is None:
            _stopped(process)
    return process.returncode, out, err


def _stopped(process: "subprocess.Popen[Any]") -> tuple[Any, ...]:
    """End a process group and return its output; SIGTERM comes first, so that it can unmount."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=STOP_S)
    return ()
