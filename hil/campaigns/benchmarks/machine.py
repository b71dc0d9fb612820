"""Describes the machine on which a figure was measured: processor, kernel, Python, memory."""

import os
import platform
import sysconfig
from typing import Any

from hil.engine.process_memory import field_of, read, status_kB

PARTS = ("cpu", "cores", "kernel", "python", "load_average")
# {line of smaps: the sums to which it is added}
_COUNTED = {
    "Private_Clean:": ("private",),
    "Private_Dirty:": ("private", "dirty"),
    "Locked:": ("locked",),
}
_POLICIES = {
    os.SCHED_OTHER: "ordinary priority",
    os.SCHED_FIFO: "SCHED_FIFO",
    os.SCHED_RR: "SCHED_RR",
}


def describe() -> dict[str, Any]:
    """{cpu, cores, kernel, python, load_average}."""
    uname = os.uname()
    # profile-guided optimisation makes Python a quarter faster
    optimised = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
    flavour = next(
        (word for word in uname.version.split() if word.startswith("PREEMPT")),
        "no preemption named",
    )
    return {
        "cpu": field_of(read("/proc/cpuinfo"), "model name", platform.machine()),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{uname.sysname} {uname.release} {flavour}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.python_compiler()}, configured {'with' if optimised else 'without'} "
        "--enable-optimizations",
        "load_average": load_average(),
    }


def load_average() -> float:
    """Load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def priority(pid: int = 0) -> str:
    """A text such as "SCHED_FIFO 49, memory locked" or "ordinary priority, memory not locked"."""
    policy = os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK
    level = os.sched_getparam(pid).sched_priority
    locked_kB = status_kB(read(f"/proc/{pid or os.getpid()}/status"), "VmLck")
    return (
        _POLICIES.get(policy, "another policy")
        + (f" {level}" if level else "")
        + (", memory locked" if locked_kB else ", memory not locked")
    )


def cpu_ns(pid: int) -> int:
    """Time that a process has spent on a core, ns."""
    return int((read(f"/proc/{pid}/schedstat") or "0").split()[0])


def used_s(pid: int) -> float:
    """Time that all threads of a process have spent on a core, s; ended threads count too."""
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def private_kB(pid: int, apart: str) -> dict[str, int]:
    """{private, dirty, locked} pages of a process, kB, without the mapped file `apart`."""
    counted, is_counted = {"private": 0, "dirty": 0, "locked": 0}, True
    for line in read(f"/proc/{pid}/smaps").splitlines():
        name, *fields = line.split(maxsplit=5)
        if not name.endswith(":"):
            is_counted = fields[-1] != apart
        elif is_counted and name in _COUNTED:
            for key in _COUNTED[name]:
                counted[key] += int(fields[0])
    return counted
