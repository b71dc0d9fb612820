"""`firebreak hint`, `key` and `sources` against a cabinet that ticks."""

import json
import os
import socket
import struct

import pytest
from command_line import refused, run
from hinted_site import KEYS, HintedSite, fill

from controller.console import sources
from controller.console.key import span
from controller.core.base import hint_codes as h
from controller.hints import client as hint_client, hint_statistics, wire as w, words as hint_words
from controller.journal import snapshot
from controller.state import watch
from tests.tables import table

pytestmark = pytest.mark.wire
HEARTBEAT = "hint --source site_ems --heartbeat --for 9s"


@pytest.fixture
def site(tmp_path, monkeypatch):
    place = HintedSite(tmp_path)
    monkeypatch.setattr(watch, "wait", place.step)
    yield place
    place.close()


def places(site):
    return "--run-dir", site.run_dir, "--state-dir", site.state_dir


@pytest.fixture
def ask(site, capsys):
    def asked(command, *more):
        with site.pumped():
            return run(capsys, command, *more, *places(site))

    return asked


def test_no_controller_and_no_answer(site, ask, capsys, monkeypatch, tmp_path):
    where = "--run-dir", tmp_path, "--state-dir", site.state_dir
    refused(capsys, 3, "no controller answers", HEARTBEAT, *where)
    monkeypatch.setattr("controller.hints.client.ANSWER_S", 0.05)
    for name, words in (("site_ems", "does not fit the key"), ("nobody", "add [source.nobody]")):
        site.write_key(name, bytes(32))
        code, out, err = ask(f"hint --source {name} --heartbeat --for 9s")
        assert (code, out, len(err)) == (3, [], 1) and words in err[0]


def test_a_full_queue_is_reported(site, ask, capsys, monkeypatch):
    """A sender that does not block would spin while others block."""
    with hint_client.sender(1.5) as one:
        assert one.gettimeout() is None and os.get_blocking(one.fileno())
        assert one.getsockname().startswith(b"\0")
        timeout = one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)
        assert struct.unpack("@ll", timeout) == (1, 500_000)
    monkeypatch.setattr("controller.hints.client.ANSWER_S", 0.05)
    flood = fill(str(site.run_dir / "hints.sock"))
    words = "queue of hints is full: .* see firebreak sources"
    refused(capsys, 1, words, HEARTBEAT, *places(site))
    for each in flood:
        each.close()
    monkeypatch.undo()
    assert ask(HEARTBEAT)[0] == 0


def test_a_new_key_is_the_remedy_for_used_up_sequences(site, ask):
    site.bench.tick()
    with site.client() as client:
        nonce, now_ms = site.listener.admission.nonce, site.bench.now_us // 1000
        last = w.Hint("site_ems", nonce, 2**64 - 1, now_ms, 4, 0, 0, 0, 1000)
        client.send(w.signed(last, KEYS["site_ems"]))
        site.step()
    code, out, err = ask(HEARTBEAT)
    assert (code, out, len(err)) == (1, [], 1)
    assert "used up" in err[0] and "firebreak key rotate site_ems" in err[0]
    ask("key rotate site_ems")
    assert ask(HEARTBEAT)[0] == 0


def test_missing_or_empty_statistics_are_none(tmp_path):
    path = tmp_path / "hints.stats"
    assert hint_statistics.read(str(path)) is None
    path.write_bytes(bytes(100))
    assert hint_statistics.read(str(path)) is None


NUMBERS = "priority", "valid_s_max", "hints_per_s_max", *hint_statistics.OWN


def spoilt(content):
    head = hint_statistics.HEAD
    _, text_bytes, words_at = head.unpack_from(content)
    text_at, size = head.size, len(content)
    for cut in (text_at, text_at + 20, *(words_at + more for more in (-1, 0, 8, 47)), size - 8):
        yield content[:cut]
    yield content[: size - 1]
    for at in range(text_at + text_bytes):
        for byte in (0, 0xFF, ord("7"), content[at] ^ 1):
            yield content[:at] + bytes([byte]) + content[at + 1 :]
    for text in (b"[]", b"{}", b"7", b"[7]", b'[{"name": 7}]', b"[" * text_bytes):
        yield content[:text_at] + text.ljust(text_bytes) + content[text_at + text_bytes :]
    last_code_at = words_at + 8 * (len(hint_statistics.COMMON) + hint_statistics.LAST_CODE)
    yield content[:last_code_at] + b"\xff" + content[last_code_at + 1 :]


def test_damaged_statistics_never_break_a_page(site, capsys):
    """The console died of JSONDecodeError, KeyError, TypeError or UnicodeDecodeError."""
    site.bench.tick()
    site.step()
    path = site.run_dir / "hints.stats"
    frame, whole = snapshot.read(str(site.run_dir / "journal")), path.read_bytes()
    assert hint_statistics.read(str(path)) is not None
    damaged = path.with_name("damaged")  # the listener has the first one mapped
    pages = set()
    for content in spoilt(whole):
        damaged.write_bytes(content)
        found = hint_statistics.read(str(damaged))
        if found is not None and (page := json.dumps(found)) not in pages:
            pages.add(page)
            for source in found["sources"]:
                assert all(isinstance(source[name], int) for name in NUMBERS)
            assert all(line.isascii() for line in sources.lines(sources.gather(found, frame, 0, 0)))
    frame.close()
    os.replace(damaged, path)
    words = "holds no counters of hints"
    refused(capsys, 3, words, "sources --run-dir", site.run_dir)
    path.unlink()
    hint_statistics.HintStatistics(str(path), site.bench.cabinet.config.sources * 2).close()
    words = "of other sources than the journal"
    refused(capsys, 3, words, "sources --run-dir", site.run_dir)


def test_words_of_powers_spans_and_replies():
    powers = "0 | 0 kW ; 49 | 0 kW ; -49 | 0 kW ; 50 | 0.1 kW ; -3600 | -3.6 kW"
    for power_W, words in table(f"{powers} ; 400_000 | 400 kW ; 999_950 | 1000 kW"):
        assert hint_words.kW(power_W) == words
    spans = "-5 | 0 s ; 119 | 119 s ; 120 | 2 min ; 7199 | 119 min ; 7200 | 2 h ; 172_799 | 47 h"
    for seconds, words in table(f"{spans} ; 172_800 | 2 d"):
        assert span(seconds) == words
    for code, granted_W, words in (
        (h.LIMITED, 8000, "power 8 kW of 10 kW, 60 s left"),
        (h.MOVED, 250_000, "power 250 kW in place of 10 kW, 60 s left"),
    ):
        asked = (code, 2, 3, 10_000, granted_W, 60_000, w.NOTHING_W)
        reply = w.Reply("desk", bytes(8), 1, 0, *asked, 0, 0, 0, 0, 0, 0)
        assert hint_words.in_force(reply) == words
        hint = w.Hint("desk", bytes(8), 1, 0, 2, 3, 0, 10_000, 60_000)
        head = " ".join(hint_words.lines(hint, reply, None, 0)[:2])
        assert ("an obligation at the grid" in head) == (code == h.MOVED)


def test_every_reply_fits_the_screen():
    counts = {"valid_s_max": 300, "hints_per_s_max": 10, "accepted": 10**8, "refused": 10**8}
    name, long_W = "a_source_of_16_c", 10**9
    hint = w.Hint(name, bytes(8), 2**63, 0, 3, 4, 0, long_W, 2**32 - 1)
    for code in (code for code in h.TEXTS if code < 11 or 20 < code < 40):
        asked = (code, 3, 4, long_W, -long_W, 2**32 - 1, long_W)
        reply = w.Reply(name, bytes(8), 2**63, 0, *asked, -long_W, long_W, 245, 244, -long_W, 305)
        shown = hint_words.lines(hint, reply, {"role": "grid_cap", **counts}, 1)
        assert max(map(len, shown)) < 80, "\n".join(shown)
