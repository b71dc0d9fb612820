"""Random steps of the kernel on every interpreter there is: equal checksums over all outputs."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from hil.engine import forks
from hil.oracle import wasm

ROOT = pathlib.Path(__file__).resolve().parents[2]
WALK = ROOT / "tests" / "safety" / "parity_steps.py"
COURSE = ROOT / "hil" / "oracle" / "channel_b_course.py"  # which it imports
WANTED = ("3.11", "3.13")
MICROPYTHON = "MicroPython"
RUN = """import sys
sys.path.insert(0, '/input')
import parity_steps
parity_steps.main(*[int(word) for word in sys.argv[1:6]])
"""
# seed, steps, racks, modules, tick in ms: 1e6 steps of one rack in ten courses, 2e4 of sixteen
FULL = (
    *((seed, 100_000, 1, 15, 20 - seed % 2 * 10) for seed in range(101, 111)),
    *((seed, 5000, 16, 64, 20 - seed % 2 * 10) for seed in range(201, 205)),
)
QUICK = ((101, 8000, 1, 15, 10), (102, 8000, 1, 15, 20), (201, 200, 16, 64, 10))


def interpreters():
    """{name: command} of the CPythons of WANTED that start; this one is always among them."""
    version = "%d.%d" % sys.version_info[:2]
    found = {f"CPython {version}": sys.executable}
    for version in WANTED:
        name = f"CPython {version}"
        root = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
        managed = sorted(root.glob(f"versions/{version}*/bin/python{version}"))
        for command in [shutil.which(f"python{version}"), *map(str, managed)]:
            if name not in found and command and _starts(command, version):
                found[name] = command
    return found


def _starts(command, version):
    asked = [command, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip() == version


class Walks:
    def __init__(self, cases, folder):
        """folder: an empty one, which MicroPython sees as /input."""
        self.cases, self.folder = cases, pathlib.Path(folder)
        self.commands = interpreters()
        ignored = shutil.ignore_patterns("__pycache__", "*.md")
        shutil.copytree(ROOT / "safety", self.folder / "safety", ignore=ignored)
        for path in (WALK, COURSE):
            shutil.copy(path, self.folder)
        (self.folder / "run.py").write_text(RUN)

    def names(self):
        return [*self.commands, MICROPYTHON]

    def work(self, job, fd):
        name, case = job
        words = [str(word) for word in case]
        if name == MICROPYTHON:
            code, printed, _ = wasm.MicroPython().run(self.folder, "/input/run.py", *words)
            time.sleep(wasm.SETTLE_S)
        else:
            command = [self.commands[name], str(self.folder / WALK.name), *words]
            environment = {"PYTHONPATH": str(self.folder), "PATH": os.defpath}
            ran = subprocess.run(command, capture_output=True, text=True, env=environment)
            code, printed = ran.returncode, ran.stdout + ran.stderr
        return {"code": code, "printed": printed.strip()}

    def run(self, workers):
        """(steps equal everywhere, lines of differences). The slowest begin first."""
        jobs = [(name, case) for name in reversed(self.names()) for case in self.cases]
        printed, wrong = {case: {} for case in self.cases}, []
        for (name, case), result in forks.run(jobs, self.work, workers):
            if result.get("code") != 0:
                wrong.append(f"{name} {case}: {result}"[:400])
            else:
                printed[case][name] = result["printed"]
        equal = 0
        for case, by_name in printed.items():
            if len(by_name) == len(self.names()) and len(set(by_name.values())) == 1:
                equal += case[1]
            else:
                wrong.append(f"seed {case[0]}, {case[1]} steps, {case[2]} racks: {by_name}")
        return equal, wrong


def run(cases, workers):
    with tempfile.TemporaryDirectory() as folder:
        walks = Walks(cases, folder)
        equal, wrong = walks.run(workers)
        return equal, walks.names(), wrong
