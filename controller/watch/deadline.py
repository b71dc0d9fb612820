"""An end for each exchange with another program, which could send a byte now and then for ever."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def cut_after(link: http.client.HTTPConnection, time_s: float) -> Iterator[None]:
    """Connect; cut the connection when its time is over, and at the end."""
    with contextlib.closing(link):
        link.connect()
        own: socket.socket = link.sock
        with _at_the_latest(time_s, lambda: socket.socket.shutdown(own, socket.SHUT_RDWR)):
            yield


def printed(command: tuple[str, ...], time_s: float, bytes_max: int) -> tuple[int, bytes, bytes]:
    """(exit code, -SIGKILL: the time was over; output, one byte more than bytes_max if it is too
    long; the begin of its errors) of a command. Raises OSError.
    """
    own = os.environ | {"SLURM_BITSTR_LEN": "0"}  # else long lists of tasks are cut
    pipe = subprocess.PIPE
    run = subprocess.Popen(command, stdout=pipe, stderr=pipe, env=own, start_new_session=True)
    with run, _at_the_latest(time_s, lambda: os.killpg(run.pid, signal.SIGKILL)):
        assert run.stdout and run.stderr
        found = run.stdout.read(bytes_max + 1)
        words = b"" if len(found) > bytes_max else run.stderr.read(4096)
        run.stdout.close()
        run.stderr.close()
        run.wait()
    return run.returncode, found, words


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
