"""Changes files of a box as root. Each file is replaced in one step, within one folder tree."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator

from controller.store import durable
from controller.system import cli
from controller.system.paths import NO_START, ascii_only

OPT = "opt/firebreak"


class Box:
    """The tree of the files of a box. root: its folder; "/" on the box itself."""

    def __init__(self, root: str):
        self.root = os.path.realpath(root)

    def path(self, name: str) -> str:
        """Path of a file; its folder must be in the tree. Raises cli.Ended."""
        path = os.path.join(self.root, name)
        above = os.path.realpath(os.path.dirname(path))
        if os.path.commonpath([self.root, above]) != self.root:
            raise cli.Ended(NO_START, f"{path} leads out of the tree, to {above}")
        return path

    def content(self, name: str) -> bytes | None:
        """The bytes of a file; None if there is no file."""
        with contextlib.suppress(FileNotFoundError), open(self.path(name), "rb") as file:
            return file.read()
        return None

    def put(self, name: str, content: bytes) -> None:
        """Replace a file in one step, if it differs."""
        if self.content(name) != content:
            os.makedirs(os.path.dirname(self.path(name)), mode=0o755, exist_ok=True)
            durable.put(self.path(name), ".part", [content], 0o644)
            os.chmod(self.path(name), 0o644)
            say("installed", f"/{name}")

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(name))
            say("removed", f"/{name}")

    def link(self, name: str, release: str) -> None:
        """Let the link `name` point to a release, in one step."""
        new_link = self.path(f"{OPT}/.{name}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new_link)
        os.symlink(f"releases/{release}", new_link)
        os.rename(new_link, self.path(f"{OPT}/{name}"))
        durable.sync_directory(self.path(OPT))

    def run(
        self,
        release: str,
        *arguments: str,
        program: str = "firebreak",
        timeout_s: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of a release in the tree, and return its result. Raises cli.Ended, and
        subprocess.TimeoutExpired after timeout_s.
        """
        line = [f"/{OPT}/releases/{release}/bin/{program}", *arguments]
        if self.root != "/":
            line = ["chroot", self.root, *line]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        try:
            return subprocess.run(
                line, capture_output=True, text=True, env=environment, timeout=timeout_s
            )
        except OSError as error:
            raise cli.Ended(
                NO_START, f"release {release} does not start: {error.strerror}"
            ) from None

    def put_there(self, release: str) -> dict[str, str]:
        """{name: path of the kept copy} of the files that the installation of a release has put."""
        folder = self.path(f"{OPT}/releases/{release}/files")
        copies: dict[str, str] = {}
        for place in (f"{folder}.part", folder):  # .part: of an interrupted installation
            for above, _, names in os.walk(place):
                paths = [os.path.join(above, name) for name in names]
                copies |= {os.path.relpath(path, place): path for path in paths}
        return copies


def say(label: str, text: str) -> None:
    """Print a line in the form of the installer."""
    print(ascii_only(f"{label:<11} {text}"), flush=True)


class Busy(cli.Ended):
    """Another command changes the releases now. Later the same command may succeed."""


@contextlib.contextmanager
def locked(box: Box) -> Iterator[None]:
    """Hold the lock of the installer while the command runs. Raises Busy, cli.Ended."""
    if not os.path.isdir(box.path(OPT)):
        raise cli.Ended(NO_START, f"{box.path(OPT)}: no release is installed")
    with durable.opened(box.path(OPT), os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            line = f"another installation into {box.root} is running"
            raise Busy(NO_START, line) from None
        yield
