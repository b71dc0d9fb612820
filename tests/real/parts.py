"""Real parts that tests run against. As a program it names the packages that Debian lacks.

A test without its part skips; in CI it fails, because a test that never runs proves nothing.
"""

import ctypes.util
import importlib.util
import os
import shutil

import pytest

PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"
# of each Debian package the file by which it is known
PROGRAMS = {
    "chromium": "chromium",
    "curl": "curl",
    "gcc": "gcc",
    "iproute2": "ip",
    "kubernetes-client": "kubectl",
    "lua5.4": "lua5.4",
    "mosquitto": "mosquitto",
    "mosquitto-clients": "mosquitto_rr",
    "nats-server": "nats-server",
    "nodejs": "node",
    "openssh-client": "ssh-keygen",
    "openssl": "openssl",
    "perl": "perl",
    "prometheus": "prometheus",
    "shellcheck": "shellcheck",
    "slurm-client": "squeue",
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "spin": "spin",
    "strace": "strace",
    "systemd": "systemd-analyze",
}
LIBRARIES = {"libmodbus5": "modbus"}
HEADERS = {"libc6-dev": "/usr/include/stdio.h"}  # gcc compiles the model of SPIN
MODULES = ("distributed", "kubernetes", "playwright")


def is_there(part):
    if part == "root":
        return os.geteuid() == 0
    if part in MODULES:
        return importlib.util.find_spec(part) is not None
    if part in HEADERS:
        return os.path.exists(HEADERS[part])
    if part in LIBRARIES:
        return ctypes.util.find_library(LIBRARIES[part]) is not None
    return shutil.which(PROGRAMS[part], path=PATH) is not None


def required(is_met, words):
    """The only place where a test skips for what a machine lacks."""
    if not is_met:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {words}")


def needs(*parts):
    for part in parts:
        required(is_there(part), f"{part}, which ./flash.sh test --whole installs")


def program(package):
    needs(package)
    return shutil.which(PROGRAMS[package], path=PATH)


if __name__ == "__main__":
    print(*[each for each in (*PROGRAMS, *HEADERS, *LIBRARIES) if not is_there(each)])
