"""`./flash.sh bundle --key KEY OUT.tar` makes a signed bundle of this tree (signed_bundle.py).

The installer builds the wheels, so a bundle has the same wheels as an installation from sources.
"""

import argparse
import configparser
import hashlib
import io
import os
import pathlib
import platform
import subprocess
import sys
import tarfile
import tempfile
from typing import NoReturn

from controller.system import cli, clock, programs
from controller.system.output import guarded
from controller.system.paths import DONE, NO_START, WRONG_INPUT, plain, say
from controller.systemd import signed_bundle
from controller.systemd.signed_bundle import Files

TREE = pathlib.Path(__file__).resolve().parents[2]
# The parts of a tree that install.sh reads.
PARTS = (
    "setup.cfg",
    "pyproject.toml",
    "requirements.lock",
    "README.md",
    "LICENSE",
    "flash.sh",
    "safety",
    "controller",
    "drivers",
)


def packed(files: Files) -> bytes:
    """A tar of these files. The same files always give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def listed(files: Files) -> bytes:
    """The list of the files, in the form that `sha256sum -c` reads."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return "".join(lines).encode("ascii")


def signed(content: bytes, key: str) -> bytes:
    """The signature of ssh-keygen. Raises signed_bundle.BundleError."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, signed_bundle.LIST)
        pathlib.Path(path).write_bytes(content)
        program = signed_bundle.ssh_keygen()
        line = [program, "-Y", "sign", "-f", key, "-n", signed_bundle.NAMESPACE, path]
        if programs.ran(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            raise signed_bundle.BundleError(f"{key}: ssh-keygen signs nothing with it")
        return pathlib.Path(f"{path}.sig").read_bytes()


def sources() -> Files:
    """{name in the bundle: content} of the tree."""
    files: Files = {}
    for part in PARTS:
        path = TREE / part
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                files[f"tree/{file.relative_to(TREE)}"] = file.read_bytes()
    return files


def release() -> bytes:
    """The content of release.json."""
    setup = configparser.ConfigParser()
    setup.read(TREE / "setup.cfg", encoding="ascii")
    content = {
        "version": setup["metadata"]["version"],
        "made_utc_s": int(clock.utc_us()) // 1_000_000,
        "python": signed_bundle.python_version(),
        "machine": platform.machine(),
    }
    return cli.as_json(content).encode("ascii") + b"\n"


class _Parser(argparse.ArgumentParser):
    """A parser that refuses wrong input in one line."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit with the code of wrong input."""
        self.exit(WRONG_INPUT, f"flash.sh: bundle: {message}\n")


def main(argv: list[str]) -> int:
    """Returns the exit code."""
    parser = _Parser(prog="flash.sh bundle")
    parser.add_argument("--key", required=True, help="private key of ssh-keygen, which signs")
    parser.add_argument("--wheels", help="build without a network, from this folder")
    parser.add_argument("out", type=cli.output_file, metavar="OUT.tar", help="a new file")
    arguments = parser.parse_args(argv)
    if not os.path.isfile(arguments.key):
        say(f"{arguments.key}: no such key")
        return WRONG_INPUT
    if os.path.lexists(arguments.out):
        say(f"{arguments.out}: exists already")
        return WRONG_INPUT
    with tempfile.TemporaryDirectory() as folder:
        line = ["bash", str(TREE / "controller/systemd/install.sh"), "wheels", folder]
        if arguments.wheels:
            line.append(arguments.wheels)
        if code := programs.ran(line).returncode:
            return code
        wheels = {
            f"wheels/{wheel.name}": wheel.read_bytes() for wheel in pathlib.Path(folder).iterdir()
        }
    files = {signed_bundle.RELEASE: release(), **sources(), **dict(sorted(wheels.items()))}
    try:
        head = {signed_bundle.LIST: listed(files)}
        head[signed_bundle.SIGNATURE] = signed(head[signed_bundle.LIST], arguments.key)
        pathlib.Path(arguments.out).write_bytes(packed(head | files))
    except (signed_bundle.BundleError, OSError) as error:
        say(plain(error, arguments.out))
        return NO_START
    print(f"{arguments.out}: {len(files)} files")
    return DONE


if __name__ == "__main__":
    sys.exit(guarded("flash.sh bundle", lambda: main(sys.argv[1:])))
