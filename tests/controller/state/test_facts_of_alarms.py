"""The page `alarms`: first-out, order of the rows, resets as the kernel computes them."""

import json
from types import SimpleNamespace

import pytest
from command_line import flat
from watched import (
    EACH_20_MS,
    Watched,
    action,
    of_scenario,
    pressed,
    silent,
    stuck_at_b,
    two_channels,
)

from controller.core import image
from controller.run import operator_commands, peer_words, self_test
from controller.state import alarms, rows
from safety import latches, matrix, parameters as p, peer, second, signals as s
from tests.tables import table

CLOSED_OUT = "a" * 16  # the longest name


def key(watched, is_run, until_s):
    watched.rig.plant.key_run = is_run
    return watched.run(until_s)


@pytest.fixture(scope="module")
def peered(tmp_path_factory):
    return of_scenario("bms_silent", tmp_path_factory.mktemp("peered")).run(6).shadow


def test_each_scope_has_a_first_out_and_each_remedy_is_shown_once(tmp_path):
    watched = Watched(tmp_path, actions=[silent(10, "bms_2"), action(15, "estop_press")]).run(17)
    facts = watched.facts("alarms")
    found = facts["first_out_per_scope"]
    (bms, bms_ms), (stage, at_ms) = [(each["stage"], each["began_ms"]) for each in found]
    assert [each["scope"] for each in found] == ["rack 2", "cabinet"]
    assert (stage, bms) == ("1a", "40b") and bms_ms < at_ms and 15_000 <= at_ms <= 15_200
    firsts = "FIRST  rack 2: row 40b BMS silent, cabinet: row 1a emergency stop."
    assert firsts in watched.lines("alarms")
    remedies = {item["remedy"]: item["rows"] for item in facts["check"]}
    assert len(remedies) == len(facts["check"]) == 2
    (pressed,) = [words for words in remedies if words.startswith("Find out why it was pressed")]
    assert remedies[pressed] == ["1a", "1b"]


def test_a_reset_has_the_result_that_the_page_shows(tmp_path):
    """Refused while the cause is active, granted 5 s after it has gone."""
    watched = Watched(tmp_path, actions=[silent(10, "io_1"), silent(12, "io_1", value=False)])
    reset = watched.run(11.5).facts("alarms")["reset"]
    assert (reset["needs"], reset["result"], reset["left"]) == ("remote", "not clear yet", 3)
    assert [each["due_ms"] for each in reset["waits"] if each["stage"] == "49"] == [None]
    waits = watched.run(14).facts("alarms")["reset"]["waits"]
    assert [each for each in waits if each["stage"] == "49" and 2500 < each["due_ms"] < 5000]
    reset = watched.run(20).facts("alarms")["reset"]
    assert (reset["waits"], reset["result"]) == ([], "done")
    watched.rig.controller.reset("remote")
    facts = watched.run(21).facts("alarms")
    assert (facts["standing"], facts["reset"]["left"], facts["reset"]["needs"]) == ([], 2, None)
    assert 3_590_000 < facts["reset"]["next_token_ms"] <= 3_600_000
    assert "2 of 3 remote resets left this hour, the next in" in watched.text("alarms")


TOKENS = """
(60, 60, 60) | 3 | 3 | None ; (0, 60, 60) | 3 | 2 | 60 ; (10, 40, 60) | 3 | 1 | 20
(10, 40, 50) | 3 | 0 | 10 ; (10, 60, 60) | 1 | 0 | 50 ; (10, 40, 60) | 1 | 0 | 50
(10, 40, 50) | 2 | 0 | 20 ; (10, 60, 60) | 0 | 0 | None
"""


@pytest.mark.parametrize("ages_min, allowed, left, next_min", table(TOKENS))
def test_the_next_token(peered, monkeypatch, ages_min, allowed, left, next_min):
    """If more tokens are spent than allowed, several must come back."""
    rules = peered.core.kernel.latches
    monkeypatch.setattr(rules, "allowed", allowed)
    tick_ms = peered.core.kernel.image[p.H_TICK_MS]
    ages = type(rules.token_age)("i", [age_min * 60_000 // tick_ms for age_min in ages_min])
    monkeypatch.setattr(rules, "token_age", ages)
    found = alarms.next_token_ms(peered)
    assert rules.left() == left and found == (None if next_min is None else next_min * 60_000)
    if found:  # exactly so long
        for token in range(latches.TOKENS):
            ages[token] = min(ages[token] + found // tick_ms - 1, rules.hour_ticks)
        assert rules.left() == left
        ages[:] = type(ages)("i", [min(age + 1, rules.hour_ticks) for age in ages])
        assert rules.left() == left + 1


def test_a_key_reset_needs_the_key(tmp_path):
    watched = Watched(tmp_path, actions=pressed(8, 0.5)).run(14)
    reset = watched.facts("alarms")["reset"]
    assert (reset["needs"], reset["result"]) == ("key", "key needed")
    history = watched.watch().history()
    assert history.began_ms["1a"] is not None
    history.began_ms["1a"] = None  # from before the journal: without a date
    facts = alarms.facts(watched.shadow, history)
    assert [each["began_ms"] for each in facts["standing"] if each["stage"] == "1a"] == [None]
    assert "before the journal begins" in watched.text("alarms")
    assert key(watched, False, 15).facts("alarms")["reset"]["result"] == "done"


def test_a_start_shows_its_missing_condition_until_it_closes(tmp_path):
    watched = key(Watched(tmp_path), False, 5)
    facts = watched.facts("alarms")
    assert facts["start"]["waits_for"]["name"] == "interlock" and facts["state"] == "inhibited"
    assert [row["stage"] for row in facts["standing"]] == ["47a"]
    total = watched.core.out[s.EVIDENCE_TOTAL]
    start = f"START  checklist {total} of {total}: waits for R701 interlock: "
    assert start in watched.text("alarms")
    assert watched.rig.controller.cabinet.request_run(1) == operator_commands.RESET_FIRST
    key(watched, True, 6).rig.controller.cabinet.request_run(1)
    while watched.core.out[s.STATE] != s.CLOSING:
        watched.rig.step()
    facts = watched.facts("alarms")
    assert facts["state"] == "closing" and facts["start"]["checklist"] is None
    found = watched.run(12).facts("status")["start"]
    assert found["checklist"] is None and found["waits_for"] is None
    assert watched.core.out[s.STATE] == s.RUNNING and start_lines(watched)[1] == []


WAITS = "climate | climate monitor | R716 ; toxic | gas detectors | R705 ; ups | UPS monitor | R717"


@pytest.mark.parametrize("role, name, code", table(WAITS))
def test_the_start_shows_progress_and_missing_item_of_the_checklist(tmp_path, role, name, code):
    watched = Watched(tmp_path, actions=[silent(0, role)], settings=EACH_20_MS).run(8)
    total = watched.core.out[s.EVIDENCE_TOTAL]
    found = watched.facts("alarms")["start"]["checklist"]
    assert total > 30 and found == {"done": total - 1, "total": total}
    start = f"checklist {total - 1} of {total}: waits for"
    assert f"START  {start} {code} {name}: " in watched.text("alarms")
    (line,) = start_lines(watched)[1]
    assert line.startswith(f"START    {start} {name}  ") and line.endswith("(firebreak alarms)")
    assert len(line) == 79


def test_a_lock_out_shows_first_who_can_end_it(tmp_path):
    watched = Watched(tmp_path).run(8)
    lock_out = watched.rig.controller.cabinet.request_lock_out
    assert lock_out(CLOSED_OUT, True) == 0
    facts, total = watched.run(20).facts("alarms"), watched.core.out[s.EVIDENCE_TOTAL]
    assert facts["state"] == "inhibited"
    assert facts["start"]["checklist"] == {"done": total - 1, "total": total}
    start = f"START  locked out by {CLOSED_OUT}. The same person ends it, or any operator with"
    assert " ".join(start.split()) in flat(watched.lines("alarms"))
    for page in ("alarms", "status"):
        assert f"INHIBITED, LOCKED OUT BY {CLOSED_OUT}" in watched.lines(page)[0]
    (line,) = start_lines(watched)[1]
    assert line.startswith(f"START    checklist {total - 1} of {total}: waits for locked out")
    facts = key(watched, False, 22).facts("alarms")
    assert facts["start"]["waits_for"]["name"] == "interlock", "the head names the lock-out"
    assert f"LOCKED OUT BY {CLOSED_OUT}" in watched.lines("alarms")[0]
    assert "has ended" not in watched.text("alarms")
    watched.rig.plant.key_run = True
    lock_out(CLOSED_OUT, False)
    words = f"{CLOSED_OUT}'s lock-out has ended: start it (firebreak start)"
    assert starts_with(watched.run(24), words)
    assert "LOCKED OUT" not in watched.lines("alarms")[0]


def sentence(shadow, name, code=0):
    began = SimpleNamespace(began_ms={}, began_code={name: code}, began_behind={})
    return rows.row_of(shadow, name, began)["reason"]["sentence"]


def test_a_failed_relay_is_named_until_its_row_is_reset(tmp_path):
    """The relay agrees without permit again; the keyframe of the beginning has the cause."""
    failed = action(10, "contact", name="permit_1", closed=False)
    watched = Watched(tmp_path, actions=[failed]).run(14)
    row, shadow = watched.facts("alarms")["standing"][0], watched.shadow
    words = "the controller found a fault: the relay of the PCS enable does not follow"
    assert row["stage"] == "44e" and shadow.inp[s.SELF_TEST_BITS] == 0
    assert row["reason"]["sentence"] == f"At first: {words}"
    assert words in flat(watched.lines("alarms"))
    shadow.inp[s.SELF_TEST_BITS] = self_test.MEMORY
    now = "the controller found a fault: a bit of its memory is stuck"
    assert sentence(shadow, "44e", self_test.ENABLE) == now
    shadow.inp[s.SELF_TEST_BITS] = 0
    assert sentence(shadow, "44e") == rows.words_of("44e")[1]
    assert sentence(shadow, "44d", 8) == rows.words_of("44d")[1]


IN_B = "IN B   row 1a emergency stop, first out in channel B; key reset"


def test_an_alarm_of_channel_b_has_its_own_line(tmp_path):
    """Also without an alarm in A: row 51 needs an energised cabinet."""
    watched = Watched(tmp_path, settings=two_channels(tmp_path)).run(3)
    assert watched.facts("alarms")["channel_b"] is None
    facts = stuck_at_b(watched, 4).run(5).facts("alarms")
    assert [row["stage"] for row in facts["standing"]] == ["51"]
    assert facts["channel_b"] == {"stage": "1a", "name": "emergency stop", "reset": "key"}
    names = "first_out", "cause_mask", "peer_first_out", "peer_cause_mask"
    own, peers = watched.shadow, watched.rig.controller.cabinet.peer.causes()
    causes = tuple([facts["reset"][name] for name in names])
    assert causes == (own.first_out, own.cause_mask, *peers)
    assert json.loads(json.dumps(facts))["channel_b"] == facts["channel_b"]
    assert IN_B in watched.lines("alarms")


def test_an_alarm_of_channel_b_alone_names_its_channel(tmp_path):
    watched = Watched(tmp_path, settings=two_channels(tmp_path)).run(4)
    watched.rig.controller.run_request(False)
    facts = stuck_at_b(watched, 12).run(13).facts("alarms")
    assert facts["standing"] == [], "row 51 acts on an energised cabinet"
    nothing = "No alarm in A: no interlock row is active or latched."
    assert watched.lines("alarms")[2:4] == [nothing, IN_B]
    facts = key(watched, False, 14).facts("alarms")
    assert [row["stage"] for row in facts["standing"]] == ["47a"]
    words = "RESET  Nothing is latched in A: it resets by itself when its cause is gone."
    assert words in watched.lines("alarms")


def test_the_first_out_of_channel_b_in_words(peered):
    """It has the instances of the cabinet in this kernel's order, without units and racks."""
    at = image.places(peered.core.layout, ())["peer"].start
    names = [name for name in peered.stage_names if "." not in name]

    def found(first_out):
        peered.inp[at : at + 2] = type(peered.inp)("i", (first_out, 7))
        return rows.channel_b(peered)

    assert [found(first_out)["stage"] for first_out in range(len(names))] == names
    unknown = {"stage": "?", "name": "not of this version", "reset": "unknown"}
    for first_out in (len(names), 0xFFFE, 1 << 29, -1, -5):
        assert found(first_out) == unknown
    evaluator = second.Second(peered.core.safety_image, 0).kernel.evaluator
    assert [matrix.STAGES[stage][matrix.S_ID] for stage in evaluator.stage] == names
    for resets, in_b, needed in table(NEEDED):
        assert rows.needed(resets.split(), {"reset": in_b} if in_b else None) == needed
    # Once B permits again the row has its general words
    sentences = []
    for code in (peer_words.code(peer.DISAGREES, 1, 1), peer_words.code(peer.SILENT, 0, 0), 0):
        peered.inp[s.PEER_CODE] = code
        assert sentence(peered, "1a") == rows.words_of("1a")[1]
        sentences.append(sentence(peered, "51"))
    assert sentences == ["estop_1: A closed, B open", "channel B is silent", rows.words_of("51")[1]]


NEEDED = """
 | | None ; self | | None ; self remote | | remote ; remote key | | key ; self | self | remote
 | key | key
"""


def start_lines(watched):
    found, there = watched.lines("alarms"), watched.lines("status")
    at = next((place for place, line in enumerate(found) if line.startswith("START")), 0)
    return found[at : at + 3], [line for line in there if line.startswith("START")]


def starts_with(watched, words):
    found, there = start_lines(watched)
    return found[0] == f"START  {words}." and there == [f"START    {words}"]


def test_a_stopped_cabinet_says_what_starts_it(tmp_path):
    watched = Watched(tmp_path).run(8)
    cabinet = watched.rig.controller.cabinet
    cabinet.request_run(0)
    alone = "a person stopped it: start it (firebreak start)"
    assert starts_with(watched.run(12), alone)
    assert watched.facts("alarms")["start"]["rests"] == {"why": "person", "name": ""}
    found, there = start_lines(key(watched, False, 13))
    assert "waits for R701 interlock" in found[0] and found[2] == f"       And {alone}."
    assert "waits for interlock" in there[0]
    key(watched, True, 15)
    cabinet.request_sign(1, 1)
    words = "the sign test of unit 1 comes first (firebreak test sign)"
    assert starts_with(watched.run(16), words)
    assert watched.facts("alarms")["start"]["sign_held"] == [1]
    cabinet.request_sign(1, 0)
    cabinet.request_run(1)
    facts = watched.run(25).facts("alarms")
    assert facts["state"] == "running" and facts["start"]["rests"] is None


@pytest.mark.whole
def test_test_mode_counts_down_and_its_end_is_shown(tmp_path):
    watched = key(Watched(tmp_path), False, 4)
    cabinet = watched.rig.controller.cabinet
    assert cabinet.request_test() == operator_commands.ACCEPTED
    watched.rig.plant.key_run = True
    for at_s, left in ((26.5, 38), (27.1, 37)):
        watched.run(at_s)
        for page in ("alarms", "status"):
            assert f"RUNNING, TEST, {left} s left  " in watched.lines(page)[0]
    left_ms = watched.facts("alarms")["test_left_ms"]
    while cabinet.core.out[s.STATE] == s.RUNNING:
        watched.rig.step()
        left_ms -= 100
    assert abs(left_ms) <= 1000, "it stops when the page has counted to zero"
    assert "STOPPING, TEST, 0 s left  " in watched.lines("alarms")[0]
    watched.run(70)
    assert "TEST" not in watched.lines("alarms")[0]
    assert watched.facts("alarms")["test_left_ms"] is None
    assert starts_with(watched, "the test is over: start it (firebreak start)")
    # the head has no room for a test and a lock-out with the longest name
    key(watched, False, 72)
    assert cabinet.request_test() == operator_commands.ACCEPTED
    assert cabinet.request_lock_out(CLOSED_OUT, True) == 0
    assert watched.run(73).facts("alarms")["test_left_ms"] > 0
    assert f"INHIBITED, LOCKED OUT BY {CLOSED_OUT}  " in watched.lines("alarms")[0]


def test_a_stopping_controller_shows_why_it_does_not_start(tmp_path):
    watched = Watched(tmp_path).run(8)
    watched.rig.controller.cabinet.end()
    start = " ".join(start_lines(watched.run(12))[0][0].split())
    assert start == "START no run request: the controller is stopping, or its store has failed."
