"""`firebreak hint`, `key` and `sources` against a cabinet that ticks."""

import json
import os
import re
import socket
import struct

import pytest
from command_line import refused, run
from hinted_site import KEYS, HintedSite, fill

from controller.console import sources, watch
from controller.console.key import span
from controller.core.base import hint_codes as h
from controller.hints import client as hint_client, hint_statistics, wire as w, words as hint_words
from controller.journal import snapshot
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


def folded(line):
    return re.sub(" +", " ", line)


def test_a_granted_and_a_refused_hint(ask):
    code, out, err = ask("hint --source site_ems --import-max 400kW --for 41s")
    assert (code, err) == (0, []) and all(len(line) < 80 for line in out)
    in_force = " in force import <= 400 kW, 41 s left, then fallback 350 kW"
    granted, sent, *more, counted = map(folded, out)
    assert granted == "GRANTED H1 import <= 400 kW."
    assert sent == " you sent import <= 400 kW, valid for 41 s (sequence 1)"
    assert {" do renew every 13 s", in_force} <= set(more)
    taken = "1 taken, 0 refused since the controller's start exit code 0"
    assert counted == f" counted {taken}"
    code, out, err = ask("hint --source site_ems --import-max 450kW --for 15min")
    refused, sent, allowed, do, now, can_do, *_, last = map(folded, out)
    assert (code, err, now) == (1, [], in_force)
    assert refused == "REFUSED H31 valid for too long. Nothing changed."
    assert sent == " you sent valid for 900 s (sequence 2)"
    assert allowed == " allowed 1 .. 300 s ([source.site_ems] valid_s_max)"
    assert do == " do send valid for <= 300 s, renew every 100 s"
    assert can_do.startswith(" can do now ") and "exit code 1" in last


def test_a_heartbeat_shows_its_validity_and_json_has_the_same_fields(site, ask):
    site.bench.tick()
    code, out, err = ask("hint --source cloud --heartbeat --for 1min --purpose 7")
    assert (code, err, out[0]) == (0, [], "GRANTED H1 heartbeat.")
    assert out[1].startswith("  you sent   heartbeat, valid for 60 s")
    assert "  do         renew every 20 s" in out
    code, out, _ = ask("hint --source cloud --heartbeat --for 61s")
    assert code == 1 and out[0].startswith("REFUSED H31")
    assert out[1].startswith("  you sent   valid for 61 s")
    code, out, _ = ask("hint --source cloud --charge-max 0.05MW --for 61s --json")
    found = json.loads(out[0])
    assert (code, found["code"], found["label"], found["granted"]) == (1, 31, "H31", False)
    powers_W = [found[name] for name in ("asked_W", "granted_W", "fallback_W")]
    assert (powers_W, found["quantity"]) == ([50_000] * 3, "charge_W_max")


QUANTITIES = """
scheduler --power=-20kW --for 30s | 0 ; scheduler --power -20kW --for 30s | 0
desk --export-max 0W --for 1000ms | 0 ; desk --discharge-max 1.5kW --for 0.05h | 0
cloud --heartbeat --for 60s | 0 ; cloud --power 1kW --for 30s | 1
"""


def test_every_quantity(ask):
    for argv, code in table(QUANTITIES):
        found, out, err = ask(f"hint --source {argv}")
        assert (found, err) == (code, []), (argv, out)
    assert ask("hint --source scheduler", "--power=-20 kW", "--for", "30s")[0] == 0


def test_no_controller_and_no_answer(site, ask, capsys, monkeypatch, tmp_path):
    where = "--run-dir", tmp_path, "--state-dir", site.state_dir
    refused(capsys, 3, "no controller answers", HEARTBEAT, *where)
    monkeypatch.setattr("controller.hints.client.ANSWER_S", 0.05)
    for name, words in (("site_ems", "does not fit the key"), ("nobody", "No answer came")):
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


def test_a_key_is_printed_once_and_works_at_once(site, ask):
    ask("key revoke site_ems")
    code, out, err = ask("key create site_ems")
    assert code == 0 and len(out) == 1 and re.fullmatch("[0-9a-f]{64}", out[0])
    assert "not shown again" in err[0] and err[1] == "firebreak: the running controller: accepted"
    assert ask(HEARTBEAT)[0] == 0
    code, listed, _ = ask("key list")
    assert code == 0 and len(listed) == 5 and out[0] not in "\n".join(listed)
    assert re.search(r"site_ems +[0-9a-f]{8} +\d+ s +-", listed[-1])


def test_list_and_sources_show_a_rotation(site, ask, capsys):
    def page():
        code, out, _ = run(capsys, "sources --run-dir", site.run_dir)
        assert code == 0
        return "\n".join(out)

    site.bench.tick()
    old = ask("key list")[1][-1].split()[1]
    assert ask("key rotate site_ems")[0] == 0
    assert re.search(f"{old}.* 2[34] h left", ask("key list")[1][-1])
    assert "the previous key is valid" in page()
    ask(HEARTBEAT)  # the first use of the new key ends the old key
    assert "the previous key" not in page()
    ended = r", ended: the new key is in use \(after a restart: 2[34] h left\)"
    assert re.search(old + ended, ask("key list")[1][-1])
    site.listener.close()  # without a controller the first use is unknown
    listed = run(capsys, "key list", *places(site))[1][-1]
    assert re.search(old + ", 2[34] h left$", listed)
    site.reopen({})


def test_refused_keys_and_a_key_for_an_unknown_source(site, capsys, ask):
    for argv, words in table("""
create cloud | key rotate cloud ; rotate nobody | key create nobody ; revoke nobody | has no key
create NO | not a name
"""):
        refused(capsys, 2, words, f"key {argv}", *places(site))
    code, out, err = ask("key create nobody")
    assert (code, len(out), len(err)) == (1, 1, 2)
    assert "its configuration has no such source (the key is stored; " in err[-1]
    assert err[-1].endswith("; otherwise: firebreak key revoke nobody)")
    code, out, err = ask("key revoke nobody")
    assert (code, out, len(err)) == (0, [], 1)
    assert err[0].endswith("no such source; the key is removed")
    assert not (site.state_dir / "keys" / "nobody.key").exists()


def test_keys_without_a_controller(capsys, tmp_path):
    where = "--run-dir", tmp_path, "--state-dir"
    line = f"firebreak: no keys in {tmp_path}/keys; --state-dir DIR reads another folder"
    code, out, err = run(capsys, "key list", *where, tmp_path)
    assert (code, len(out), err) == (0, 1, [line])
    code, out, err = run(capsys, "key create site_ems", *where, tmp_path)
    assert code == 0 and len(out) == 1 and "its next start reads the keys" in err[-1]
    (tmp_path / "keys" / "site_ems.key").chmod(0o644)
    code, out, err = run(capsys, "key list", *where, tmp_path)
    assert (code, len(out)) == (1, 1) and "other users may read it" in err[0]


def test_the_page_of_sources_of_a_live_and_a_dead_controller(site, ask, capsys, monkeypatch):
    """440 kW of a dead controller stayed in force on the page, with exit code 0."""
    site.run()
    for argv in (
        "scheduler --power=20kW --for 60s",
        "site_ems --import-max 400kW --for 41s",
        "site_ems --import-max 400kW --for 15min",
    ):
        ask(f"hint --source {argv}")
    code, out, err = run(capsys, "sources --run-dir", site.run_dir)
    assert (code, err) == (0, []) and all(len(line) < 90 for line in out)
    counts = r"site_ems +grid_cap +[0-9a-f]{8} .* 1 +0 +1 +0\n  last: H31 valid for too long"
    assert re.search(f"{counts}, sequence 2", "\n".join(out))
    assert "  import <= 400 kW, 41 s left, then fallback 350 kW" in out
    assert "  charge <= 50 kW: fallback, no fresh hint" in out
    assert "Requests come from scheduler." in out
    code, out, _ = run(capsys, "sources --json --run-dir", site.run_dir)
    facts = json.loads(out[0])
    assert (code, facts["in_control"], facts["is_live"]) == (0, "scheduler", True)
    monkeypatch.setattr(watch, "wait", lambda: None)
    code, out, err = run(capsys, "sources --run-dir", site.run_dir)
    assert (code, err) == (1, [])
    assert out[0].startswith("NOT TICKING: no hint is in force")
    code, out, _ = run(capsys, "sources --json --run-dir", site.run_dir)
    assert code == 1 and json.loads(out[0])["is_live"] is False


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


PLAN = """start = 2026-04-12T12:00:00Z
slot_min = 15
[[slot]]
grid_cap_W = 400_000
battery_high_W = -100_000
reserve_permille = 305
[[slot]]
"""


def test_a_schedule_of_a_file_is_sent_and_shown(ask, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    assert ask("hint schedule --source site_ems")[:2] == (0, ["no schedule is in force"])
    code, out, err = ask("hint schedule", path, "--source", "site_ems")
    assert (code, err, out[:2]) == (
        0,
        [],
        ["GRANTED H1 schedule of 2 slots.", "  state      waits for a heartbeat"],
    )
    code, out, _ = ask("hint schedule --source cloud")
    assert code == 0 and out[0] == "schedule of site_ems: waits for a heartbeat"
    assert [line.split() for line in out[2:]] == [
        "1 2026-04-12 12:00 400 kW - -100 kW 30.5 %".split(),
        "2 2026-04-12 12:15 - - - 0 %".split(),
    ]
    assert all(len(line) < 80 for line in out)
    code, out, _ = ask("hint schedule", path, "--source", "scheduler", "--json")
    found = json.loads(out[0])
    assert (code, found["code"], found["refused_slot"]) == (1, h.ROLE, 1)
    assert found["allowed"] == "0 .. 10^9 W, and only of a source of role grid_cap"
    path.write_text(PLAN.split("[[")[0])
    out = ask("hint schedule", path, "--source", "site_ems")[1]
    assert out == ["GRANTED H1 no schedule is in force."]


def test_a_schedule_of_a_wrong_file_or_role_is_refused(ask, capsys, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN + "grid_cap_W = -1\n")
    words = "plan.toml: slot 2: grid_cap_W -1; allowed 0 .. 10"
    refused(capsys, 2, words, "hint schedule", path, "--source", "cloud")
    refused(capsys, 2, "No such file", "hint schedule", tmp_path / "none", "--source", "cloud")
    path.write_text(PLAN)
    code, out, _ = ask("hint schedule", path, "--source", "cloud")
    assert code == 1 and out[0] == "REFUSED H32 role not allowed. Nothing changed."
    code, out, _ = ask("hint schedule", path, "--source", "scheduler")
    assert out[0] == "REFUSED H32 role not allowed: slot 1, grid_cap_W. Nothing changed."
    assert out[1] == "  allowed    0 .. 10^9 W, and only of a source of role grid_cap"


SENT = """
--price-negative | GRANTED H1 price is negative.
--power 4kW --exact | GRANTED H2 exact power 4 kW.
--import-max 4kW --in 10min | GRANTED H8 import <= 4 kW in 600 s.
--step=-4kW --in 10min | GRANTED H1 step of the load -4 kW in 600 s.
"""


@pytest.mark.parametrize("options, sent", table(SENT))
def test_notices_exact_power_and_a_later_start(site, ask, options, sent):
    site.run()
    _, out, err = ask(f"hint --source desk {options} --for 9s")
    assert err == [] and out[0].startswith(sent), out
