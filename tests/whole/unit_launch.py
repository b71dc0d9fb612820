"""Starts a service as systemd does: user, mounts, network, capabilities, limits, system calls.

It runs as root in a process of its own: `unit_launch.py ORDER`, a JSON object as unit_box.py makes
it. It sends the descriptor of the seccomp listener over the socket `listener`: unit_box.py counts
the refused system calls there. It implements what the units of controller/systemd/ use.
"""

import contextlib
import ctypes
import json
import os
import resource
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWNET, NEWUSER = 0x20000, 0x40000000, 0x10000000
MS_RDONLY, MS_NOSUID, MS_REMOUNT, MS_BIND = 1, 2, 32, 1 << 12
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18
MNT_DETACH = 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 24, 38, 47
CAPABILITIES = {"CAP_NET_ADMIN": 12}
CAPABILITY_LAST = 40
NAMESPACES = 0x7E020080  # all CLONE_NEW flags
ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000
ERRNO = 0x00050000
EQUAL, MASKED = 4, 7


def checked(result):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def mount(source, target, kind=None, flags=0, data=None):
    given = [each and each.encode() for each in (source, target, kind)]
    checked(LIBC.mount(*given, ctypes.c_ulong(flags), data and data.encode()))


def unshare(flags):
    checked(LIBC.unshare(flags))


class Compare(ctypes.Structure):
    """struct scmp_arg_cmp."""

    _fields_ = [
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    ]


class Filter:
    """A seccomp filter that asks its listener about each call that no rule allows."""

    def __init__(self):
        self.seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.seccomp.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.seccomp.seccomp_init(ctypes.c_uint32(NOTIFY)))

    def allow(self, name, *compares, action=ALLOW):
        number = self.seccomp.seccomp_syscall_resolve_name(name.encode())
        if number < 0:  # not of this architecture
            return
        made = (Compare * len(compares))(*[Compare(*each) for each in compares])
        size = ctypes.c_uint(len(compares))
        self.seccomp.seccomp_rule_add_array(
            self.context, ctypes.c_uint32(action), number, size, made
        )

    def load(self):
        """Descriptor of the listener."""
        if self.seccomp.seccomp_load(self.context) < 0:
            raise OSError("seccomp_load")
        return self.seccomp.seccomp_notify_fd(self.context)


def without(arg, bits):
    """The argument has none of the bits."""
    return (arg, MASKED, bits, 0)


def restrictions(unit):
    """{system call: tuples of conditions, any of which allows it} of a unit's settings."""
    found = {}
    if "families" in unit:
        found["socket"] = [((0, EQUAL, family, 0),) for family in unit["families"]]
    if unit["MemoryDenyWriteExecute"]:
        found["mmap"] = [(without(2, 4),), (without(2, 2),)]
        found["mprotect"] = found["pkey_mprotect"] = [(without(2, 4),)]
        found["shmat"] = [(without(2, 0o100000),)]
    if unit["RestrictNamespaces"]:
        found["clone"] = found["unshare"] = [(without(0, NAMESPACES),)]
        found["setns"] = []
    if unit["RestrictRealtime"]:
        found["sched_setscheduler"] = [((1, EQUAL, policy, 0),) for policy in (0, 3, 5)]
    if unit["RestrictSUIDSGID"]:
        found["chmod"] = found["fchmod"] = [(without(1, 0o6000),)]
        found["fchmodat"] = [(without(2, 0o6000),)]
    if unit["LockPersonality"]:
        found["personality"] = [((0, EQUAL, 0xFFFFFFFF, 0),)]
    return found


def seccomp(unit):
    made, conditions = Filter(), restrictions(unit)
    for name in unit["calls"]:
        if name == "clone3" and unit["RestrictNamespaces"]:
            made.allow(name, action=ERRNO | 38)  # ENOSYS: libraries then use clone
        elif name not in conditions:
            made.allow(name)
        for each in conditions.get(name, ()):
            made.allow(name, *each)
    return made.load()


def mounts(order, unit):
    """The tree as the service sees it."""
    root = order["root"]
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    mount(root, root, None, MS_BIND)
    for source, target in order["binds"]:
        mount(source, root + target, None, MS_BIND | MS_REC)
        mount(None, root + target, None, MS_BIND | MS_REMOUNT | MS_RDONLY)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID, unit["proc"])
    mount("tmpfs", f"{root}/tmp", "tmpfs")
    for place in unit["writable"]:
        mount(root + place, root + place, None, MS_BIND)
    mount("tmpfs", f"{root}/dev", "tmpfs", 0, "mode=755")
    devices(root, unit)
    for place in unit["inaccessible"]:
        mount("tmpfs", root + place, "tmpfs", MS_RDONLY, "mode=000")
    mount(None, root, None, MS_BIND | MS_REMOUNT | MS_RDONLY)


def devices(root, unit):
    """DevicePolicy=closed: the harmless ones, pseudo-terminals, and those of DeviceAllow."""
    for name in "null zero full random urandom tty".split():
        found = os.stat(f"/dev/{name}")
        os.mknod(f"{root}/dev/{name}", 0o666 | 0o020000, found.st_rdev)
        os.chmod(f"{root}/dev/{name}", 0o666)
    os.mkdir(f"{root}/dev/pts")
    mount("/dev/pts", f"{root}/dev/pts", None, MS_BIND)
    for link, target in unit["links"].items():
        os.makedirs(os.path.dirname(root + link), exist_ok=True)
        os.symlink(target, root + link)


def as_user(unit):
    """Groups, then the user's own namespace, then capabilities and the user."""
    os.setgroups(unit["groups"])
    os.setresgid(*[unit["gid"]] * 3)
    if unit["PrivateUsers"]:
        private_users(unit)
    kept = [CAPABILITIES[each] for each in unit["capabilities"]]
    for number in range(CAPABILITY_LAST + 1):
        if number not in kept:
            LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    os.setresuid(*[unit["uid"]] * 3)


def private_users(unit):
    """A user namespace with root and the service's user; another process writes its maps."""
    ready, done = os.pipe(), os.pipe()
    pid = os.getpid()
    if not os.fork():
        os.close(done[0])
        os.read(ready[0], 1)
        for name, own in (("uid_map", unit["uid"]), ("gid_map", unit["gid"])):
            with open(f"/proc/{pid}/{name}", "w", encoding="ascii") as file:
                file.write(f"0 0 1\n{own} {own} 1\n")
        os._exit(0)
    os.close(done[1])
    unshare(NEWUSER)
    os.write(ready[1], b"x")
    os.read(done[0], 1)  # until the other process has ended
    os.wait()


def limits(unit):
    for name, value in unit["limits"].items():
        number = getattr(resource, name)
        with contextlib.suppress(ValueError):  # without CAP_SYS_RESOURCE a limit is never raised
            resource.setrlimit(number, (value, value))
    os.nice(unit["nice"])


def main(order):
    unit = order["unit"]
    listener = socket.socket(fileno=order["listener"])
    with open(f"/proc/{order['network']}/ns/net", encoding="ascii") as file:
        checked(LIBC.setns(file.fileno(), NEWNET))
    unshare(NEWNS | (NEWNET if unit["PrivateNetwork"] else 0))
    limits(unit)
    mounts(order, unit)
    os.chdir(order["root"])
    checked(LIBC.pivot_root(b".", b"."))  # a user namespace cannot begin in a chroot
    checked(LIBC.umount2(b".", MNT_DETACH))
    os.chdir("/")
    as_user(unit)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    descriptor = seccomp(unit)
    socket.send_fds(listener, [b"x"], [descriptor])
    os.close(descriptor)
    listener.close()
    os.umask(unit["umask"])
    os.execve(unit["command"][0], unit["command"], unit["environment"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
