"""One Slurm node with eight GPUs that are files, on loopback, for tests with mark.wire.

The other nodes are down. Slurm 24 refuses a job that is larger than all nodes together.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from controller import watch

GUARD_S, GPUS = 30, 8
LUA = Path(watch.__file__).parent / "examples/job_submit.lua"
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmdParameters=config_overrides
AuthType=auth/none
CredType=cred/none
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/slurmd.log
CommunicationParameters=NoAddrCache,NoCtldInAddrAny,NoInAddrAny
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=bf_interval=1,bf_resolution=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
ReturnToService=2
KillWait=2
GresTypes=gpu
JobSubmitPlugins=lua
NodeName=DEFAULT CPUs=64 CoresPerSocket=64 RealMemory=1000 Gres=gpu:h100:{gpus}
NodeName={host} NodeAddr=127.0.0.1
NodeName=far[1-7] NodeAddr=127.0.1.[1-7] State=DOWN
PartitionName=batch Nodes=ALL Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
"""


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


class Site:
    def __init__(self, folder):
        self.folder, self.host, self._own = folder, socket.gethostname().split(".")[0], {}
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        for name in ("state", "spool", "dev"):
            (folder / name).mkdir()
        # without a file for each, slurmd finds no GPU
        for number in range(GPUS):
            (folder / f"dev/gpu{number}").symlink_to(os.devnull)
        files = f"{folder}/dev/gpu[0-{GPUS - 1}]"
        gres = f"NodeName={self.host},far[1-7] Name=gpu Type=h100 File={files}\n"
        (folder / "gres.conf").write_text(gres)
        shutil.copy(LUA, folder)
        ports = free_port(), free_port()
        text = CONF.format(host=self.host, ports=ports, folder=folder, gpus=GPUS)
        (folder / "slurm.conf").write_text(text)
        self.begin("slurmctld", "-D", "-c")
        self.begin("slurmd", "-D", "-N", self.host)
        state = "sinfo", "-h", "-n", self.host, "-o", "%t"
        self.until(lambda: self.run(*state, check=False).strip() == "idle")

    def begin(self, name, *words):
        with open(self.folder / f"{name}.out", "ab") as out:
            self._own[name] = subprocess.Popen([name, *words], stdout=out, stderr=out)

    def stop(self, name):
        """SIGTERM, because a slurmctld that is killed forgets the last jobs."""
        process = self._own.pop(name)
        process.terminate()
        process.wait(GUARD_S)

    def run(self, *words, check=True):
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=self.folder)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def submit(self, *words, as_user=()):
        """Number of a new job that sleeps for an hour."""
        done = self.run(
            *as_user, "sbatch", "--parsable", "-o", os.devnull, *words, "--wrap=sleep 3600"
        )
        return done.strip()

    def state(self, job):
        """State of a job, or None. Slurm 22 gives a text, Slurm 24 a list of texts."""
        jobs = json.loads(self.run("squeue", "--json"))["jobs"]
        states = [each["job_state"] for each in jobs if str(each["job_id"]) == job]
        return next((each if isinstance(each, str) else " ".join(each) for each in states), None)

    @staticmethod
    def until(is_so):
        end_s = time.monotonic() + GUARD_S
        while not is_so():
            assert time.monotonic() < end_s

    def end(self):
        with contextlib.suppress(subprocess.TimeoutExpired, AssertionError):
            subprocess.run(["scancel", "--state=RUNNING"], timeout=5, check=False)
            self.until(lambda: not self.run("squeue", "-h", "-t", "R,CG", check=False))
        for name in [*self._own]:
            self.stop(name)
        # slurmstepd and jobs outlive slurmd: those of this site are known by their environment
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                own = (process / "environ").read_bytes().split(b"\0")
                if f"SLURM_CONF={self.folder}/slurm.conf".encode() in own:
                    os.kill(int(process.name), signal.SIGKILL)
