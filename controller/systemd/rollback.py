"""`firebreak box rollback` returns to the release before, and to the files of its installation.

Configuration and state stay. So the old release is first asked whether it can read both. If it
cannot, nothing changes. The files come first and the link `current` comes last, so that after a
power cut the same command can go on. Like the installation, the command starts and stops no
service. It needs only the standard library, so any Python can run it, also when the Python of the
other release is gone.
"""

import contextlib
import hashlib
import os
import pathlib
import shutil
import subprocess
from argparse import Namespace

from controller.store import durable
from controller.system import cli, programs
from controller.system.paths import DONE, NO_START, ROOT, STATE_DIRECTORY, WRONG_INPUT
from controller.systemd.box_tree import OPT, Box, locked, say

ETC, UNITS = "etc/firebreak", "etc/systemd/system"
CABINET = f"{ETC}/cabinet/cabinet.toml"
DROP_IN = f"{UNITS}/firebreak.service.d/addresses.conf"
AS_INSTALLED = f"{ETC}/.installed"  # digests of files that the owner may change
TRIAL = f"{OPT}/.rollback"  # the configuration that the old release would find
# The program ends with 1 if a release from before `box migrate --readable` cannot read the store.
# Release 0.2 has the module in another place, and takes a store with an approval for a damaged one.
READER = """
import sys
try:
    from controller.store.two_copies import Store
except ImportError:
    from controller.record.store import Store
found = Store(sys.argv[1]).load()
sys.exit(found.record is None and found.state != "missing")
"""


@cli.command(
    "box rollback", cli.option("--root", default="/", metavar="DIR", help="the tree of another box")
)
def _rollback(arguments: Namespace) -> int:
    box = Box(arguments.root)
    if os.geteuid() != ROOT:
        raise cli.Ended(NO_START, "rollback needs root: sudo firebreak box rollback")
    os.umask(0o022)  # the service's user has to read all files
    with cli.ends(NO_START, OSError), locked(box):
        back(box)
    return DONE


def back(box: Box) -> None:
    """Bring the release before back. The caller holds the lock. Raises cli.Ended, OSError."""
    now, before = _releases(box)
    _check(box, now, before)
    _bring_back(box, now, before)
    box.link("current", before)
    box.link("previous", now)
    say("switched", f"to release {before}, from {now}; the same command returns")
    _reload(box)


def _releases(box: Box) -> tuple[str, str]:
    """(present release, the release before)."""
    now = os.path.basename(os.path.realpath(box.path(f"{OPT}/current")))
    folder = box.path(f"{OPT}/releases")
    whole = [
        name
        for name in sorted(os.listdir(folder))
        if name != now and os.path.exists(os.path.join(folder, name, "complete"))
    ]
    linked = os.path.basename(os.path.realpath(box.path(f"{OPT}/previous")))
    if linked not in whole and len(whole) != 1:
        raise cli.Ended(NO_START, f"there is no release before {now} to go back to")
    before = linked if linked in whole else whole[0]
    if not os.path.isdir(os.path.join(folder, before, "files")):
        line = f"release {before} has no list of its files: install it from its sources"
        raise cli.Ended(NO_START, line)
    return now, before


def _check(box: Box, now: str, before: str) -> None:
    """Refuse, before anything is changed, if the old release cannot start or read the files."""
    done = box.run(before, "--help")
    if done.returncode:
        raise cli.Ended(NO_START, f"release {before} does not start: {_last(done)}")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, box.path(TRIAL), ignore_errors=True)
        if os.path.exists(box.path(CABINET)):
            _try_configuration(box, now, before)
            _change_owner(box)
            done = box.run(before, "check", f"/{TRIAL}/cabinet/cabinet.toml")
            if done.returncode:
                line = _last(done).replace(f"/{TRIAL}/", f"/{ETC}/")
                raise cli.Ended(WRONG_INPUT, f"nothing changed: release {before} refuses {line}")
    if os.path.isdir(box.path(STATE_DIRECTORY[1:])):
        _check_state(box, now, before)


def _try_configuration(box: Box, now: str, before: str) -> None:
    """Make a copy of the configuration as it would be after the rollback."""
    trial = box.path(TRIAL)
    shutil.rmtree(trial, ignore_errors=True)
    os.makedirs(trial, mode=0o700)
    for folder in ("cabinet", "types"):
        # Box.path checks the folder of a file, so the name of a file is added.
        source = os.path.dirname(box.path(f"{ETC}/{folder}/x"))
        if os.path.isdir(source):
            shutil.copytree(source, f"{trial}/{folder}", ignore=_no_files)
    for name, content in _owned(box, now, before).items():
        path = os.path.join(trial, os.path.relpath(name, ETC))
        if content is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            pathlib.Path(path).write_bytes(content)


def _no_files(above: str, names: list[str]) -> list[str]:
    """Names that are not copied.

    A pipe waits, a device never ends, and a linked folder may contain itself. A link to a file is
    read as that file.
    """
    paths = {name: os.path.join(above, name) for name in names}
    return [
        name
        for name, path in paths.items()
        if not os.path.isfile(path) and (os.path.islink(path) or not os.path.isdir(path))
    ]


def _change_owner(box: Box) -> None:
    """Give the copy to the service's user, who owns the state folder and runs the old release."""
    with contextlib.suppress(FileNotFoundError):
        owner = os.stat(box.path(STATE_DIRECTORY[1:]))
        for above, _, names in os.walk(box.path(TRIAL)):
            for path in [above, *[os.path.join(above, name) for name in names]]:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _check_state(box: Box, now: str, before: str) -> None:
    arguments = "migrate", "--readable", "--state-dir", STATE_DIRECTORY
    done = box.run(before, "box", *arguments)
    if done.returncode == WRONG_INPUT:  # an old release has no group `box`
        done = box.run(before, *arguments)
    if done.returncode == WRONG_INPUT:  # an older release has no --readable
        done = box.run(before, "-P", "-c", READER, STATE_DIRECTORY, program="python3")
        lines = (
            ['its store: see "Back to the release before" in INSTALLATION.md']
            if done.returncode
            else []
        )
    else:
        known = box.run(now, "box", *arguments).stdout.splitlines() if done.returncode else []
        lines = [line for line in done.stdout.splitlines() if line not in known]
        if done.returncode == NO_START:
            lines = [_last(done)]
    if lines:
        line = f"nothing changed: release {before} cannot read {STATE_DIRECTORY}: {lines[0]}"
        raise cli.Ended(WRONG_INPUT, line)


def _owned(box: Box, now: str, before: str) -> dict[str, bytes | None]:
    """{name: content, None to remove it} of types and example, which the owner may change.

    A file that the owner has changed stays, so it is not in the result.
    """
    old, new = box.put_there(before), box.put_there(now)
    digests = (box.content(AS_INSTALLED) or b"").decode().splitlines()
    owned: dict[str, bytes | None] = {}
    for name in sorted(old | new):
        content = box.content(name)
        if not name.startswith(f"{ETC}/") or os.path.islink(box.path(name)):
            continue
        # A copy of a release counts too: a power cut may have come before its digest was noted.
        copies = [_read(paths[name]) for paths in (old, new) if name in paths]
        if content is None or content in copies or _line(name, content) in digests:
            owned[name] = _read(old[name]) if name in old else None
    return owned


def _bring_back(box: Box, now: str, before: str) -> None:
    """Put the files of the old release, and remove those that only the present release has.

    Links of enabled services stay. So a service of the newer release is enabled again after the way
    back. systemd ignores a link without its unit.
    """
    old, new, owned = box.put_there(before), box.put_there(now), _owned(box, now, before)
    for name, content in owned.items():
        if content is None:
            box.remove(name)
        else:
            box.put(name, content)
        _remember(box, name, content)
    for name, path in sorted(old.items()):
        if not name.startswith(f"{ETC}/"):
            box.put(name, _read(path))
        elif name not in owned:
            box.put(f"{name}.new", _read(path))
            say("kept", f"/{name}; that release's is /{name}.new")
    for name in sorted(new.keys() - old.keys()):
        if not name.startswith(f"{ETC}/"):
            box.remove(name)
    _addresses(box, before)


def _addresses(box: Box, before: str) -> None:
    """Write the drop-in that the old release makes from the present configuration."""
    if not os.path.exists(box.path(CABINET)):
        return
    done = box.run(before, "check", "--drop-in", f"/{CABINET}")
    if done.returncode:
        return
    if done.stdout:
        box.put(DROP_IN, done.stdout.encode())
    else:
        box.remove(DROP_IN)


def _remember(box: Box, name: str, content: bytes | None) -> None:
    """Note the digest of a file as it is installed."""
    before = (box.content(AS_INSTALLED) or b"").decode().splitlines()
    lines = [line for line in before if not line.endswith(f"  {name}")]
    lines += [] if content is None else [_line(name, content)]
    if lines != before:
        durable.put(box.path(AS_INSTALLED), ".part", ["\n".join([*lines, ""]).encode()], 0o644)


def _line(name: str, content: bytes) -> str:
    """A line of AS_INSTALLED, in the form of sha256sum."""
    return f"{hashlib.sha256(content).hexdigest()}  {name}"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _last(done: subprocess.CompletedProcess[str]) -> str:
    """The last line that a command has printed."""
    lines = (done.stderr or done.stdout).splitlines()
    return lines[-1].removeprefix("firebreak: ") if lines else f"exit code {done.returncode}"


def _reload(box: Box) -> None:
    """Let a running box load units and rules. Running services continue with their release."""
    if box.root != "/" or not os.path.isdir("/run/systemd/system"):
        return
    for line in (["systemctl", "daemon-reload"], ["udevadm", "control", "--reload"]):
        programs.ran(line)
    if not programs.ran(["systemctl", "--quiet", "is-active", "firebreak.service"]).returncode:
        say("running", "the controller runs its release until: systemctl restart firebreak")
