"""Builds the firmware of the emulated microcontroller: MicroPython, with channel B frozen in.

The source is Debian's. apt fetches it with separate lists, so that this machine's own apt does not
change. The source stays in a cache. A firmware is built again when a frozen module changes.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hil.campaigns.process import needed
from hil.engine.processes import ROOT
from hil.engine.refusals import RigError

HERE = Path(__file__).resolve().parent
CACHE = "~/.cache/firebreak-mcu"
# Debian 13 has MicroPython 1.25; its port for QEMU's Cortex-M3 is in the source only
RELEASE = "trixie"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
PROGRAMS = {
    "qemu-system-arm": "qemu-system-arm",
    "arm-none-eabi-gcc": "gcc-arm-none-eabi libnewlib-arm-none-eabi",
    "make": "make",
    "gcc": "gcc",
    "dpkg-source": "dpkg-dev",
    "apt-get": "apt",
}
LIMIT_S = 1800.0
AUTOSTART = 'mp_init();\n        pyexec_frozen_module("autostart.py", false);'
APT = """Dir::Etc "{0}/etc"; Dir::State "{0}/state"; Dir::State::status "{0}/status";
Dir::Cache "{0}/cache";
APT::Sandbox::User "root"; Acquire::Languages "none";
"""
APT_FOLDERS = """etc/apt.conf.d etc/preferences.d etc/trusted.gpg.d
state/lists/partial cache/archives/partial source"""
MANIFEST = (
    'package("safety", base_path="{0}")\nmodule("channel_b_course.py", base_path="{0}")\n'
    'module("autostart.py", base_path="{0}")\n'
)


class FirmwareError(RigError):
    """The firmware could not be made. The message is one line."""


def build(folder: str) -> Path:
    """Build the firmware if needed. Returns its path; prints slow steps. folder: the cache."""
    if missing := needed(PROGRAMS):
        raise FirmwareError(missing)
    cache = Path(folder).expanduser().resolve()
    cache.mkdir(parents=True, exist_ok=True)
    stage = _laid_out(cache)
    firmware = cache / f"firmware-{_digest(stage)}.elf"
    if not firmware.exists():
        source = _source(cache)
        print("building the firmware (10 s)", flush=True)
        built = _make(cache, source, stage)
        for old in cache.glob("firmware-*.elf"):
            old.unlink()
        shutil.copy(built, firmware)
    return firmware


def _laid_out(cache: Path) -> Path:
    """Folder of the frozen modules: kernel, QEMU's board file, course and modes."""
    stage = cache / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    skipped = shutil.ignore_patterns("__pycache__", "*.md")
    shutil.copytree(ROOT / "safety", stage / "safety", ignore=skipped)
    shutil.copy(ROOT / "safety" / "mcu" / "board_qemu.py", stage / "safety" / "mcu" / "board.py")
    shutil.copy(ROOT / "hil" / "oracle" / "channel_b_course.py", stage)
    shutil.copy(HERE / "modes.py", stage / "autostart.py")
    return stage


def _digest(stage: Path) -> str:
    """Digest of all frozen modules and of this file, which is the recipe."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(stage.rglob("*.py")):
        total.update(f"{path.relative_to(stage)}\0".encode() + path.read_bytes())
    return total.hexdigest()[:12]


def _source(cache: Path) -> Path:
    """Folder of MicroPython's source with its compiler built; fetched once."""
    source = cache / "micropython"
    if not (source / "mpy-cross" / "build" / "mpy-cross").exists():
        shutil.rmtree(source, ignore_errors=True)
        print(
            "fetching and unpacking MicroPython's source, building its compiler (once; half a "
            "minute)",
            flush=True,
        )
        unpacked = _fetch(cache)
        _start_by_itself(unpacked / "ports" / "qemu" / "main.c")
        _run(["make", "-C", unpacked / "mpy-cross", "-j2"], unpacked)
        unpacked.rename(source)
    return source


def _start_by_itself(path: Path) -> None:
    """Change the port: it starts autostart.py after each reset, before its console."""
    text = path.read_text(encoding="utf-8")
    if "mp_init();" not in text:
        raise FirmwareError(f"{path.name} of this MicroPython is not as expected: no mp_init()")
    path.write_text(text.replace("mp_init();", AUTOSTART, 1), encoding="utf-8")


def _fetch(cache: Path) -> Path:
    """Folder of MicroPython's source package of RELEASE, unpacked."""
    apt = cache / "apt"
    for name in APT_FOLDERS.split():
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "status").touch()
    (apt / "apt.conf").write_text(APT.format(apt), encoding="utf-8")
    line = f"deb-src [signed-by={KEYRING}] {_site()} {RELEASE} main\n"
    (apt / "etc" / "sources.list").write_text(line, encoding="utf-8")
    environment = {**os.environ, "APT_CONFIG": str(apt / "apt.conf")}
    _run("apt-get -qq update".split(), apt, environment)
    fetch = "apt-get -qq --download-only source micropython".split()
    _run(fetch, apt / "source", environment)
    packages = sorted((apt / "source").glob("micropython_*.dsc"))
    if not packages:
        raise FirmwareError(f"no source package micropython in Debian {RELEASE}")
    unpacked = cache / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    _run(["dpkg-source", "-x", packages[-1], unpacked], apt)
    return unpacked


def _site() -> str:
    """The Debian archive that this machine itself uses."""
    command = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = [line for line in _run(command, ROOT).split() if line.rstrip("/").endswith("/debian")]
    if not sites:
        raise FirmwareError("apt-get indextargets names no Debian archive")
    return sites[0]


def _make(cache: Path, source: Path, stage: Path) -> Path:
    # Debian's source comes without micropython-lib, which is not needed.
    library = cache / "library"
    library.mkdir(exist_ok=True)
    (library / "README.md").touch()
    manifest = cache / "manifest.py"
    manifest.write_text(MANIFEST.format(stage), encoding="utf-8")
    settings = f"BUILD={cache / 'build'}", f"FROZEN_MANIFEST={manifest}", f"MPY_LIB_DIR={library}"
    port = source / "ports" / "qemu"
    _run(["make", "-C", port, "-j2", *settings, "MICROPY_PY_SSL=0"], cache)
    return cache / "build" / "firmware.elf"


def _run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """Output of a command. If the command fails, FirmwareError has the last line."""
    arguments = [str(word) for word in command]
    try:
        done = subprocess.run(
            arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirmwareError(f"{arguments[0]}: {error}") from None
    if done.returncode != 0:
        lines = (done.stderr + done.stdout).strip().splitlines() or ["no word"]
        line = next((line for line in lines if "rror" in line), lines[-1])
        raise FirmwareError(f"{' '.join(arguments[:2])} failed: {line.strip()}")
    return done.stdout
