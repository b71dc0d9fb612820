"""HTTP sources against a server on this machine: bounds, refusals, and no key in any line."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from feed_cases import NOW_S, answer, feed, hourly

from controller.planner.feeds import fetch
from tests.tables import cases

ROWS = json.dumps([{"t": "2026-11-26T12:00+01:00", "p": 71.5}]).encode()
WAY = {"list": "", "time": "t", "value": "p", "unit": "EUR/MWh", "every_min": 30}


class Handler(BaseHTTPRequestHandler):
    """Answers by the first part of the path."""

    def do_GET(self):
        self.server.asked.append(self.path)
        name = self.path.split("/")[1].split("?")[0]
        if name == "silent":
            self.server.ended.wait(30)
            return
        if name == "noise":
            self.wfile.write(b"\0\1noise\r\n\r\n")
            return
        self.send_response({"moved": 302, "none": 404}.get(name, 200))
        self.send_header("Location", "/good")
        data = {"much": b"[" + b" " * (2 << 20) + b"]", "text": b"<html>"}.get(name, ROWS)
        self.send_header("Content-Length", str(len(data) + 5 * (name == "cut")))
        self.end_headers()
        with contextlib.suppress(OSError):  # the reader has gone
            while name == "drip" and not self.server.ended.wait(0.01):
                self.wfile.write(b" ")
            self.wfile.write(data)

    def log_message(self, *given):
        """Nothing is printed."""


@pytest.fixture(scope="module")
def server():
    """A server; asked: the paths; ended: is set at the end."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as found:
        found.asked, found.ended = [], threading.Event()
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.ended.set()
        found.shutdown()


def source(server, path, timeout_s=20.0, **keys):
    url = f"http://127.0.0.1:{server.server_address[1]}/{path}"
    more = {"url": url, "timeout_s": timeout_s, "time_form": "%Y%m%d%H%M", "key_file": ""}
    return feed("", format="http_json", **{**WAY, **more, **keys})


@pytest.mark.wire
def test_an_answer_is_read_with_its_key_and_days(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    (tmp_path / "key").write_text("se cret&\n")
    path = "good?from={start}&to={end}&key={key}"
    points, _ = answer(source(server, path, key_file=str(tmp_path / "key")))
    assert hourly(points, "2026-11-26T12:00", 1) == [71.5]
    assert server.asked[-1] == "/good?from=202611242300&to=202611272300&key=se%20cret%26"


@pytest.mark.wire
@cases("""path  timeout_s  line
    "none"  20.0  "the server answers 404: needed is 200"
    "moved"  20.0  "the server answers 302: needed is 200"
    "much"  20.0  "the answer has more than 1048576 bytes"
    "noise"  20.0  "the answer is no HTTP, or cut"
    "cut"  20.0  "the answer is no HTTP, or cut"
    "silent"  0.2  "no whole answer in the time of timeout_s"
    "drip"  0.2  "no whole answer in the time of timeout_s"
    "text"  20.0  "not whole JSON in UTF-8"
""")
def test_a_bad_answer_is_one_line(server, path, timeout_s, line):
    found, refused = answer(source(server, f"{path}?key=secret", timeout_s))
    assert found is None and refused.endswith(line) and "secret" not in refused


@pytest.mark.wire
def test_without_a_server_and_without_a_key_it_is_one_line(server, tmp_path):
    own = source(server, "good?{key}", key_file=str(tmp_path / "none"))
    assert answer(own)[1] == "key_file cannot be read: No such file or directory"
    own = source(server, "", url="http://127.0.0.1:1/?key=secret")
    assert answer(own)[1] == "127.0.0.1: cannot be reached: Connection refused"


@cases("""url  allowed
    "https://web-api.tp.entsoe.eu/api?a={key}"  True
    "http://127.0.0.1:8080/x"  True
    "http://localhost/x"  True
    "http://192.168.1.7/x"  True
    "http://[::1]/x"  True
    "http://8.8.8.8/x"  False
    "http://example.org/x"  False
    "http://192.168.1.7.example.org/x"  False
    "https://user:word@example.org/"  False
    "ftp://127.0.0.1/x"  False
    "file:///etc/passwd"  False
    "https://"  False
    "https://a b/"  False
    "https://a:port/"  False
    "https://[/"  False
""")
def test_plain_http_only_goes_to_the_local_network(url, allowed):
    assert fetch.is_allowed(url) is allowed


def test_an_address_has_the_days_of_the_zone():
    keys = {"url": "https://a/{start}/{end}", "key_file": "", "time_form": "%Y-%m-%dT%H:%M:%SZ"}
    assert fetch._filled(keys, feed("").zone, NOW_S) == (
        "https://a/2026-11-24T23%3A00%3A00Z/2026-11-27T23%3A00%3A00Z"
    )
