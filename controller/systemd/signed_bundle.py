"""`firebreak box install --bundle FILE --signers FILE` installs a signed release offline.

A bundle is a tar with SHA256SUMS, its signature, and the files of that list. These are
release.json, the sources that the installer needs (tree/), and the wheels of project and libraries
(wheels/). First the signature is checked, then each file. Only then are files written to the disk,
into a folder of root, and the bundle's own install.sh runs from there. Only the standard library
and ssh-keygen are needed.
"""

import contextlib
import hashlib
import io
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from argparse import Namespace
from typing import Any, NamedTuple

from controller.forms import message
from controller.forms.field import integer, matching, text
from controller.forms.message import said
from controller.store import durable
from controller.system import cli, programs, regular_file
from controller.system.paths import DONE, NO_START, ROOT, WRONG_INPUT
from controller.systemd.box_tree import OPT

LIST, SIGNATURE, RELEASE = "SHA256SUMS", "SHA256SUMS.sig", "release.json"
SCRIPT = "tree/controller/systemd/install.sh"
NAMESPACE = "firebreak-release"
BYTES_MAX, LIST_BYTES_MAX = 300 << 20, 1 << 20
NAME = re.compile(r"(?!\.)[\w.+@-]+(/(?!\.\.?(/|$))[\w.+@-]+)*", re.ASCII)
LINE = re.compile(r"([0-9a-f]{64})  (\S+)")
VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,9}", re.ASCII)


FORM = {
    **said("the bundle is refused", None, matching(VERSION, "a version"), "version"),
    **said("the bundle is refused", None, integer(0, 1 << 40), "made_utc_s"),
    **said("the bundle is refused", None, text(), "python machine"),
}
Release = dict[str, Any]  # the content of release.json
Files = dict[str, bytes]  # by name


class Bundle(NamedTuple):
    """A checked bundle. release: the content of release.json; signer: name of its signer."""

    release: Release
    files: Files
    signer: str


class BundleError(Exception):
    """A bundle is refused. The text is one line."""


@cli.command(
    "box install",
    cli.option("--bundle", required=True, metavar="FILE", help="made by ./flash.sh bundle"),
    cli.option("--signers", required=True, metavar="FILE", help="ALLOWED SIGNERS of ssh-keygen"),
    cli.option("--root", default="/", metavar="DIR", help="the tree of another box"),
    cli.option("--doors", action="store_true", help="with the doors to the network"),
    cli.option("--older", action="store_true", help="although it is older than what is installed"),
)
def _install(arguments: Namespace) -> int:
    if os.geteuid() != ROOT:
        raise cli.Ended(NO_START, "install needs root: sudo firebreak box install")
    root = os.path.realpath(arguments.root)
    before = "nothing changed: "
    with cli.ends(WRONG_INPUT, BundleError, OSError, before=before, at=arguments.bundle):
        bundle = checked(arguments.bundle, arguments.signers)
        _check_fit(bundle.release, arguments.bundle)
        if not arguments.older:
            _check_newer(bundle.release, arguments.bundle, root)
    print(f"signed by  {bundle.signer}: release {bundle.release['version']}", flush=True)
    with cli.ends(NO_START, OSError, at=arguments.bundle):
        return _unpacked(bundle, root, ["--doors"] if arguments.doors else [])


def checked(path: str, signers: str) -> Bundle:
    """The checked bundle in a file. Raises BundleError, or OSError if a file cannot be read."""
    data = regular_file.read(path, BYTES_MAX + 1, regular_file.link_opener)
    if len(data) > BYTES_MAX:
        raise BundleError(f"{path}: has more than {BYTES_MAX >> 20} MiB, so it is no bundle")
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            listed = _content(path, archive, archive.next(), LIST)
            signer = _signer(
                path, listed, _content(path, archive, archive.next(), SIGNATURE), signers
            )
            files = _files(path, archive, _digests(path, listed))
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError):
        raise BundleError(f"{path}: is cut short or no bundle") from None
    return Bundle(_release(path, files), files, signer)


def _content(
    path: str, archive: tarfile.TarFile, entry: tarfile.TarInfo | None, name: str
) -> bytes:
    """The bytes of an entry. BundleError: it is no plain file of this name."""
    if entry is None:
        raise BundleError(f"{path}: is cut short: {name} is missing")
    if entry.name != name or entry.type != tarfile.REGTYPE or entry.issparse():
        raise BundleError(f"{path}: has {ascii(entry.name)} in the place of {name}")
    if name in (LIST, SIGNATURE) and entry.size > LIST_BYTES_MAX:
        raise BundleError(f"{path}: its {name} is too long")
    file = archive.extractfile(entry)
    return file.read() if file else b""


def _signer(path: str, listed: bytes, signature: bytes, signers: str) -> str:
    """Name of the person who signed the list, with a key that `signers` allows."""
    if not os.path.isfile(signers):
        raise BundleError(f"{signers}: no such file of allowed signers")
    program = ssh_keygen()
    with tempfile.TemporaryDirectory() as folder:
        signature_path = os.path.join(folder, SIGNATURE)
        pathlib.Path(signature_path).write_bytes(signature)
        lookup = _asked(program, "find-principals", "-s", signature_path, "-f", signers)
        names = lookup.stdout.decode("ascii", "replace").split()
        if lookup.returncode or not names:
            raise BundleError(f"{path}: no key of {signers} has signed it")
        options = "-f", signers, "-I", names[0], "-n", NAMESPACE, "-s", signature_path
        if _asked(program, "verify", *options, content=listed).returncode:
            raise BundleError(f"{path}: its {LIST} is not what {names[0]} has signed")
    return names[0]


def ssh_keygen() -> str:
    """Path of ssh-keygen. Raises BundleError."""
    if path := shutil.which("ssh-keygen"):
        return path
    raise BundleError("there is no ssh-keygen here: apt-get install openssh-client")


def _asked(
    program: str, *arguments: str, content: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return programs.ran([program, "-Y", *arguments], input=content, capture_output=True)


def _digests(path: str, listed: bytes) -> dict[str, str]:
    """{name: SHA-256} of the signed list."""
    matches = [LINE.fullmatch(line) for line in listed.decode("ascii", "replace").splitlines()]
    digests = {match[2]: match[1] for match in matches if match and NAME.fullmatch(match[2])}
    folders = {str(folder) for name in digests for folder in pathlib.PurePath(name).parents}
    if len(digests) != len(matches) or RELEASE not in digests or folders & digests.keys():
        raise BundleError(f"{path}: its {LIST} has lines that are no digest with a name")
    if SCRIPT not in digests:
        raise BundleError(f"{path}: its {LIST} has no {SCRIPT}")
    return digests


def _files(path: str, archive: tarfile.TarFile, digests: dict[str, str]) -> Files:
    """All files of the list. BundleError: a file is missing, changed, or not in the list."""
    files: Files = {}
    while entry := archive.next():
        if entry.name not in digests or entry.name in files:
            raise BundleError(f"{path}: has {ascii(entry.name)}, which is not in its {LIST}")
        content = _content(path, archive, entry, entry.name)
        if hashlib.sha256(content).hexdigest() != digests[entry.name]:
            raise BundleError(f"{path}: {entry.name} is not the file of its {LIST}")
        files[entry.name] = content
    if missing := sorted(digests.keys() - files.keys()):
        raise BundleError(f"{path}: is cut short: {missing[0]} is missing")
    return files


def _release(path: str, files: Files) -> Release:
    release = message.loaded(files[RELEASE], LIST_BYTES_MAX)
    if isinstance(release, str) or not message.is_whole(FORM, release):
        raise BundleError(f"{path}: its {RELEASE} is of another version of the bundle")
    return release


def _check_fit(release: Release, path: str) -> None:
    """Compare Python and machine with those of the wheels. Raises BundleError."""
    python, machine = python_version(), platform.machine()
    if (release["python"], release["machine"]) != (python, machine):
        target = f"for Python {release['python']} on {release['machine']}"
        raise BundleError(f"{path}: is made {target}, but this is Python {python} on {machine}")


def python_version() -> str:
    """Version of the system's Python, which runs the release."""
    line = ["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return str(programs.ran(line, capture_output=True, text=True).stdout.strip())


def _check_newer(release: Release, path: str, root: str) -> None:
    """Refuse a bundle that is older than the installed release.

    An old bundle keeps a good signature for ever, so an attacker could bring back its flaws. The
    ways back are `firebreak box rollback` or the option --older, which a person gives.
    """
    current = os.path.join(root, OPT, "current")
    if not os.path.lexists(current):
        return
    match = VERSION.match(os.path.basename(os.readlink(current)))
    version, made_utc_s = match[0] if match else "0", 0
    with contextlib.suppress(FileNotFoundError):  # it was not installed from a bundle
        installed = message.loaded(pathlib.Path(current, RELEASE).read_bytes(), LIST_BYTES_MAX)
        if isinstance(installed, str) or not message.is_whole(FORM, installed):
            line = f"the {RELEASE} of the installed release is damaged; --older installs anyway"
            raise BundleError(f"{path}: {line}")
        made_utc_s = installed["made_utc_s"]
    if (_numbers(release["version"]), release["made_utc_s"]) < (_numbers(version), made_utc_s):
        line = f"{path}: release {release['version']} is older than what is installed ({version})"
        raise BundleError(f"{line}: firebreak box rollback goes back; --older installs it anyway")


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _unpacked(bundle: Bundle, root: str, options: list[str]) -> int:
    """Write the files into a folder of root, and start the installer of the bundle."""
    with tempfile.TemporaryDirectory(prefix="firebreak-", dir="/var/tmp") as folder:
        stamp = {f"tree/{RELEASE}": bundle.files[RELEASE]}  # for the installer
        for name, content in {**bundle.files, **stamp}.items():
            target = os.path.join(folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            pathlib.Path(target).write_bytes(content)
        script = os.path.join(folder, SCRIPT)
        arguments = "install", "--wheels", os.path.join(folder, "wheels"), "--root", root
        # flash.sh sets PYTHONPATH; the commands of the installed release must not see it
        environment = {key: setting for key, setting in os.environ.items() if key != "PYTHONPATH"}
        code = programs.ran(["bash", script, *arguments, *options], env=environment).returncode
    if code == DONE:  # the installer of an older bundle writes no release.json
        current = os.path.realpath(os.path.join(root, OPT, "current"))
        durable.put(os.path.join(current, RELEASE), ".part", [bundle.files[RELEASE]], 0o644)
        durable.sync_directory(current)
    return code
