"""The report for a dispatcher: its fields, its size, and when it is sent."""

import json
import random
import re
import sys

import pytest

from controller.core.base import hint_codes as h
from controller.core.policies.meter_sign import METER_SIGN
from controller.dispatch import report as messages
from controller.doors.mqtt import report as of
from controller.doors.mqtt.payload import text
from controller.mqtt import link
from controller.state import rows
from controller.state.watch import Watch
from controller.system import release
from safety import matrix
from tests.controller.doors.mqtt_site import BASE, FACTS, GUARD_S, Peer, hurry, served
from tests.controller.hinted_site import DAY_MIN, KEYS, HintedSite

SECOND_US = 1_000_000
RATED_W = 250_000
NAMES = """uptime_ms state battery_W grid_W load_W available_low_W available_high_W
held_15min_high_W remaining_Wh full_Wh discharge_W_max pv_W soc_permille soh_permille
temperature_ddegC binding alarms alarm share limits_crc release clock on_trial""".split()
REASONS = [rows.reason_of(stage) for stage in matrix.STAGES]


def made(**facts):
    return of.report({**FACTS, **facts}, "0.4.0", "")


def test_the_form_of_the_dispatcher_declares_each_field_of_a_report():
    for_programs = {"uptime_ms"}
    assert {*NAMES, "trouble", "ready_permille"} ^ {*messages.FORM} == for_programs


def share_of(source, value_W=300_000, valid_s=60):
    own = {"source": source, "value_W": value_W, "valid_s": valid_s, "state": "valid"}
    return {**own, "quantity": "import_W_max", "fallback_W": None}


def alarm_of(reason):
    return {"stage": "1", "reason": reason}


@pytest.mark.wire
def test_the_report_has_the_facts_of_a_running_cabinet(tmp_path):
    site = HintedSite(tmp_path)
    site.run()
    with site.pumped(), site.client() as client:
        cap = h.KIND_OF[h.IMPORT_W_MAX], h.IMPORT_W_MAX, 300_000, 60_000
        assert client.say("site_ems", KEYS["site_ems"], *cap)
    watched = Watch(str(site.run_dir), str(site.state_dir))
    watched.update(lambda: site.bench.tick())
    facts = watched.facts("status")
    site.close()
    found = of.report(facts, "0.4.0", "")
    assert list(found) == NAMES
    for name in ("state", "battery_W", "grid_W", "load_W", "remaining_Wh", "full_Wh"):
        assert found[name] == facts[name] is not None, name
    assert found["state"] == "running"
    assert found["soc_permille"] == facts["soc_permille_min"] is not None
    assert found["soh_permille"] == facts["soh_permille_min"] is not None
    assert found["temperature_ddegC"] == facts["temperature_ddegC_max"] is not None
    assert found["share"]["site_ems"]["value_W"] == 300_000
    assert found["share"]["site_ems"]["state"] == "valid"
    assert 50 <= found["share"]["site_ems"]["valid_s"] <= 60
    assert re.fullmatch("[0-9A-F]{8}", found["limits_crc"])
    assert (found["release"], found["clock"]) == ("0.4.0", True)
    assert json.loads(of.fitted(found)) == found
    assert len(of.fitted(found)) <= 600


@pytest.mark.wire
@pytest.mark.parametrize(("error_ms", "is_trusted"), [(10_000, True), (10_001, False)])
def test_the_clock_is_trusted_as_the_schedule_trusts_it(error_ms, is_trusted, tmp_path):
    site = HintedSite(tmp_path)
    site.set_clock(DAY_MIN, error_ms)
    site.run()
    watched = Watch(str(site.run_dir), str(site.state_dir))
    watched.update(lambda: site.bench.tick())
    assert watched.facts("status")["is_clock_trusted"] == is_trusted
    site.close()


def test_what_is_unknown_is_null_and_without_a_controller_so_is_the_state():
    assert made() == {
        **dict.fromkeys(NAMES),
        **{"uptime_ms": 1, "state": "running", "battery_W": 5000, "alarms": 0, "release": "0.4.0"},
        "on_trial": False,
    }
    assert json.loads(of.fitted(of.report(None, "0.4.0", "no tick"))) == {
        "state": None,
        "trouble": "no tick",
    }
    assert len(of.fitted(of.report(None, "0.4.0", "\u00e4" * 5000))) <= 800


@pytest.mark.parametrize(("code", "W"), [(METER_SIGN, 0), (METER_SIGN + 1, 9000), (None, 9000)])
def test_nobody_counts_on_a_battery_that_tests_its_meter(code, W):
    binding = None if code is None else {"code": code, "label": "R307", "name": "grid meter test"}
    assert made(limits={"high_W": 9000}, binding=binding)["discharge_W_max"] == W


@pytest.mark.parametrize(
    ("ready_permille", "W"), [("no", 9000), (None, 0), (1000, 9000), (999, 8991), (1, 9), (0, 0)]
)
def test_while_it_joins_others_count_on_a_part_of_its_discharge(ready_permille, W):
    """Nobody joins without proof tests; an unreadable ledger counts as nothing."""
    join = None if ready_permille is None else {"ready_permille": ready_permille}
    tests = None if ready_permille == "no" else {"join": join}
    found = made(limits={"high_W": 9000}, proof_tests=tests)
    shown = None if W == 9000 else ready_permille or 0
    assert (found["discharge_W_max"], found.get("ready_permille")) == (W, shown)


def test_a_release_that_another_one_replaces_may_change(tmp_path, monkeypatch):
    current = tmp_path / "current"
    monkeypatch.setattr(release, "CURRENT", str(current))
    monkeypatch.setattr(release, "TRIAL", str(tmp_path / "trial.json"))
    assert not release.may_change(), "not installed"
    current.symlink_to(sys.prefix)
    assert not release.may_change()
    (tmp_path / "trial.json").write_text("{}")
    assert release.may_change()
    (tmp_path / "trial.json").unlink()
    (tmp_path / "other").mkdir()
    current.unlink()
    current.symlink_to(tmp_path / "other")
    assert release.may_change(), "it went back, and this process has the release that failed"


def test_a_release_on_trial_is_named():
    assert made()["on_trial"] is False, "a reader takes a missing one for yes"
    assert of.report(FACTS, "0.4.0", "", True)["on_trial"] is True


def test_of_each_rack_the_end_that_limits_is_reported():
    ends = dict(zip(("soc_permille_min", "soc_permille_max"), (1, 2)))
    ends |= dict(zip(("temperature_ddegC_min", "temperature_ddegC_max"), (3, 4)))
    found = made(**ends, soh_permille_min=5)
    assert (found["soc_permille"], found["temperature_ddegC"], found["soh_permille"]) == (1, 4, 5)


def test_the_most_dangerous_alarm_and_the_shares_are_in_it():
    first, second = REASONS[0], REASONS[1]
    other = {**share_of("site_ems"), "quantity": "export_W_max"}
    found = made(
        standing=[alarm_of(first), alarm_of(second)],
        hints=[share_of("site_ems", 7), other, share_of("planner", 8)],
        binding={"code": 303, "label": "R303", "name": "grid operator", "sentence": "a"},
    )
    words = {"label": first["label"], "words": first["sentence"], "remedy": first["remedy"]}
    assert (found["alarms"], found["alarm"]) == (2, words)
    assert found["share"] == {
        "site_ems": {"value_W": 7, "valid_s": 60, "state": "valid"},
        "planner": {"value_W": 8, "valid_s": 60, "state": "valid"},
    }
    assert found["binding"] == {"label": "R303", "name": "grid operator"}


def longest(shares):
    """A report with the longest numbers and this many sources. Each name has 16 letters."""
    numbers = dict.fromkeys((*of.POWERS, *of.ENERGIES), -1_000_000_000)
    return made(
        **numbers,
        state="precharge_failed",
        uptime_ms=10**12,
        soc_permille_min=1000,
        soh_permille_min=1000,
        temperature_ddegC_max=-1000,
        binding={"label": "R303", "name": 'the "grid" operator, long words'},
        standing=[alarm_of({"label": "R859", "sentence": '"a' * 80, "remedy": "b" * 105})] * 999,
        hints=[share_of("abcdefghijklmno" + each, 10**9 - int(each), 300) for each in shares],
        version={"limits_crc": "FFFFFFFF"},
        is_clock_trusted=False,
    )


@pytest.mark.parametrize("shares", ["", "0", "012", "01234567"])
def test_it_never_has_more_than_800_bytes(shares):
    payload = of.fitted(longest(shares))
    assert 500 <= len(payload.encode()) <= 800
    found = json.loads(payload)
    assert list(found) == NAMES
    known = [name for name, share in found["share"].items() if share]
    assert len(found["share"]) == len(shares)
    assert len(known) == {"": 0, "0": 1, "012": 3, "01234567": 1}[shares]
    assert [name[-1] for name in known] == list(shares[len(shares) - len(known) :])
    for name in ("alarms", "limits_crc", "release", "battery_W"):
        assert found[name] == longest(shares)[name] is not None


def test_the_remedy_is_shortened_before_the_words_and_no_more_than_needed():
    """Every alarm of the matrix, with five sources."""
    surpluses = set()
    for reason in REASONS:
        whole = made(standing=[alarm_of(reason)], hints=[share_of(name) for name in "abcde"])
        payload = of.fitted(whole)
        found, surplus = json.loads(payload)["alarm"], len(text(whole)) - 800
        surpluses.add(surplus)
        assert (found["words"] == reason["sentence"]) == (surplus <= len(reason["remedy"]))
        if surplus <= 0:
            assert json.loads(payload) == whole
        else:
            assert 690 <= len(payload) <= 800, reason
            assert reason["remedy"].startswith(found["remedy"].removesuffix("..."))
    assert min(surpluses) < 0 and len(surpluses & set(range(1, 50))) > 5


STILL = made(battery_W=0, rated_W=RATED_W, full_Wh=600_000, temperature_ddegC_max=250)


@pytest.mark.parametrize(
    ("changed", "is_change"),
    [
        ({}, False),
        ({"uptime_ms": 9}, False),
        ({"battery_W": 2500}, False),
        ({"battery_W": -2501}, True),
        ({"battery_W": None}, True),
        ({"remaining_Wh": 1}, True),
        ({"full_Wh": 606_000}, False),
        ({"full_Wh": 593_900}, True),
        ({"temperature_ddegC": 260}, False),
        ({"temperature_ddegC": 261}, True),
        ({"state": "fault"}, True),
        ({"alarms": 1}, True),
        ({"clock": False}, True),
        ({"share": {"a": {"value_W": 1, "valid_s": 9, "state": "valid"}}}, True),
    ],
)
def test_a_change_is_more_than_a_hundredth(changed, is_change):
    assert of.differs(STILL, {**STILL, **changed}, RATED_W) == is_change


def test_the_time_left_of_a_share_is_no_change_and_its_value_is():
    first, later, other = [made(hints=[share_of("a", *each)]) for each in ((5, 9), (5, 8), (6, 8))]
    assert not of.differs(first, later, RATED_W)
    assert of.differs(first, other, RATED_W)


def sent_s(pace, reports, period_s=1):
    """Times (s) at which reports are sent, if the outlet looks each period_s. reports: by time."""
    found = []
    for second in range(0, 60, period_s):
        now_us = second * SECOND_US
        if pace.is_due(reports(second), RATED_W, now_us):
            pace.sent(reports(second), now_us)
            found.append(second)
    return found


def test_cabinets_that_connect_at_once_do_not_report_at_once():
    """A thousand of them: no second has more than 17 % of them."""
    random.seed(1)
    firsts = [sent_s(of.Pace(SECOND_US, 0), lambda second: STILL)[0] for _ in range(1000)]
    counts = [firsts.count(second) for second in range(10)]
    assert counts[0] == counts[9] == 0 and sum(counts[1:9]) == 1000
    assert all(100 < each < 170 for each in counts[1:8]) and 40 < counts[8] < 100


def test_without_a_change_reports_are_eight_seconds_apart():
    found = sent_s(of.Pace(SECOND_US, 0), lambda second: STILL)
    assert {after - before for before, after in zip(found, found[1:])} == {8}


@pytest.mark.parametrize("period_s", [1, 3, 20])
def test_changes_are_reported_no_faster_than_the_period(period_s):
    def moving(second):
        return {**STILL, "battery_W": 10_000 * second}

    found = sent_s(of.Pace(period_s * SECOND_US, 0), moving)
    assert {after - before for before, after in zip(found, found[1:])} == {period_s}


def test_many_small_changes_count_from_the_last_report():
    found = sent_s(of.Pace(SECOND_US, 0), lambda second: {**STILL, "battery_W": 1000 * second})
    assert {after - before for before, after in zip(found, found[1:])} == {3}


@pytest.mark.wire
@pytest.mark.parametrize("kind", ["mosquitto", "nats"])
def test_the_broker_keeps_the_report(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(of, "RENEWED_US", 100_000)
    monkeypatch.setattr(link, "PAUSE_S", 0.02)
    hurry(monkeypatch)
    with served(tmp_path, kind, "3.1.1", heard="report door") as (_, broker, peer, _, feed):
        feed.pages["status"] = {**FACTS, "battery_W": -7, "rated_W": RATED_W}
        peer.until("report", lambda text: json.loads(text)["battery_W"] == -7)
        feed.pages["status"] = None
        found = json.loads(peer.until("report", lambda text: not json.loads(text)["state"]))
        assert list(found) == ["state", "trouble"]
        with Peer(broker, [f"{BASE}/report"], "3.1.1") as late:
            late.until("report")
            assert late.message.retain


@pytest.mark.wire
def test_small_changes_send_no_report(tmp_path, monkeypatch):
    monkeypatch.setattr(of, "RENEWED_US", 600_000_000)
    monkeypatch.setattr(of.random, "uniform", lambda low, high: low)
    hurry(monkeypatch)
    with served(tmp_path, heard="report value/battery_W door") as (_, _, peer, _, feed):
        reported_W = [0]
        for battery_W, awaited in (
            (0, "report"),
            (2500, "value/battery_W"),
            (-2500, "value/battery_W"),
            (100_000, "report"),
            (102_500, "value/battery_W"),
            (102_501, "report"),
        ):
            feed.pages["status"] = {**FACTS, "battery_W": battery_W, "rated_W": RATED_W}
            is_seen = False
            while not is_seen:
                topic, payload, _ = peer.got.get(timeout=GUARD_S)
                found = json.loads(payload)
                if topic == f"{BASE}/report":
                    reported_W.append(found := found["battery_W"])
                is_seen = (topic, found) == (f"{BASE}/{awaited}", battery_W)
    assert reported_W[-3:] == [0, 100_000, 102_501]
