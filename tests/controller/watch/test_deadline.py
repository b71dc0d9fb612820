"""Other programs that never end their answer: each exchange ends all the same.

The syntax tree finds each module that opens a connection to another program, so the next one must
say here what ends an exchange in which a byte comes now and then.
"""

import ast
import contextlib
import socket
import threading
from datetime import UTC

import pytest
from watch_site import fake_squeue, token_in

from controller.planner.feeds import fetch
from controller.series.refusal import SeriesError
from controller.watch import cabinet, kube_api, slurm
from controller.watch.jobs import Away, PowerTable
from tests.referred import named, places
from tests.repository import ROOT

pytestmark = pytest.mark.wire
GUARD_S = 120
OPENS = {
    *("deadline.connection", "deadline.opens_by", "asyncio.open_connection", "request.urlopen"),
    *("client.HTTPConnection", "client.HTTPSConnection", "smtplib.SMTP", "smtplib.SMTP_SSL"),
    *("socket.create_connection", "_client.connect", "ftplib.FTP", "imaplib.IMAP4"),
}
PLACES = """
doors/alarms/post.py | cutting, cut_after: tests/controller/doors/test_alarm_dialogue.py
mqtt/link.py | a stream of messages, read between the turns of the door; nothing waits for it
planner/feeds/fetch.py | cutting: tested here
system/deadline.py | the mechanism itself
doors/local/examples/announce_steps.py | an example
watch/cabinet.py | cut_after: tested here
watch/kube_api.py | cut_after: tested here
"""


def opens(node):
    is_attribute = isinstance(node, ast.Attribute)
    return is_attribute and any(f".{ast.unparse(node)}".endswith(f".{each}") for each in OPENS)


def opening(folder=ROOT / "controller"):
    """The modules of a folder that open a connection to another program."""
    return {place.split()[0] for place in places(folder, lambda tree: opens)}


def test_every_module_that_opens_a_connection_says_what_ends_an_exchange():
    assert opening() == named(PLACES)


@pytest.mark.parametrize("call", sorted(OPENS))
def test_a_new_module_that_opens_a_connection_is_found(call, tmp_path):
    (tmp_path / "new.py").write_text(f"class Own({call}):\n    pass\n")
    (tmp_path / "sound.py").write_text("def reads(connection):\n    return connection.recv(9)\n")
    assert opening(tmp_path) == {"new.py"}


@pytest.fixture(
    params=[
        ("http", b"HTTP/1.1 200 OK\r\nX: "),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
        ("https", b"\x16\x03\x03\x3f\xff"),  # a record of TLS
    ]
)
def dripping(request):
    """Address of a server that sends a byte every 20 ms, for ever."""

    (scheme, begin), ended = request.param, threading.Event()

    def serve():
        link, _ = listening.accept()
        with link:
            link.recv(65536)
            link.sendall(begin)
            with contextlib.suppress(OSError):  # the reader has gone
                while not ended.wait(0.02):
                    link.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        thread.join(GUARD_S)
        assert not thread.is_alive()


def test_a_cabinet_that_drips_gives_no_answer(dripping, tmp_path, monkeypatch):
    monkeypatch.setattr(cabinet, "WAIT_S", 0.2)
    with pytest.raises(Away, match=r"no whole answer within 0\.2 s"):
        cabinet.Cabinet(dripping, token_in(tmp_path), "").ask(1, 0, 1)


def test_an_api_server_that_drips_gives_no_answer(dripping, monkeypatch):
    monkeypatch.setattr(kube_api, "ANSWER_S", 0.2)
    with pytest.raises(kube_api.KubeError, match="cut or silent|has no end"):
        kube_api.Api(dripping, "", "", "").patched("a", "b", [])


def test_a_feed_that_drips_gives_no_answer(dripping):
    keys = {"url": dripping, "key_file": "", "time_form": "", "timeout_s": 0.2}
    with pytest.raises(SeriesError, match="no whole answer in the time"):
        fetch.fetched(keys, UTC, 0.0)


@pytest.mark.parametrize(
    ("script", "within_s", "words"),
    [
        ("exec cat /dev/zero", GUARD_S, "squeue: prints more than 1 MiB"),
        ("head -c 1048577 /dev/zero", GUARD_S, "squeue: prints more than 1 MiB"),
        ("sleep 60 & sleep 60", 0.3, "squeue: no answer within 0.3 s"),
        ("cat /dev/zero >&2", 0.3, "squeue: no answer within 0.3 s"),
        ("echo; echo no >&2; exit 3", GUARD_S, "squeue: exit code 3: no"),
    ],
)
def test_a_squeue_that_never_ends(script, within_s, words, tmp_path, monkeypatch):
    fake_squeue(tmp_path, monkeypatch, script)
    monkeypatch.setattr(slurm, "BYTES_MAX", 1 << 20)
    with pytest.raises(Away, match=words):
        slurm.Slurm(within_s, PowerTable({}, {})).queue()
