"""`firebreak upstream`: takes hints as JSON lines or msgpack from local programs and a serial line
and hands them to the loop.

A process of its own without any key or right: it can only pass on hints that a source has signed.
"""

import collections
import contextlib
import operator
import os
import select
import signal
import socket
import stat

from controller.core import hint_codes as h
from controller.system import clock, sockets
from controller.system.paths import DONE, NO_START, plain, say
from controller.upstream import framing, link, messages
from drivers.buses.serial_port import SerialPortError

LINKS_MAX = 16
IDLE_US = 300_000_000  # a connection that has said nothing for so long makes room for a new one
SERIAL_RETRY_US = 200_000
BACKLOG = 2 * LINKS_MAX


class GatewayError(Exception):
    """The gateway cannot start; one line."""


class Gateway:
    """Serves one UNIX stream socket and, if given, one serial line."""

    def __init__(self, run_directory: str, listen_path: str, port=None):
        """port: an open link.SerialLine or None. Raises GatewayError, OSError."""
        self._hints_path = os.path.join(run_directory, "hints.sock")
        self._listen_path = listen_path
        self._listening = _listening(listen_path)
        self.links, self._line = [], None
        if port is not None:
            self._line = link.Link(port, self._hints_path, clock.now_us(), framing.JsonLines())

    def run(self):
        """Serve until interrupted by an exception (KeyboardInterrupt of a signal)."""
        while True:
            self.turn(clock.now_us())

    def turn(self, now_us: int) -> None:
        """Wait for the first event, and serve it."""
        served = list(self.links)
        # a serial adapter that is gone cannot be waited for
        is_lost = self._line is not None and not self._line.stream.service(now_us)
        if self._line is not None and not is_lost:
            served.append(self._line)
        reading, writing = [self._listening], []
        for each in served:
            to_read, to_write = each.waits_for()
            reading += to_read
            writing += to_write
        due_us = [each.due_us for each in served if each.message is not None]
        due_us += [now_us + SERIAL_RETRY_US] if is_lost else []
        wait_s = max(0, min(due_us) - now_us) / 1e6 if due_us else None
        ready_in, ready_out, _ = select.select(reading, writing, (), wait_s)
        self._serve(served, {*ready_in, *ready_out}, clock.now_us())

    def _serve(self, served, ready, now_us):
        for each in served:
            waited = {descriptor for group in each.waits_for() for descriptor in group}
            if waited & ready or each.message is not None and now_us >= each.due_us:
                each.service(now_us)
        for each in [each for each in self.links if each.ended]:
            self.links.remove(each)
            each.close()
        if self._listening in ready:
            self._accept(now_us)

    def _accept(self, now_us):
        try:
            connection, _ = self._listening.accept()
        except OSError:  # gone again, or no descriptor left: the next one may do better
            return
        stream = link.Stream(connection)
        if len(self.links) >= LINKS_MAX and not self._make_room(stream, now_us):
            with contextlib.suppress(OSError):
                connection.send(
                    framing.JsonLines.packed(messages.problem(h.CROWDED)), socket.MSG_DONTWAIT
                )
            connection.close()
            return
        self.links.append(link.Link(stream, self._hints_path, now_us))

    def _make_room(self, stream, now_us):
        """Close a connection in favour of a new one. True when one was.

        Of all that are silent for long, or else of a user, or a process, that holds more than the
        new one's would with it: the one that has been silent the longest. So nobody can take all
        places.
        """
        among = [each for each in self.links if now_us - each.heard_us >= IDLE_US]
        for who in (operator.attrgetter("user"), operator.attrgetter("process")):
            among = among or _greediest(self.links, stream, who)
        if not among:
            return False
        oldest = min(among, key=lambda each: each.heard_us)
        self.links.remove(oldest)
        oldest.close()
        return True

    def close(self) -> None:
        """Close everything and remove the socket."""
        for each in [*self.links, *([self._line] if self._line else [])]:
            each.close()
        self._listening.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._listen_path)


def _greediest(links, stream, who):
    """The links of the holder of most, when that is more than who(stream) will hold with one more;
    else none.
    """
    held = collections.Counter(who(each.stream) for each in links)
    greediest, count = held.most_common(1)[0]
    return (
        [each for each in links if who(each.stream) == greediest]
        if count > held[who(stream)] + 1
        else []
    )


def _listening(path):
    """A listening stream socket in place of one left over at `path`. GatewayError when something
    else is there.
    """
    made = socket.socket(
        socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    )
    with sockets.short(path) as name:
        _remove_left_over(path, name)
        made.bind(name)
    os.chmod(path, 0o660)
    made.listen(BACKLOG)
    return made


def _remove_left_over(path, name):
    if not os.path.lexists(path):
        return
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise GatewayError(f"{path}: is there already and is no socket; choose another --listen")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(name)
        except OSError:
            os.unlink(path)
            return
    raise GatewayError(f"{path}: another gateway listens there")


def serve(run_directory, listen_path, tty, baud_Bd):
    """Run a gateway until SIGTERM or SIGINT; tty None: no serial line. Returns the exit code."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        port = tty and link.SerialLine(tty, baud_Bd)
        if port:
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
