"""A disk that loses power, and every power cut during an action on it."""

import errno
import fcntl
import io
import os
import stat

import pytest

from controller.store.two_copies import COPIES, Store
from tests.instead_of_os import Descriptor, Simulated, instead_of_os


class PowerCut(BaseException):
    """Ends the program as a cut does: no handler may catch it as an error."""


class Paths(Simulated):
    """Replaces `os.path`."""

    REAL = os.path

    def __init__(self, disk):
        self._disk = disk

    def exists(self, path):
        return self.isfile(path) or self.isdir(path)

    def isfile(self, path):
        return path in self._disk.names

    def isdir(self, path):
        return path in self._disk.folders

    def realpath(self, path):
        return path  # it has no links


class Locks(Simulated):
    """Replaces `fcntl`: nobody else has a lock."""

    REAL = fcntl

    def flock(self, descriptor, _):
        assert isinstance(descriptor, Descriptor)


class File(io.BytesIO):
    """A file that the built-in `open` has opened for reading."""

    def __init__(self, disk, descriptor):
        super().__init__(disk.read(descriptor, -1))
        self._disk, self._descriptor = disk, descriptor

    def fileno(self):
        return self._descriptor

    def close(self):
        if not self.closed:
            self._disk.close(self._descriptor)
        super().close()


def _not_found():
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _stat_of(is_file):
    kind = stat.S_IFREG if is_file else stat.S_IFDIR
    return os.stat_result([kind, 0, 0, 1, os.geteuid(), *[0] * 5])


class Disk(Simulated):
    """Replaces `os`: only fsync makes data and names durable; stops before operation `cut_at`."""

    def __init__(self, cut_at=None, error_at=None):
        self.cut_at, self.error_at, self.is_full = cut_at, error_at, False
        self.operations = 0
        self.inodes = []  # [volatile, durable] contents
        self.names, self.durable_names, self.folders = {}, {}, set()
        self.descriptors = {}  # [inode or None, position, place]
        self.path, self.fcntl = Paths(self), Locks()

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
        elif not flags & os.O_DIRECTORY and path not in self.names:
            raise _not_found()
        elif flags & os.O_EXCL:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        opened = Descriptor()
        self.descriptors[opened] = [self.names.get(path), 0, path]
        return opened

    def open_file(self, path, mode="r", opener=None):
        if mode != "rb":
            pytest.fail(f"the simulated disk opens no file as {mode!r}: simulate it")
        return File(self, (opener or self.open)(path, os.O_RDONLY))

    def fstat(self, descriptor):
        return _stat_of(is_file=self.descriptors[descriptor][0] is not None)

    def lstat(self, path):
        if path not in self.names and path not in self.folders:
            raise _not_found()
        return _stat_of(is_file=path in self.names)

    def _inode(self, descriptor):
        return self.inodes[self.descriptors[descriptor][0]]

    def write(self, descriptor, content):
        self._count(needs_room=True)
        self._inode(descriptor)[0] += content[:61]
        return len(content[:61])

    def read(self, descriptor, size):
        at = self.descriptors[descriptor][1]
        content = self._inode(descriptor)[0]
        piece = content[at:] if size < 0 else content[at : at + size]
        self.descriptors[descriptor][1] += len(piece)
        return piece

    def lseek(self, descriptor, offset, whence):
        ends = {os.SEEK_SET: 0, os.SEEK_END: len(self._inode(descriptor)[0])}
        self.descriptors[descriptor][1] = ends[whence] + offset
        return ends[whence] + offset

    def ftruncate(self, descriptor, size):
        self._count()
        inode = self._inode(descriptor)
        inode[0] = inode[0][:size]

    def posix_fallocate(self, descriptor, offset, size):
        self._count(needs_room=True)
        inode = self._inode(descriptor)
        inode[0] = inode[0].ljust(offset + size, b"\0")

    def fchmod(self, descriptor, _):
        assert self.descriptors[descriptor]

    def chmod(self, path, _):
        if path not in self.names:
            raise _not_found()

    def lockf(self, descriptor, *_):
        assert self.descriptors[descriptor]

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
            raise _not_found()
        self._count()
        del self.names[path]

    def mkdir(self, path, mode=0o777):
        if self.path.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        self.folders.add(path)

    def makedirs(self, path, mode=0o777, exist_ok=False):
        assert exist_ok
        self.folders.add(path)

    def listdir(self, path):
        return [os.path.basename(each) for each in self.names if os.path.dirname(each) == path]

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
        found.durable_names, found.folders = dict(found.names), set(self.folders)
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
