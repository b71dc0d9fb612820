"""A disk that loses power, and every power cut during an action on it."""

import errno
import os
import stat

from controller.store.two_copies import COPIES, Store
from tests.instead_of_os import instead_of_os


class PowerCut(BaseException):
    """Ends the program as a cut does: no handler may catch it as an error."""


class Disk:
    """Replaces `os`: only fsync makes data and names durable; stops before operation `cut_at`."""

    def __init__(self, cut_at=None, error_at=None):
        self.cut_at, self.error_at, self.is_full = cut_at, error_at, False
        self.operations = self.opened = 0
        self.inodes = []  # [volatile, durable] contents
        self.names, self.durable_names = {}, {}
        self.descriptors = {}  # [inode or None, place]

    def __getattr__(self, name):
        return getattr(os, name)

    def _count(self, needs_room=False):
        self.operations += 1
        if self.operations - 1 == self.cut_at:
            raise PowerCut
        if self.operations - 1 == self.error_at or self.is_full and needs_room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path, flags, mode=None, dir_fd=None):
        if dir_fd:
            path = os.path.join(self.descriptors[dir_fd][2], path)
        if flags & os.O_TRUNC or flags & os.O_CREAT and path not in self.names:
            self._count(needs_room=True)
            self.names[path] = len(self.inodes)
            self.inodes.append([b"", b""])
        if not flags & os.O_DIRECTORY and path not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self.opened += 1
        self.descriptors[self.opened] = [self.names.get(path), 0, path]
        return self.opened

    def fstat(self, descriptor):
        return os.stat_result([stat.S_IFREG, *[0] * 9])

    def _inode(self, descriptor):
        return self.inodes[self.descriptors[descriptor][0]]

    def write(self, descriptor, content):
        self._count(needs_room=True)
        self._inode(descriptor)[0] += content[:61]
        return len(content[:61])

    def read(self, descriptor, size):
        at = self.descriptors[descriptor][1]
        piece = self._inode(descriptor)[0][at : at + size]
        self.descriptors[descriptor][1] += len(piece)
        return piece

    def ftruncate(self, descriptor, size):
        self._count()
        inode = self._inode(descriptor)
        inode[0] = inode[0][:size]

    def lockf(self, *_):
        pass

    def fsync(self, descriptor):
        self._count()
        if self.descriptors[descriptor][0] is None:
            self.durable_names = dict(self.names)
        else:
            inode = self._inode(descriptor)
            inode[1] = inode[0]

    def replace(self, source, target):
        self._count()
        self.names[target] = self.names.pop(source)

    def unlink(self, path):
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._count()
        del self.names[path]

    def close(self, descriptor):
        del self.descriptors[descriptor]

    def restart(self, data="lost", names="lost"):
        """Disk after a cut; data: lost, torn (half), hole (NUL, rest), kept; names: lost, kept."""
        found = Disk()
        for volatile, durable in self.inodes:
            added = volatile[len(durable) :] if volatile.startswith(durable) else b""
            half = len(added) // 2
            found_as = {"lost": durable, "torn": durable + added[:half], "kept": volatile}
            content = found_as.get(data, durable + bytes(half) + added[half:])  # "hole"
            found.inodes.append([content, content])
        found.names = dict(self.names if names == "kept" else self.durable_names)
        found.durable_names = dict(found.names)
        return found


def disk_with(*records):
    disk = Disk()
    for each in records:
        save_after_load(disk, each)
    return disk.restart()


def cuts(first_disk, action, datas=("lost", "torn", "kept")):
    """(disk as found, whether the action had finished) for a cut before each operation."""
    cut_at, finished = 0, False
    while not finished:
        disk = first_disk()
        disk.cut_at = cut_at
        try:
            with instead_of_os(disk):
                action(disk)
            finished = True
        except PowerCut:
            pass
        for data in datas:
            for names in ("lost", "kept"):
                yield disk.restart(data, names), finished
        cut_at += 1
    assert cut_at > 7


def save_after_load(disk, record):
    with instead_of_os(disk):
        store = Store("d")
        store.load()
        store.save(record)


def found_on(disk):
    with instead_of_os(disk):
        return Store("d").load()


def as_of_form(folder, form, names=COPIES):
    for name in names:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:7] + bytes([form]) + data[8:])
