"""The wheels of this tree: built as `install.sh` builds the box's, and run without the tree."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from importlib import metadata

from tests.repository import ROOT

# Name of each wheel and the folder that it is built from.
FOLDERS = {
    "firebreak-controller": ".",
    "firebreak-office": "controller/siting",
    "firebreak-bench": "hil",
    "firebreak-lab": "hil/campaigns",
}
BUILD = "import sys; from setuptools.build_meta import build_wheel; build_wheel(sys.argv[1])"
# A process that asks for the network ends at once; the last line names modules that a box has not.
ALONE = """
import sys

def refuse(event, given):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        sys.exit(f"network: {event} {given}")

sys.addaudithook(refuse)
from controller.__main__ import main
try:
    code = main()
except SystemExit as end:  # argparse, after its help
    code = end.code
lacking = "numpy", "hil", "controller.siting", "controller.audit"
print(*[each for each in lacking if each in sys.modules])
sys.exit(code)
"""


def run(*command, **options):
    return subprocess.run([*map(str, command)], capture_output=True, text=True, **options)


def tracked():
    """Names of the files of the packages, committed or new."""
    line = "git ls-files -co --exclude-standard safety controller drivers hil".split()
    return [name for name in run(*line, cwd=ROOT).stdout.splitlines() if (ROOT / name).exists()]


def built(folder, *names):
    """{name: wheel} of these packages, all without a name, from a copy of the tracked files."""
    source = folder / "source"
    for name in [*tracked(), "setup.cfg", "pyproject.toml", "README.md", "LICENSE"]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    found = {}
    for name in names or FOLDERS:
        done = run(sys.executable, "-c", BUILD, folder, cwd=source / FOLDERS[name])
        assert done.returncode == 0, done.stderr[-2000:]
        (found[name],) = folder.glob(f"{name.replace('-', '_')}-*.whl")
    return found


def installed(wheel, target, packages=()):
    """Put the wheel and copies of installed packages into a folder."""
    zipfile.ZipFile(wheel).extractall(target)
    for name in packages:
        for each in metadata.files(name) or ():
            if ".." not in each.parts and "__pycache__" not in each.parts:
                (target / each).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(each.locate(), target / each)


def run_packages(*extras):
    """The packages of a box, by the lock."""
    command = sys.executable, ROOT / "controller" / "documents" / "locked.py", "run", *extras
    lines = run(*command).stdout
    return [line.partition("==")[0] for line in lines.splitlines() if "==" in line[:40]]


def outside(site, *words, libraries=False):
    """Run Python in a folder without sources, on the packages in `site`.

    libraries: also on the packages of this environment. The tree is in it by a .pth file, which
    -S leaves out.
    """
    paths = [str(site), *[sysconfig.get_path("purelib")] * libraries]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    # beside its sources, so that each module is compiled once
    for name in ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"):
        env.pop(name, None)
    return run(sys.executable, "-S", "-P", *words, cwd=site.parent, env=env)
