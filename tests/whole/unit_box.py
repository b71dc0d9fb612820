"""A box with an installed wheel, and its services started under the restrictions of their units."""

import contextlib
import ctypes
import errno
import fcntl
import functools
import json
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import wheels
from wheels import run

from controller.config import configuration
from controller.sites import FOLDER
from hil.engine import forks
from tests.repository import ROOT

HERE = Path(__file__).parent
UNITS = ROOT / "controller" / "systemd"
RELEASE = "/opt/firebreak/releases/test"
CABINET = "/etc/firebreak/cabinet/cabinet.toml"
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_CAN": 29}
UIDS = {
    "firebreak": 990,
    "firebreak-upstream": 991,
    "firebreak-planner": 994,
    "firebreak-doors": 995,
}
GIDS = {**UIDS, "firebreak-hints": 992, "firebreak-operators": 993, "dialout": 20}
OTHERS = "firebreak-upstream,firebreak-planner,firebreak-doors"
MEMBERS = {
    "firebreak-hints": f"firebreak,{OTHERS}",
    "firebreak-operators": "firebreak",
    "firebreak": OTHERS,
}
LIMITS = {
    "LimitRTPRIO": "RLIMIT_RTPRIO",
    "LimitMEMLOCK": "RLIMIT_MEMLOCK",
    "LimitCORE": "RLIMIT_CORE",
}
RECEIVE, SEND = 0xC0502100, 0xC0182101  # ioctl numbers of <linux/seccomp.h>
NOTICE, ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")
GUARD_S = 100  # a hang, not a slow machine: each call of a service is traced


# -- a unit


def settings(*paths):
    """{key: values in order} of a unit and its drop-ins. An empty value begins anew."""
    found = {}
    for path in paths:
        for line in path.read_text().replace("\\\n", " ").splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                found[key] = [*found.get(key, []), value] if value else [value]
    return found


@functools.cache
def call_sets():
    """{name of a set: calls and names of sets} as systemd has them."""
    found, lines = {}, run("systemd-analyze", "syscall-filter", "--no-pager").stdout.splitlines()
    for line in lines:
        word = line.strip().split(" ")[0]
        if line.startswith("@"):
            found[word] = own = []
        elif line.startswith(" ") and word and word != "#":
            own.append(word)
    return found


def expanded(names):
    found = set()
    for name in names:
        found |= expanded(call_sets()[name]) if name.startswith("@") else {name}
    return found


def allowed_calls(unit):
    calls = set()
    for line in unit["SystemCallFilter"]:
        names = expanded(line.lstrip("~").split())
        calls = calls - names if line.startswith("~") else calls | names
    for key, name in (("ProtectClock", "@clock"), ("ProtectKernelModules", "@module")):
        calls -= expanded([name]) if unit.get(key) == ["yes"] else set()
    return sorted(calls | expanded(["@default"]))


def words_of(unit, key):
    return [word.lstrip("-") for line in unit.get(key, []) for word in line.split()]


def order_of(unit, links):
    """The settings of a unit, as unit_launch.py takes them."""
    user, group = unit["User"][0], unit["Group"][0]
    extra = [name for name, members in MEMBERS.items() if user in members.split(",")]
    groups = {*extra, *words_of(unit, "SupplementaryGroups")} | {group}
    writable = [f"/run/{each}" for each in words_of(unit, "RuntimeDirectory")]
    writable += [f"/var/lib/{each}" for each in words_of(unit, "StateDirectory")]
    proc = {"invisible": "hidepid=invisible", "default": "hidepid=off"}
    options = [proc[unit["ProtectProc"][0]]] + ["subset=pid"] * (unit.get("ProcSubset") == ["pid"])
    flags = ("MemoryDenyWriteExecute", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID",
             "LockPersonality", "PrivateUsers", "PrivateNetwork")  # fmt: skip
    command = unit["ExecStart"][-1].split()
    return {
        **{flag: unit.get(flag) == ["yes"] for flag in flags},
        "families": [FAMILIES[name] for name in words_of(unit, "RestrictAddressFamilies")],
        "calls": allowed_calls(unit),
        "uid": UIDS[user],
        "gid": GIDS[group],
        "groups": [GIDS[name] for name in groups],
        "capabilities": words_of(unit, "CapabilityBoundingSet"),
        "writable": writable + words_of(unit, "ReadWritePaths"),
        "inaccessible": words_of(unit, "InaccessiblePaths"),
        "proc": ",".join(options),
        "links": links,
        "limits": {LIMITS[key]: -1 if unit[key] == ["infinity"] else int(unit[key][0])
                   for key in LIMITS if key in unit},
        "nice": int(unit.get("Nice", ["0"])[0]),
        "umask": int(unit["UMask"][0], 8),
        "command": command,
        "environment": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
                        "NOTIFY_SOCKET": "/run/notify",
                        # of a Python that is not the system's: its modules need its own library
                        "LD_LIBRARY_PATH": "/opt/python/lib"},
    }  # fmt: skip


class Service:
    """A started service. `refused`: system calls that its unit does not allow."""

    def __init__(self, order, notify, log):
        self.notify, self.log, self.refused = notify, log, []
        ours, theirs = socket.socketpair()
        given = {**order, "listener": theirs.fileno()}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "unit_launch.py"), json.dumps(given)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
        )
        theirs.close()
        ours.settimeout(GUARD_S)
        found = ()
        with contextlib.suppress(TimeoutError):
            found = socket.recv_fds(ours, 1, 1)[1]
        assert found, self.said()
        self._listener = found[0]
        threading.Thread(target=self._answer, daemon=True).start()

    def said(self):
        return self.log.read_text().splitlines()

    def _answer(self):
        """Refuse each call as systemd does, and remember it."""
        while True:
            select.select([self._listener], (), ())
            notice = bytearray(NOTICE.size)
            try:
                fcntl.ioctl(self._listener, RECEIVE, notice)
            except OSError as error:
                if error.errno == errno.ENOENT and self.process.poll() is None:
                    continue
                return
            about = NOTICE.unpack(notice)
            self.refused.append((call_name(about[3]), *about[6:9]))
            code = errno.EAFNOSUPPORT if self.refused[-1][0] == "socket" else errno.EPERM
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._listener, SEND, bytearray(ANSWER.pack(about[0], 0, -code, 0)))

    def until(self, condition):
        """Wait for a condition of the test; the process must live."""
        ends_s = forks.wall_s() + GUARD_S
        while not condition():
            assert self.process.poll() is None and forks.wall_s() < ends_s, self.said()
            select.select([self.notify], (), (), 0.05)

    def until_notified(self, text, count=1):
        """Wait for so many datagrams with this text to the service manager."""
        while count:
            self.until(lambda: select.select([self.notify], (), (), 0)[0])
            count -= text in self.notify.recv(4096)

    def stop(self):
        self.process.terminate()
        return self.process.wait(GUARD_S)


def received(master):
    """Bytes that wait at this end of a serial line."""
    try:
        return os.read(master, 65_536)
    except OSError:  # nothing waits, or no process has opened it yet
        return b""


def call_name(number):
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_char_p
    native = library.seccomp_arch_native()
    return library.seccomp_syscall_resolve_num_arch(native, number).decode()


class Box(contextlib.ExitStack):
    """A root folder as after `install`: release, configuration, users, ports."""

    def __init__(self, root, wheel, cabinet, extras=()):
        super().__init__()
        self.root, self.config = root, configuration.load(cabinet)
        for name in "proc tmp dev sys run etc media opt/python usr".split():
            (root / name).mkdir(parents=True)
        self._release(wheel, extras)
        self._files(cabinet)
        self._users()
        self.links = {}
        for bus in self.config.buses:
            if bus.port:
                self.add_line(bus.port)
        self.notify = self._notify_socket()

    def _release(self, wheel, extras):
        release = self.root / RELEASE[1:]
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        (release / "bin").mkdir(parents=True)
        wheels.installed(
            wheel, release / "lib" / version / "site-packages", wheels.run_packages(*extras)
        )
        python = Path(os.path.realpath(sys.executable))
        self.python = python.parent.parent
        (release / "bin" / "python3").symlink_to(f"/opt/python/bin/{python.name}")
        (release / "pyvenv.cfg").write_text("home = /opt/python/bin\n")
        text = "import sys; from controller.__main__ import main; sys.exit(main())"
        (release / "bin" / "firebreak").write_text(f"#!{RELEASE}/bin/python3\n{text}\n")
        (release / "bin" / "firebreak").chmod(0o755)
        (self.root / "opt/firebreak/current").symlink_to("releases/test")
        for name in ("bin", "sbin", "lib", "lib64"):
            if os.path.islink(f"/{name}"):
                (self.root / name).symlink_to(os.readlink(f"/{name}"))
        shutil.copy("/etc/ld.so.cache", self.root / "etc")

    def _files(self, cabinet):
        place = self.root / "etc" / "firebreak"
        for name in ("types", "example"):
            shutil.copytree(FOLDER / name, place / name)
        shutil.copytree(cabinet.parent, place / "cabinet")

    def _users(self):
        etc = self.root / "etc"
        lines = [f"{name}:x:{uid}:{GIDS[name]}::/:/bin/false" for name, uid in UIDS.items()]
        (etc / "passwd").write_text("\n".join(["root:x:0:0::/:/bin/sh", *lines, ""]))
        lines = [f"{name}:x:{gid}:{MEMBERS.get(name, '')}" for name, gid in GIDS.items()]
        (etc / "group").write_text("\n".join(["root:x:0:", *lines, ""]))
        (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\n")
        self.folder("run/firebreak", 0o751)
        self.folder("var/lib/firebreak", 0o750)
        self.folder("run/firebreak-upstream", 0o750, "firebreak-upstream", "firebreak-hints")
        self.folder("run/firebreak-planner", 0o755, "firebreak-planner", "firebreak-planner")
        self.folder("var/lib/firebreak-planner", 0o750, "firebreak-planner", "firebreak-planner")

    def folder(self, name, mode, user="firebreak", group="firebreak"):
        path = self.root / name
        path.mkdir(parents=True)
        os.chown(path, UIDS[user], GIDS[group])
        path.chmod(mode)

    def add_line(self, path):
        """Make a serial line; returns the descriptor of its other end."""
        master, slave = os.openpty()
        self.callback(os.close, master)
        os.set_blocking(master, False)
        os.fchown(slave, 0, GIDS["dialout"])
        os.fchmod(slave, 0o660)
        self.links[path] = os.ttyname(slave)
        os.close(slave)
        return master

    def _notify_socket(self):
        made = self.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        folder = os.open(self.root / "run", os.O_PATH)
        made.bind(f"/proc/self/fd/{folder}/notify")
        os.close(folder)
        (self.root / "run/notify").chmod(0o777)
        return made

    def drop_in(self):
        """The text of the drop-in, by the installed command."""
        done = self.command("check", "--drop-in", CABINET)
        assert done.returncode == 0, done.stderr
        path = self.root.parent / "addresses.conf"
        path.write_text(done.stdout)
        return path

    def command(self, *words):
        """A command of the release, outside the tree of the sources."""
        release = self.root / RELEASE[1:]
        path = next((release / "lib").glob("*/site-packages"))
        words = [each.replace("/etc/", f"{self.root}/etc/") for each in words]
        line = [sys.executable, "-P", "-m", "controller", *words]
        return run(*line, cwd="/", env={"PYTHONPATH": str(path)})

    def host(self, addresses):
        """Start the network of the box with these addresses."""
        self.network = subprocess.Popen(
            [sys.executable, str(HERE / "unit_host.py"), *addresses],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.callback(self.network.communicate)
        assert self.network.stdout.readline() == b"ready\n"

    def start(self, name, *drop_ins, instance=""):
        """Start a service of controller/systemd/."""
        unit = settings(UNITS / name, *drop_ins)
        unit = {
            key: [each.replace("%I", instance) for each in value] for key, value in unit.items()
        }
        order = {
            "root": str(self.root),
            "network": self.network.pid,
            "binds": [("/usr", "/usr"), (str(self.python), "/opt/python"), ("/sys", "/sys")],
            "unit": order_of(unit, self.links),
        }
        made = Service(order, self.notify, self.root.parent / f"{name}.log")
        self.callback(
            lambda: made.process.poll() is None and (made.process.kill(), made.process.wait())
        )
        return made
