"""`firebreak hint`, `key` and `sources` as an integrator uses them, against a cabinet that
ticks.
"""

import json
import os
import re
import socket
import struct

import pytest
from hinted_site import KEYS, HintedSite, fill
from test_cli import refused, run

from controller.console import sources, watch
from controller.console.key import span
from controller.core import hint_codes as h
from controller.hints import client as hint_client
from controller.hints import hint_statistics
from controller.hints import wire as w
from controller.hints import words as hint_words
from controller.record import snapshot

pytestmark = pytest.mark.wire


@pytest.fixture
def site(tmp_path, monkeypatch):
    """It ticks whenever a page waits for it."""
    place = HintedSite(tmp_path)
    monkeypatch.setattr(watch, "wait", place.step)
    yield place
    place.close()


@pytest.fixture
def ask(site, capsys):
    """Runs a command with the site's directories while the site ticks; (exit code, lines out, lines
    err).
    """

    def asked(*argv):
        with site.pumped():
            return run(capsys, *argv, "--run-dir", site.run_dir, "--state-dir", site.state_dir)

    return asked


def test_a_granted_hint(ask):
    code, out, err = ask("hint", "--source", "site_ems", "--import-max", "400kW", "--for", "5min")
    assert (code, err) == (0, [])
    assert out[0] == "GRANTED H1 import <= 400 kW."
    assert out[1].startswith("  you sent   import <= 400 kW, valid for 300 s") and out[1].endswith(
        "(sequence 1)"
    )
    assert "  do         renew every 100 s" in out
    assert "  in force   import <= 400 kW, 300 s left, then fallback 350 kW" in out
    assert re.fullmatch(
        r"  counted    1 taken, 0 refused since the controller's start +exit code "
        r"0",
        out[-1],
    )
    assert all(len(line) < 80 for line in out)


def test_a_refused_hint_reads_as_in_the_console_page(ask):
    ask("hint", "--source", "site_ems", "--import-max", "400kW", "--for", "41s")
    code, out, err = ask("hint", "--source", "site_ems", "--import-max", "450kW", "--for", "15min")
    assert (code, err) == (1, [])
    assert [re.sub(" +", " ", line) for line in out[:5]] == [
        "REFUSED H31 valid for too long. Nothing changed.",
        " you sent valid for 900 s (sequence 2)",
        " allowed 1 .. 300 s ([source.site_ems] valid_s_max)",
        " do send valid for <= 300 s, renew every 100 s",
        " in force import <= 400 kW, 41 s left, then fallback 350 kW",
    ]
    assert out[5].startswith("  can do     now ") and "exit code 1" in out[-1]


def test_a_heartbeat_says_how_long_it_counts(site, ask):
    site.bench.tick()
    code, out, err = ask(
        "hint", "--source", "cloud", "--heartbeat", "--for", "1min", "--purpose", "7"
    )
    assert (code, err) == (0, []) and out[0] == "GRANTED H1 heartbeat."
    assert (
        out[1].startswith("  you sent   heartbeat, valid for 60 s")
        and "  do         renew every 20 s" in out
    )
    code, out, _ = ask("hint", "--source", "cloud", "--heartbeat", "--for", "61s")
    assert (
        code == 1
        and out[0].startswith("REFUSED H31")
        and out[1].startswith("  you sent   valid for 61 s")
    )


def test_a_reply_as_json_has_the_same_fields(ask):
    code, out, _ = ask(
        "hint", "--source", "cloud", "--charge-max", "0.05MW", "--for", "61s", "--json"
    )
    found = json.loads(out[0])
    assert (code, found["code"], found["label"], found["granted"]) == (1, 31, "H31", False)
    assert (found["asked_W"], found["granted_W"], found["fallback_W"], found["quantity"]) == (
        50_000,
        50_000,
        50_000,
        "charge_W_max",
    )


@pytest.mark.parametrize(
    "argv, code",
    [
        (("--source", "scheduler", "--power=-20 kW", "--for", "30s"), 0),
        (("--source", "scheduler", "--power", "-20kW", "--for", "30s"), 0),
        (("--source", "desk", "--export-max", "0W", "--for", "1000ms"), 0),
        (("--source", "desk", "--discharge-max", "1.5kW", "--for", "0.05h"), 0),
        (("--source", "cloud", "--heartbeat", "--for", "60s"), 0),
        (("--source", "cloud", "--power", "1kW", "--for", "30s"), 1),
    ],
)
def test_every_quantity(ask, argv, code):
    found, out, err = ask("hint", *argv)
    assert (found, err) == (code, []), out


@pytest.mark.parametrize(
    "argv, words",
    [
        ((), "exactly one thing: --charge-max, .* or --heartbeat"),
        (("--charge-max", "1kW", "--import-max", "1kW", "--for", "9s"), "exactly one thing"),
        (("--charge-max", "1kW", "--heartbeat"), "exactly one thing"),
        (("--power", "-9999MW", "--for", "9s"), r"--power '-9999MW' .* -1000000000 \.\. "),
        (("--power", "-.5kW", "--for", "9s"), r"--power '-\.5kW' .* a number with W, kW, MW"),
        (("--charge-max", "1kW"), "--for TIME is missing"),
        (("--heartbeat",), "--for TIME is missing"),
        (("--heartbeat", "--for", "9"), "--for '9' .* ms, s, min, h"),
        (("--heartbeat", "-1kW"), "ignored explicit"),
        (("--charge-max", "450", "--for", "9s"), "--charge-max '450' .* W, kW, MW, as in 450kW"),
        (("--charge-max", "450kwh", "--for", "9s"), "450kwh"),
        (("--charge-max", "nankW", "--for", "9s"), "nankW"),
        (("--charge-max", "9999999MW", "--for", "9s"), r"-1000000000 \.\. 1000000000 W"),
        (("--charge-max", "1kW", "--for", "9"), "--for '9' .* ms, s, min, h"),
        (("--charge-max", "1kW", "--for=-9s"), r"0 \.\. 4294967295 ms"),
        (("--charge-max", "1kW", "--for", "-9s"), r"0 \.\. 4294967295 ms"),
        (
            ("--charge-max", "1kW", "--for", "9s", "--purpose", "65536"),
            r"--purpose 65536 .* 0 \.\. "
            r"65535",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line(capsys, tmp_path, argv, words):
    refused(
        capsys,
        2,
        words,
        "hint",
        "--source",
        "site_ems",
        *argv,
        "--state-dir",
        tmp_path,
        "--run-dir",
        tmp_path,
    )


def test_no_key_no_controller_no_answer(site, ask, capsys, monkeypatch, tmp_path):
    order = (
        "hint",
        "--source",
        "site_ems",
        "--heartbeat",
        "--for",
        "9s",
        "--run-dir",
        site.run_dir,
        "--state-dir",
        site.state_dir,
    )
    refused(capsys, 2, "key create site_ems, or name another --state-dir", *order[:-1], tmp_path)
    refused(
        capsys,
        2,
        "not a name of a source",
        "hint",
        "--source",
        "../x",
        "--heartbeat",
        "--for",
        "9s",
    )
    refused(capsys, 3, "no controller answers", *order[:7], tmp_path, *order[8:])
    monkeypatch.setattr("controller.hints.client.ANSWER_S", 0.05)
    site.write_key("site_ems", bytes(32))
    code, out, err = ask(*order)
    assert (code, out) == (3, []) and "does not fit the key" in err[0] and len(err) == 1
    site.write_key("nobody", bytes(32))
    code, out, err = ask("hint", "--source", "nobody", "--heartbeat", "--for", "9s")
    assert (code, out) == (3, []) and "no [source.nobody]" in err[0]


def test_a_queue_that_somebody_floods_is_said_to_be_full(site, ask, capsys, monkeypatch):
    monkeypatch.setattr("controller.hints.client.ANSWER_S", 0.05)
    order = (
        "hint",
        "--source",
        "site_ems",
        "--heartbeat",
        "--for",
        "9s",
        "--run-dir",
        site.run_dir,
        "--state-dir",
        site.state_dir,
    )
    flood = fill(str(site.run_dir / "hints.sock"))
    refused(capsys, 1, "queue of hints is full: somebody floods it; firebreak sources", *order)
    for each in flood:
        each.close()
    monkeypatch.undo()
    assert ask(*order[:6])[0] == 0


def test_a_sender_waits_in_the_kernels_queue():
    """Without blocking it would spin, and stand behind whoever blocks."""
    with hint_client.sender(1.5) as one:
        assert (
            one.gettimeout() is None
            and os.get_blocking(one.fileno())
            and one.getsockname().startswith(b"\0")
        )
        assert struct.unpack("@ll", one.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)) == (
            1,
            500_000,
        )


def test_sequences_that_are_used_up_are_said_in_one_line_and_a_rotation_helps(site, ask):
    site.bench.tick()
    with site.client() as client:
        nonce, now_ms = site.listener.desk.nonce, site.bench.now_us // 1000
        client.send(
            w.signed(
                w.Hint("site_ems", nonce, 2**64 - 1, now_ms, 4, 0, 0, 0, 1000), KEYS["site_ems"]
            )
        )
        site.step()
    order = ("hint", "--source", "site_ems", "--heartbeat", "--for", "9s")
    code, out, err = ask(*order)
    assert (
        (code, out, len(err)) == (1, [], 1)
        and "used up" in err[0]
        and ("firebreak key rotate site_ems") in err[0]
    )
    ask("key", "rotate", "site_ems")
    assert ask(*order)[0] == 0


# -- key


def test_a_key_is_printed_once_and_works_at_once(site, ask):
    ask("key", "revoke", "site_ems")
    code, out, err = ask("key", "create", "site_ems")
    assert code == 0 and len(out) == 1 and re.fullmatch("[0-9a-f]{64}", out[0])
    assert "not shown again" in err[0] and err[1] == "firebreak: the running controller: accepted"
    assert ask("hint", "--source", "site_ems", "--heartbeat", "--for", "9s")[0] == 0
    code, listed, _ = ask("key", "list")
    assert code == 0 and len(listed) == 5 and out[0] not in "\n".join(listed)
    assert re.search(r"site_ems +[0-9a-f]{8} +\d+ s +-", listed[-1])


def test_a_rotation_is_seen_in_list_and_sources(site, ask, capsys):
    site.bench.tick()
    _, first, _ = ask("key", "list")
    code, out, _ = ask("key", "rotate", "site_ems")
    assert code == 0
    listed = ask("key", "list")[1][-1]
    old = first[-1].split()[1]
    assert old in listed and "24 h left" in listed or "23 h left" in listed
    assert any("the key before this one is valid" in line for line in sources_page(site, capsys))
    # with the new key: the end of the old one
    ask("hint", "--source", "site_ems", "--heartbeat", "--for", "9s")
    assert not any("the key before this one" in line for line in sources_page(site, capsys))
    listed = ask("key", "list")[1][-1]
    assert re.search(
        old + r", ended: the new one is in use \(a restart takes it for 2[34] h "
        r"more\)",
        listed,
    )
    site.listener.close()  # the store alone does not know of it
    listed = run(capsys, "key", "list", "--run-dir", site.run_dir, "--state-dir", site.state_dir)[
        1
    ][-1]
    assert re.search(old + ", 2[34] h left$", listed)
    site.reopen({})


def sources_page(site, capsys):
    code, out, _ = run(capsys, "sources", "--run-dir", site.run_dir)
    assert code == 0
    return out


@pytest.mark.parametrize(
    "argv, words",
    [
        (("create", "cloud"), "key rotate cloud"),
        (("rotate", "nobody"), "key create nobody"),
        (("revoke", "nobody"), "has no key"),
        (("create", "NO"), "not a name"),
    ],
)
def test_key_refusals(site, capsys, argv, words):
    refused(
        capsys, 2, words, "key", *argv, "--run-dir", site.run_dir, "--state-dir", site.state_dir
    )


def test_a_key_for_a_source_the_configuration_lacks(site, ask):
    code, out, err = ask("key", "create", "nobody")
    assert (
        code == 1
        and "its configuration has no such source (key kept, " in err[-1]
        and len(err) == 2
    )
    assert err[-1].endswith("; else: firebreak key revoke nobody)") and len(out) == 1
    code, out, err = ask("key", "revoke", "nobody")
    assert (code, out, len(err)) == (0, [], 1) and err[0].endswith(
        "no such source; the key is removed"
    )
    assert not (site.state_dir / "keys" / "nobody.key").exists()


def test_which_state_directory_was_meant(site, capsys, tmp_path):
    """A cabinet's is the default; who means another one is told how to name it."""
    empty = tmp_path / "empty"
    empty.mkdir()
    code, out, err = run(capsys, "key", "list", "--run-dir", site.run_dir, "--state-dir", empty)
    assert (code, len(out), err) == (
        0,
        1,
        [f"firebreak: no keys in {empty}/keys; --state-dir DIR reads others"],
    )
    for action in (
        ("list",),
        ("create", "site_ems"),
        ("rotate", "site_ems"),
        ("revoke", "site_ems"),
    ):
        refused(
            capsys,
            2,
            f"{tmp_path}/nowhere: no such state directory; --state-dir DIR names another",
            "key",
            *action,
            "--run-dir",
            site.run_dir,
            "--state-dir",
            tmp_path / "nowhere",
        )


def test_keys_without_a_controller(capsys, tmp_path):
    code, out, err = run(
        capsys, "key", "create", "site_ems", "--run-dir", tmp_path, "--state-dir", tmp_path
    )
    assert code == 0 and len(out) == 1 and "its next start reads the keys" in err[-1]
    (tmp_path / "keys" / "site_ems.key").chmod(0o644)
    code, out, err = run(capsys, "key", "list", "--run-dir", tmp_path, "--state-dir", tmp_path)
    assert (code, len(out)) == (1, 1) and "others may read it" in err[0]


# -- sources


def test_the_page_of_sources(site, capsys):
    site.run()
    with site.pumped():
        for argv in (
            ("scheduler", "--power=20kW", "--for", "60s"),
            ("site_ems", "--import-max", "400kW", "--for", "41s"),
            ("site_ems", "--import-max", "400kW", "--for", "15min"),
        ):
            run(
                capsys,
                "hint",
                "--source",
                *argv,
                "--run-dir",
                site.run_dir,
                "--state-dir",
                site.state_dir,
            )
    code, out, err = run(capsys, "sources", "--run-dir", site.run_dir)
    assert (code, err) == (0, []) and all(len(line) < 90 for line in out)
    text = "\n".join(out)
    assert re.search(
        r"site_ems +grid_cap +[0-9a-f]{8} .* 1 +0 +1 +0\n  last: H31 valid for too "
        r"long, sequence 2",
        text,
    )
    assert "  import <= 400 kW, 41 s left, then fallback 350 kW" in out
    assert "  charge <= 50 kW: fallback, nothing fresh" in out
    assert "Requests come from scheduler." in out
    code, out, _ = run(capsys, "sources", "--run-dir", site.run_dir, "--json")
    assert (
        json.loads(out[0])["in_control"] == "scheduler"
        and json.loads(out[0])["is_live"]
        and code == 0
    )


def test_sources_of_a_controller_that_has_died(site, capsys, monkeypatch):
    """440 kW stayed in force for ever, exit code 0."""
    monkeypatch.setattr(watch, "wait", lambda: None)
    site.run()
    code, out, err = run(capsys, "sources", "--run-dir", site.run_dir)
    assert (code, err) == (1, []) and out[0].startswith(
        "NOT TICKING: nothing of this is in force any more"
    )
    code, out, _ = run(capsys, "sources", "--run-dir", site.run_dir, "--json")
    assert code == 1 and json.loads(out[0])["is_live"] is False


def test_sources_without_a_controller(capsys, tmp_path):
    refused(capsys, 3, "no controller has run", "sources", "--run-dir", tmp_path)


def test_statistics_that_are_none(tmp_path):
    path = tmp_path / "hints.stats"
    assert hint_statistics.read(str(path)) is None
    path.write_bytes(bytes(100))
    assert hint_statistics.read(str(path)) is None


NUMBERS = "priority", "valid_s_max", "hints_per_s_max", *hint_statistics.OWN


def spoilt(content):
    """A file of counters, damaged in every way that one byte or a cut makes."""
    _, text_bytes, words_at = hint_statistics.HEAD.unpack_from(content)
    text_at = hint_statistics.HEAD.size
    for size in (
        hint_statistics.HEAD.size,
        text_at + 20,
        words_at - 1,
        words_at,
        words_at + 8,
        words_at + 47,
        len(content) - 8,
        len(content) - 1,
    ):
        yield content[:size]
    for at in range(text_at + text_bytes):
        for byte in (0, 0xFF, ord("7"), content[at] ^ 1):
            yield content[:at] + bytes([byte]) + content[at + 1 :]
    for text in (b"[]", b"{}", b"7", b"[7]", b'[{"name": 7}]', b"[" * text_bytes):
        yield content[:text_at] + text.ljust(text_bytes) + content[text_at + text_bytes :]
    last_code_at = words_at + 8 * (len(hint_statistics.COMMON) + hint_statistics.LAST_CODE)
    yield content[:last_code_at] + b"\xff" + content[last_code_at + 1 :]


def test_damaged_statistics_are_none_or_a_page(site, capsys):
    """Seen as JSONDecodeError, KeyError, TypeError and UnicodeDecodeError; the console died of
    them.
    """
    site.run()
    path = site.run_dir / "hints.stats"
    frame, whole = snapshot.read(str(site.run_dir / "journal")), path.read_bytes()
    assert hint_statistics.read(str(path)) is not None
    damaged = path.with_name("damaged")  # the listener has the first one mapped
    for content in spoilt(whole):
        damaged.write_bytes(content)
        found = hint_statistics.read(str(damaged))
        if found is not None:
            assert all(
                isinstance(source[name], int) for source in found["sources"] for name in NUMBERS
            )
            assert all(line.isascii() for line in sources.lines(sources.gather(found, frame, 0, 0)))
    os.replace(damaged, path)
    code, out, err = run(capsys, "sources", "--run-dir", site.run_dir)
    assert (code, out, len(err)) == (3, [], 1) and "holds no counters of hints" in err[0]
    frame.close()


def test_counters_of_other_sources_than_the_journal_are_one_line(site, capsys):
    site.run()
    path = site.run_dir / "hints.stats"
    path.unlink()
    hint_statistics.HintStatistics(str(path), site.bench.cabinet.config.sources * 2).close()
    code, out, err = run(capsys, "sources", "--run-dir", site.run_dir)
    assert (code, out, len(err)) == (3, [], 1) and "of other sources than the journal" in err[0]


# -- words


@pytest.mark.parametrize(
    "power_W, words",
    [
        (0, "0 kW"),
        (49, "0 kW"),
        (-49, "0 kW"),
        (50, "0.1 kW"),
        (-3600, "-3.6 kW"),
        (400_000, "400 kW"),
        (999_950, "1000 kW"),
    ],
)
def test_powers(power_W, words):
    assert hint_words.kW(power_W) == words


@pytest.mark.parametrize(
    "seconds, words",
    [
        (-5, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (172_799, "47 h"),
        (172_800, "2 d"),
    ],
)
def test_spans(seconds, words):
    assert span(seconds) == words


@pytest.mark.parametrize(
    "code, granted_W, words",
    [
        (h.LIMITED, 8000, "power 8 kW of 10 kW, 60 s left"),
        (h.MOVED, 250_000, "power 250 kW in place of 10 kW, 60 s left"),
    ],
)
def test_what_is_in_force_of_a_request(code, granted_W, words):
    reply = w.Reply(
        "desk", bytes(8), 1, 0, code, 2, 3, 10_000, granted_W, 60_000, w.NOTHING_W, 0, 0, 0, 0, 0, 0
    )
    assert hint_words.in_force(reply) == words
    hint = w.Hint("desk", bytes(8), 1, 0, 2, 3, 0, 10_000, 60_000)
    assert (
        "an obligation at the grid" in " ".join(hint_words.lines(hint, reply, None, 0)[:2])
    ) == (code == h.MOVED)


@pytest.mark.parametrize("code", [code for code in h.TEXTS if code < 11 or 20 < code < 40])
def test_every_reply_fits_the_screen(code):
    own = {
        "valid_s_max": 300,
        "hints_per_s_max": 10,
        "role": "grid_cap",
        "accepted": 10**8,
        "refused": 10**8,
    }
    hint = w.Hint("a_source_of_16_c", bytes(8), 2**63, 0, 3, 4, 0, 10**9, 2**32 - 1)
    reply = w.Reply(
        "a_source_of_16_c",
        bytes(8),
        2**63,
        0,
        code,
        3,
        4,
        10**9,
        -(10**9),
        2**32 - 1,
        10**9,
        -(10**9),
        10**9,
        245,
        244,
        -(10**9),
        305,
    )
    shown = hint_words.lines(hint, reply, own, 1)
    assert max(map(len, shown)) < 80, "\n".join(shown)
