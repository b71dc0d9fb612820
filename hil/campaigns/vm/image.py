"""Makes the box's disk: a Debian base (made once, kept), the controller installed into it, the
scaffold of the test.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess

from controller import sites
from hil.campaigns import packages
from hil.campaigns.vm.machine import port_name

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
EXAMPLE = sites.EXAMPLE.parent
PROFILES = ROOT / "drivers" / "profiles"
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
SOURCES = (
    "flash.sh",
    "setup.cfg",
    "pyproject.toml",
    "requirements.lock",
    "README.md",
    "LICENSE",
    "safety",
    "controller",
    "drivers",
    "hil",
)
# So long a step may take on a busy machine; idle, the base takes 70 s, the installation 60 s and
# the others 20 s.
LIMITS_S = {"mmdebstrap": 1800.0, "flash.sh install": 900.0}
LIMIT_S, STOP_S = 300.0, 10.0
SKIPPED = shutil.ignore_patterns("__pycache__", "*.egg-info")


class ImageError(RuntimeError):
    """The disk could not be made; one line."""


def base_name():
    """File name of the base: another recipe makes another base."""
    return f"base-{hashlib.sha256((HERE / 'base.sh').read_bytes()).hexdigest()[:12]}.tar"


def make_base(cache):
    """Path of the base archive; made when the cache has none. Raises ImageError."""
    path = cache / base_name()
    if not path.exists():
        for old in cache.glob("base-*.tar*"):
            old.unlink()
        unfinished = path.with_suffix(".tar.new")
        _run(["sh", HERE / "base.sh", unfinished], cache, "mmdebstrap")
        unfinished.rename(path)
    return path


def unpack(base, tree):
    """The base as a tree of files; device nodes are made by the box itself."""
    if tree.exists():
        shutil.rmtree(tree)
    tree.mkdir()
    _run(["tar", "-C", tree, "-xf", base, "--exclude=./dev/*"], tree.parent, "tar")


def install(tree):
    """`flash.sh install --root` as a person would type it. Returns (exit code, lines)."""
    code, out, err = _finished([ROOT / "flash.sh", "install", "--root", tree], "flash.sh install")
    return code, (out + err).splitlines()


def cabinet_file(buses):
    """cabinet.toml of the box: the ports in the order of its USB sockets, its first CAN
    interface.
    """
    lines = [
        "schema = 1",
        'layer = "cabinet"',
        'extends = "site.toml"',
        'name = "Box in QEMU"',
        "[bus.can0]",
        'interface = "socketcan"',
        'channel = "can0"',
    ]
    for number, bus in enumerate(buses, 1):
        lines += [f"[bus.{bus}]", f"port = {json.dumps(port_name(number))}"]
    return "\n".join(lines) + "\n"


def slower():
    """{file: text} of the example's layers for a box some ten times slower than a real one: a tick
    takes 20 ms there, so it ticks every 100 ms, and gives the I/O modules time to answer it.
    """
    layers = (
        (
            EXAMPLE.parent / "types" / "firebreak_645.toml",
            "type.toml",
            (
                ("tick_ms = 20 ", "tick_ms = 100 "),
                ('"io_8in_8out"', '"/etc/firebreak/cabinet/io_slow.toml"'),
            ),
        ),
        (EXAMPLE / "site.toml", "site.toml", (("../types/firebreak_645.toml", "type.toml"),)),
        (
            PROFILES / "io_8in_8out.toml",
            "io_slow.toml",
            (("period_ms = 25 ", "period_ms = 100 "), ("timeout_ms = 20 ", "timeout_ms = 80 ")),
        ),
    )
    return {name: _replaced(path, changes) for path, name, changes in layers}


def _replaced(path, changes):
    text = path.read_text(encoding="ascii")
    for old, new in changes:
        if old not in text:
            raise ImageError(
                f"{path.name}: has no {old!r} any more, which the box needs to be slower"
            )
        text = text.replace(old, new)
    return text


def add_scaffold(tree, buses, work):
    """The root shell, the bench's CAN, the cabinet's files, a first store, and sources for a second
    installation.
    """
    work.mkdir(exist_ok=True)
    for name, text in slower().items():
        (work / name).write_text(text, encoding="ascii")
    for name in ("state.py", "clock.py"):
        shutil.copy(HERE / name, work)
    (work / "cabinet.toml").write_text(cabinet_file(buses), encoding="ascii")
    _run(["sh", HERE / "scaffold.sh", tree, work], work, "scaffold.sh")
    target = tree / SOURCE_IN_BOX
    target.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=SKIPPED)
        else:
            shutil.copy(ROOT / name, target)


def make_disk(tree, directory):
    """disk.img, vmlinuz and initrd in `directory` from the tree, which is removed."""
    (kernel,) = (tree / "boot").glob("vmlinuz-*")
    (initrd,) = (tree / "boot").glob("initrd.img-*")
    shutil.copy(kernel, directory / "vmlinuz")
    shutil.copy(initrd, directory / "initrd")
    disk = directory / "disk.img"
    disk.unlink(missing_ok=True)
    options = ["-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", tree]
    _run(["mke2fs", *options, disk, DISK_SIZE], directory, "mke2fs")
    shutil.rmtree(tree)


def check_space(cache):
    """Raises ImageError when the cache's disk is too full."""
    free = shutil.disk_usage(cache).free
    if free < FREE_BYTES_MIN:
        raise ImageError(f"{cache}: {free >> 20} MB are free, {FREE_BYTES_MIN >> 20} MB are needed")


def _run(command, directory, name):
    environment = {**os.environ, "PATH": packages.search_path()}
    code, _, err = _finished(command, name, cwd=directory, env=environment)
    if code:
        said = [line.strip() for line in err.splitlines() if line.strip()] or [f"exit code {code}"]
        raise ImageError(
            f"{name}: {next((line for line in said if line.startswith('E:')), said[0])}"
        )


def _finished(command, name, **options):
    """(exit code, stdout, stderr) of a command; with all it has started it is ended after its time,
    or with us.
    """
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
        words = [line.strip() for line in "\n".join(_stopped(process)).splitlines() if line.strip()]
        raise ImageError(
            f"{name}: not done after {limit_s:.0f} s; its last words: "
            f"{words[-1] if words else 'none'}"
        ) from None
    finally:
        if process.returncode is None:
            _stopped(process)
    return process.returncode, out, err


def _stopped(process):
    """What a process has said (stdout, stderr) that is ended with its group: politely first, so
    that it can unmount.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=STOP_S)
    return ()
