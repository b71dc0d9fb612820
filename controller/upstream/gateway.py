"""`firebreak upstream`: passes hints (JSON lines or msgpack) of local programs and a serial line on
to the loop. A process without keys or rights: it can only pass on what a source has signed.
"""

import collections
import contextlib
import os
import select
import signal
import socket
import stat
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from controller.core.base import hint_codes as h
from controller.system import caught, clock, sockets
from controller.system.paths import DONE, NO_START, plain, say
from controller.upstream import framing, link, messages
from controller.upstream.subscription import Publisher
from drivers.buses.serial_port import SerialPortError

LINKS_MAX = 16
IDLE_US = 300_000_000  # a connection that is silent for longer makes room for a new one
SERIAL_RETRY_US = 200_000
BACKLOG = 2 * LINKS_MAX
KIND = socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
_SocketLink = link.Link[link.Stream]


class GatewayError(Exception):
    """The gateway cannot start; one line."""


class Gateway:
    """Serves one UNIX stream socket and, if given, one serial line."""

    def __init__(
        self, run_directory: str, listen_path: str, port: link.SerialLine | None = None
    ) -> None:
        """port: an open serial line or None. Raises GatewayError, OSError."""
        self._hints_path = os.path.join(run_directory, "hints.sock")
        self._listen_path = listen_path
        self._listening = _listening(listen_path)
        self._publisher = Publisher(run_directory)
        self._last = caught.Last("upstream: a client is closed")
        self.links: list[_SocketLink] = []
        self._line: link.Link[link.SerialLine] | None = None
        if port is not None:
            self._line = link.Link(port, self._hints_path, clock.now_us(), framing.JsonLines())

    def run(self) -> None:
        """Serve until an exception interrupts it (KeyboardInterrupt of a signal)."""
        while True:
            self.turn(clock.now_us())

    def turn(self, now_us: int) -> None:
        """Wait for the first event, and serve it."""
        served: list[link.Link[Any]] = list(self.links)
        # select cannot wait for a serial adapter that is gone
        is_lost = self._line is not None and not self._line.stream.service(now_us)
        if self._line is not None and not is_lost:
            served.append(self._line)
        reading: list[Any] = [self._listening]
        writing: list[Any] = []
        for each in served:
            to_read, to_write = each.waits_for()
            reading += to_read
            writing += to_write
        due_us = [due for each in served if (due := each.next_us) is not None]
        due_us += [now_us + SERIAL_RETRY_US] if is_lost else []
        wait_s = max(0, min(due_us) - now_us) / 1e6 if due_us else None
        ready_in, ready_out, _ = select.select(reading, writing, (), wait_s)
        self._serve(served, {*ready_in, *ready_out}, clock.now_us())

    def _serve(self, served: list[link.Link[Any]], ready: set[Any], now_us: int) -> None:
        for each in served:
            with self._last:
                waited = {descriptor for group in each.waits_for() for descriptor in group}
                due_us = each.next_us
                if waited & ready or due_us is not None and now_us >= due_us:
                    each.service(now_us)
            if self._last.is_caught:
                self._drop(each, now_us)
        for ended in [each for each in self.links if each.ended]:
            self.links.remove(ended)
            ended.close()
        if self._listening in ready:
            with self._last:
                self._accept(now_us)

    def _drop(self, failed: link.Link[Any], now_us: int) -> None:
        """End one client after an exception. The serial line goes on with its next message."""
        failed.ended = True
        if self._line is not None and failed is self._line:
            self._line.drop()
            port, form = self._line.stream, framing.JsonLines()
            self._line = link.Link(port, self._hints_path, now_us, form)

    def _accept(self, now_us: int) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:  # the client has gone, or no descriptor is left: a later one may succeed
            return
        stream = link.Stream(connection)
        if len(self.links) >= LINKS_MAX and not self._make_room(stream, now_us):
            refused = framing.JsonLines().packed(messages.problem(h.CROWDED))
            with contextlib.suppress(OSError), connection:
                connection.send(refused, socket.MSG_DONTWAIT)
            return
        made = link.Link(stream, self._hints_path, now_us, publisher=self._publisher)
        self.links.append(made)

    def _make_room(self, stream: link.Stream, now_us: int) -> bool:
        """Close a connection in favour of a new one. True if one was closed.

        Candidates are the connections silent for IDLE_US, else those of the user, then of the
        process, that holds more than the new one's owner would hold. The one silent for longest is
        closed.
        """
        candidates = [each for each in self.links if now_us - each.heard_us >= IDLE_US]
        candidates = candidates or _greediest(self.links, stream, lambda each: each.user)
        candidates = candidates or _greediest(self.links, stream, lambda each: each.process)
        if not candidates:
            return False
        oldest = min(candidates, key=lambda each: each.heard_us)
        self.links.remove(oldest)
        oldest.close()
        return True

    def close(self) -> None:
        """Close everything and remove the socket."""
        for each in self.links:
            each.close()
        if self._line is not None:
            self._line.close()
        self._listening.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._listen_path)


def _greediest(
    links: Iterable[_SocketLink], stream: link.Stream, owner: Callable[[link.Stream], Hashable]
) -> list[_SocketLink]:
    """The links of the owner that holds most. [] if the owner of `stream` would hold as many."""
    held = collections.Counter(owner(each.stream) for each in links)
    greediest, count = held.most_common(1)[0]
    if count <= held[owner(stream)] + 1:
        return []
    return [each for each in links if owner(each.stream) == greediest]


def _listening(path: str) -> socket.socket:
    """A listening stream socket at `path`, in place of an earlier one. GatewayError: another
    gateway runs, or a file of another kind is there.
    """
    made = socket.socket(socket.AF_UNIX, KIND)
    with sockets.short(path) as name:
        _remove_left_over(path, name)
    with sockets.ready(made, path) as name:
        os.chmod(name, 0o660)
        made.listen(BACKLOG)
    return made


def _remove_left_over(path: str, name: str) -> None:
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise GatewayError(f"{path}: exists and is not a socket; choose another --listen")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(name)
        except OSError:
            os.unlink(path)
            return
    raise GatewayError(f"{path}: another gateway listens there")


def serve(run_directory: str, listen_path: str, tty: str | None, baud_Bd: int) -> int:
    """Run a gateway until SIGTERM or SIGINT; tty None: no serial line. Returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    port = None
    try:
        if tty:
            port = link.SerialLine(tty, baud_Bd)
            port.open()
        with contextlib.closing(Gateway(run_directory, listen_path, port)) as gateway:
            line = f" and {tty} at {baud_Bd} Bd" if tty else ""
            say(f"upstream: listening on {listen_path}{line}")
            gateway.run()
    except (GatewayError, SerialPortError, OSError) as error:
        say(plain(error, listen_path))
        return NO_START
    except KeyboardInterrupt:
        pass
    return DONE
