"""This machine as a box: an overlay of its root, in which the installer runs as root of a box.

Nothing of the machine changes: what a command writes is in a folder of the test.
"""

import shutil
import subprocess
from pathlib import Path

import parts
import wheels

from tests.repository import ROOT

ENTER = """
cd "$1"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/up,workdir=$1/work" m || exit 99
mount --rbind /dev m/dev
mount --rbind /proc m/proc
mount -t tmpfs none m/run
root=$PWD/m
shift
exec chroot "$root" env -i HOME=/root LANG=C.UTF-8 \
    PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
"""


class Box:
    """The overlay in a folder. Each command sees what earlier ones have written."""

    def __init__(self, place):
        parts.needs("root", "systemd", "iproute2", "openssh-client")
        self.place = place
        for name in ("up", "work", "m"):
            (place / name).mkdir(parents=True)
        parts.required(self.run("true").returncode != 99, "an overlay of the root of this machine")

    def run(self, *words):
        line = ["unshare", "--mount", "sh", "-ec", ENTER, "sh", self.place, *words]
        return wheels.run(*line)

    def done(self, *words, code=0):
        """The lines of a command that ends so."""
        done = self.run(*words)
        lines = (done.stdout + done.stderr).splitlines()
        assert done.returncode == code, "\n".join(lines)
        return lines

    def of_service(self, *words, code=0):
        """The same as the service's user."""
        return self.done("runuser", "-u", "firebreak", "--", *words, code=code)

    def files(self, *folders):
        """{name: content} of what is written into these folders of the box."""
        return {
            str(path.relative_to(self.place / "up")): path.read_bytes()
            for folder in folders
            for path in sorted((self.place / "up" / folder).rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


def tree(place, *changes):
    """A copy of the tracked files with changes: (name, old text, new text)."""
    for name in [*wheels.tracked(), "setup.cfg", "pyproject.toml", "README.md", "LICENSE",
                 "requirements.lock", "flash.sh"]:  # fmt: skip
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place / name)
    for name, old, new in changes:
        text = (place / name).read_text()
        assert old in text, name
        (place / name).write_text(text.replace(old, new, 1))
    return place


def bundle(tree, key, out):
    """A bundle of a tree. It needs the package index once."""
    done = wheels.run(tree / "flash.sh", "bundle", "--key", key, out)
    is_offline = done.returncode == 3 and "pip: " in done.stderr
    parts.required(not is_offline, f"the package index: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return Path(out)


def key(place):
    """A signing key, and the file of signers that allows it."""
    line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "key")]
    subprocess.run(line, check=True)
    signers = place / "signers"
    signers.write_text(f"release@example {(place / 'key.pub').read_text()}")
    return place / "key", signers
