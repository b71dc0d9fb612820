"""Limits the time of exchanges with other programs, which could send single bytes for ever."""

import contextlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import SplitResult

Connect = Callable[..., socket.socket]


def connection(url: SplitResult, time_s: float, ca_file: str | None) -> http.client.HTTPConnection:
    """The http or https connection to an address. A silence of time_s ends it.

    ca_file: certificates that sign the server; "" or None: the authorities of the system. OSError:
    it is no file of certificates.
    """
    host, port = url.hostname or "", url.port
    if url.scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=time_s)
    trusted = ssl.create_default_context(cafile=ca_file or None)
    return http.client.HTTPSConnection(host, port, timeout=time_s, context=trusted)


@contextlib.contextmanager
def cut_after(link: http.client.HTTPConnection, time_s: float) -> Iterator[None]:
    """Cut the connection when its time is over, and close it at the end. Raises TimeoutError."""
    with contextlib.closing(link), cutting(time_s) as connect:
        opens_by(link, connect)
        yield


def opens_by(link: http.client.HTTPConnection, connect: Connect) -> None:
    """Let `connect` open the socket. No public hook runs early enough, before TLS and proxy."""
    vars(link)["_create_connection"] = connect


@contextlib.contextmanager
def cutting(time_s: float) -> Iterator[Connect]:
    """A socket.create_connection whose sockets are cut when the time is over, be it during proxy,
    TLS, header or body. Raises TimeoutError.
    """
    copies: list[socket.socket] = []  # copies, because TLS takes over the file descriptor
    over = threading.Event()

    def connect(*arguments: Any, **more: Any) -> socket.socket:
        link = socket.create_connection(*arguments, **more)
        copies.append(link.dup())
        if over.is_set():
            cut()
        return link

    def cut() -> None:
        over.set()
        for link in [*copies]:
            with contextlib.suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)

    try:
        with _at_the_latest(time_s, cut):
            yield connect
    except TimeoutError:  # the socket's own time may end a moment earlier
        over.set()
    except (OSError, http.client.HTTPException):
        if not over.is_set():
            raise
    finally:
        for link in copies:
            link.close()
    if over.is_set():  # a header that was cut looks complete
        raise TimeoutError(f"no whole answer within {time_s:g} s")


def printed(
    command: tuple[str, ...], time_s: float, bytes_max: int, more: Mapping[str, str]
) -> tuple[int, bytes, bytes]:
    """(exit code, output, start of the errors) of a command. Raises OSError.

    Exit code -SIGKILL: the time was over. The output has one byte more than bytes_max if it is too
    long. more: further environment variables.
    """
    pipe, environment = subprocess.PIPE, os.environ | more
    run = subprocess.Popen(
        command, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
    )
    with run, _at_the_latest(time_s, lambda: os.killpg(run.pid, signal.SIGKILL)):
        assert run.stdout and run.stderr
        output = run.stdout.read(bytes_max + 1)
        errors = b"" if len(output) > bytes_max else run.stderr.read(4096)
        run.stdout.close()
        run.stderr.close()
        run.wait()
    return run.returncode, output, errors


@contextlib.contextmanager
def _at_the_latest(time_s: float, end: Callable[[], None]) -> Iterator[None]:
    def ended() -> None:
        with contextlib.suppress(OSError):
            end()

    timer = threading.Timer(time_s, ended)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
