"""A disk that loses power, and every cut of power during an action on it."""

import errno
import os
import stat

from controller.record.store import Store


class PowerCut(BaseException):
    """Ends the program in the middle, as a cut does: nothing may catch it as an error."""


class Disk:
    """Stands in for `os`: files and names become durable only by fsync. Stops before operation
    `cut_at`.

    After a cut `restart(data, names)` gives the disk as found: what was not yet synced is `lost`,
    `torn` (half of it) or `kept`; names not yet synced are `lost` or `kept`.
    """

    def __init__(self, cut_at=None, error_at=None):
        self.operations = 0
        self.cut_at = cut_at
        self.error_at = error_at
        self.is_full = False
        self.inodes = []  # [volatile, durable] contents
        self.names = {}
        self.durable_names = {}
        self.descriptors = {}

    def _count(self, needs_room=False):
        self.operations += 1
        if self.operations - 1 == self.cut_at:
            raise PowerCut
        if self.operations - 1 == self.error_at or self.is_full and needs_room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path, flags, mode=None):
        if flags & os.O_CREAT:
            self._count(needs_room=True)
            self.names[path] = len(self.inodes)
            self.inodes.append([b"", b""])
        if not flags & os.O_DIRECTORY and path not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        descriptor = 100 + self.operations * 10 + len(self.descriptors)
        self.descriptors[descriptor] = self.names.get(path)
        return descriptor

    def fstat(self, descriptor):
        return os.stat_result([stat.S_IFREG, *[0] * 9])

    def write(self, descriptor, content):
        self._count(needs_room=True)
        self.inodes[self.descriptors[descriptor]][0] += content[:61]
        return len(content[:61])

    def read(self, descriptor, size):
        return self.inodes[self.descriptors[descriptor]][0][:size]

    def fsync(self, descriptor):
        self._count()
        inode = self.descriptors[descriptor]
        if inode is None:
            self.durable_names = dict(self.names)
        else:
            self.inodes[inode][1] = self.inodes[inode][0]

    def replace(self, source, target):
        self._count()
        self.names[target] = self.names.pop(source)

    def unlink(self, path):
        self._count()
        del self.names[path]

    def close(self, descriptor):
        del self.descriptors[descriptor]

    def restart(self, data, names):
        found = Disk()
        for volatile, durable in self.inodes:
            torn = volatile[: (len(durable) + len(volatile)) // 2]
            content = {"lost": durable, "torn": torn, "kept": volatile}[data]
            found.inodes.append([content, content])
        found.names = dict(self.names if names == "kept" else self.durable_names)
        found.durable_names = dict(found.names)
        return found


def disk_with(*records):
    disk = Disk()
    for each in records:
        save_after_load(disk, each)
    return disk.restart("lost", "lost")


def cuts(first_disk, action):
    """Every (disk as found after the cut, whether the action had finished), for a cut before each
    operation.
    """
    cut_at, finished = 0, False
    while not finished:
        disk = first_disk()
        disk.cut_at = cut_at
        try:
            action(disk)
            finished = True
        except PowerCut:
            pass
        for data in ("lost", "torn", "kept"):
            for names in ("lost", "kept"):
                yield disk.restart(data, names), finished
        cut_at += 1
    assert cut_at > 10


def save_after_load(disk, record):
    store = Store("d", disk)
    store.load()
    store.save(record)


def found_on(disk):
    return Store("d", disk).load()
