"""The 3 am page: the first-out leads, what followed is in order, resets and their tokens are the
kernel's own.
"""

import json

import pytest
from watched import Watched, action, of_scenario, two_channels

from controller.console.pages import alarms as page
from controller.console.pages import status as status_page
from controller.core import image
from controller.run import operator_commands, peer_words, self_test
from controller.state import alarms, rows
from safety import latches, matrix, peer, second
from safety import signals as s


def test_the_first_out_leads_and_the_rest_follows_in_time(tmp_path):
    facts = of_scenario("bms_silent", tmp_path).run(38).facts("alarms")
    # the first that latched, then by time
    assert [row["stage"] for row in facts["standing"]] == ["40b", "40a", "40c"]
    assert [row["began_ms"] is not None for row in facts["standing"]] == [True] * 3
    began_ms = [row["began_ms"] for row in facts["standing"]]
    assert began_ms[1] < began_ms[0] < began_ms[2]
    assert [(each["scope"], each["stage"]) for each in facts["first_out_per_scope"]] == [
        ("rack 2", "40b")
    ]
    lines = page.lines(facts)
    assert lines[2] == "FIRST  row 40b BMS silent, rack 2: ramp to zero"
    assert [line for line in lines if line.startswith("THEN    -0.50 s  row 40a")]


def test_each_scope_has_its_own_first_out(tmp_path):
    actions = [
        action(10, "device_fault", device="bms_2", fault="silent"),
        action(15, "estop_press"),
    ]
    facts = Watched(tmp_path, actions=actions).run(17).facts("alarms")
    firsts = {
        each["scope"]: (each["stage"], each["began_ms"]) for each in facts["first_out_per_scope"]
    }
    assert set(firsts) == {"cabinet", "rack 2"}
    assert firsts["cabinet"][0] == "1a" and 15_000 <= firsts["cabinet"][1] <= 15_200
    assert firsts["rack 2"][0] == "40b" and firsts["rack 2"][1] < firsts["cabinet"][1]
    assert [line for line in page.lines(facts) if line.startswith("FIRSTS ")]


def test_remedies_are_said_once_and_in_order(tmp_path):
    facts = (
        Watched(
            tmp_path,
            actions=[
                action(10, "estop_press"),
                action(11, "device_fault", device="bms_2", fault="silent"),
            ],
        )
        .run(16)
        .facts("alarms")
    )
    remedies = [item["remedy"] for item in facts["check"]]
    assert len(remedies) == len(set(remedies)) == 2 and remedies[0].startswith(
        "Find out why it was pressed"
    )
    assert facts["check"][0]["rows"] == ["1a", "1b"]


def test_a_reset_says_what_it_would_come_to_and_so_it_does(tmp_path):
    """Refused while the cause stands, granted 5 s after it has gone: the page says so before
    anybody asks.
    """
    silent = dict(device="io_1", fault="silent")
    actions = [
        action(10, "device_fault", **silent),
        action(12, "device_fault", value=False, **silent),
    ]
    watched = Watched(tmp_path, actions=actions).run(11.5)
    reset = watched.facts("alarms")["reset"]
    assert (reset["needs"], reset["result"], reset["left"]) == ("remote", "not clear yet", 3)
    assert [each["due_ms"] for each in reset["waits"] if each["stage"] == "49"] == [None]
    watched.run(14)
    waits = watched.facts("alarms")["reset"]["waits"]
    assert [each for each in waits if each["stage"] == "49" and 2500 < each["due_ms"] < 5000]
    watched.run(20)
    reset = watched.facts("alarms")["reset"]
    assert (reset["waits"], reset["result"]) == ([], "done")
    watched.rig.controller.reset("remote")
    watched.run(21)
    facts = watched.facts("alarms")
    assert (facts["standing"], facts["reset"]["left"], facts["reset"]["needs"]) == ([], 2, None)
    assert 3_590_000 < facts["reset"]["next_token_ms"] <= 3_600_000
    assert "2 of 3 remote resets left this hour, the next in" in "\n".join(page.lines(facts))


@pytest.mark.parametrize(
    "ages_min, allowed, left, next_min",
    [
        ((60, 60, 60), 3, 3, None),
        ((0, 60, 60), 3, 2, 60),
        ((10, 40, 60), 3, 1, 20),
        ((10, 40, 50), 3, 0, 10),
        ((10, 60, 60), 1, 0, 50),
        ((10, 40, 60), 1, 0, 50),
        ((10, 40, 50), 2, 0, 20),
        ((10, 60, 60), 0, 0, None),
    ],
)
def test_the_next_token(tmp_path, ages_min, allowed, left, next_min):
    """Of an hour's tokens; where fewer are allowed than were spent, more than one has to come
    back.
    """
    shadow = Watched(tmp_path).run(1).shadow
    rules = shadow.core.kernel.latches
    rules.allowed = allowed
    for token, age_min in enumerate(ages_min):
        rules.token_age[token] = age_min * 3000  # ticks of 20 ms
    found = alarms.next_token_ms(shadow)
    assert rules.left() == left and found == (None if next_min is None else next_min * 60_000)
    if found:  # that long and not less
        for token in range(latches.TOKENS):
            rules.token_age[token] = min(rules.token_age[token] + found // 20 - 1, rules.hour_ticks)
        assert rules.left() == left
        rules.token_age[:] = type(rules.token_age)(
            "i", [min(age + 1, rules.hour_ticks) for age in rules.token_age]
        )
        assert rules.left() == left + 1


def test_the_key_is_asked_for_where_it_is_needed(tmp_path):
    watched = Watched(
        tmp_path, actions=[action(10, "estop_press"), action(11, "estop_release")]
    ).run(20)
    reset = watched.facts("alarms")["reset"]
    assert (reset["needs"], reset["result"]) == ("key", "key needed")
    watched.rig.plant.key_run = False
    watched.run(21)
    assert watched.facts("alarms")["reset"]["result"] == "done"


def test_what_inhibits_the_start_is_named(tmp_path):
    watched = Watched(tmp_path)
    watched.rig.plant.key_run = False
    facts = watched.run(5).facts("alarms")
    assert facts["start"]["waits_for"]["name"] == "interlock" and facts["state"] == "inhibited"
    assert [row["stage"] for row in facts["standing"]] == ["47"]
    total = watched.core.out[s.EVIDENCE_TOTAL]
    assert f"START  checklist {total} of {total}: waits for R701 interlock: " in "\n".join(
        page.lines(facts)
    )
    watched.rig.plant.key_run = True
    facts = watched.run(12).facts("alarms")
    assert facts["start"]["waits_for"] is None and watched.core.out[s.STATE] == s.RUNNING


@pytest.mark.parametrize(
    "role, name, code",
    [
        ("climate", "climate monitor", "R716"),
        ("toxic", "gas detectors", "R705"),
        ("ups", "UPS monitor", "R717"),
    ],
)
def test_how_far_the_checklist_is_stands_beside_what_it_waits_for(tmp_path, role, name, code):
    """One device of the cabinet is silent from the beginning: one item is missing, and it has a
    name.
    """
    watched = Watched(
        tmp_path, actions=[action(0, "device_fault", device=role, fault="silent")]
    ).run(8)
    total = watched.core.out[s.EVIDENCE_TOTAL]
    assert total > 30 and watched.facts("alarms")["start"]["checklist"] == {
        "done": total - 1,
        "total": total,
    }
    words = "\n".join(page.lines(watched.facts("alarms")))
    assert f"START  checklist {total - 1} of {total}: waits for {code} {name}: " in words
    line = next(
        line for line in status_page.lines(watched.facts("status")) if line.startswith("START")
    )
    assert line.startswith(f"START    checklist {total - 1} of {total}: waits for {name}  ")
    assert line.endswith("(firebreak alarms)")
    assert len(line) == 79


def test_once_it_closes_there_is_no_checklist(tmp_path):
    watched = Watched(tmp_path)
    while watched.core.out[s.STATE] != s.CLOSING:
        watched.rig.step()
    facts = watched.facts("alarms")
    assert facts["state"] == "closing" and facts["start"]["checklist"] is None
    facts = watched.run(8).facts("status")
    assert facts["start"]["checklist"] is None and facts["start"]["waits_for"] is None
    assert not [line for line in status_page.lines(facts) if line.startswith("START")]


def test_a_lock_out_names_who_ends_it_before_anything_else(tmp_path):
    """The kernel counts it as an item of the start evidence: the page says by whom, and the head
    shows it too.
    """
    watched = Watched(tmp_path).run(8)
    assert watched.rig.controller.cabinet.request_lock_out("anna", True) == 0
    facts = watched.run(20).facts("alarms")
    total = watched.core.out[s.EVIDENCE_TOTAL]
    assert facts["state"] == "inhibited" and facts["start"]["checklist"] == {
        "done": total - 1,
        "total": total,
    }
    words = "\n".join(page.lines(facts))
    assert "INHIBITED, LOCKED OUT BY ANNA" in words.upper().splitlines()[0]
    assert "START  locked out by anna, who ends that; with the key out of RUN anybody" in words
    lines = status_page.lines(watched.facts("status"))
    assert "INHIBITED, LOCKED OUT BY anna" in lines[0]
    start = f"START    checklist {total - 1} of {total}: waits for locked out"
    assert [line for line in lines if line.startswith(start)]
    watched.rig.plant.key_run = False
    facts = watched.run(22).facts("alarms")
    assert facts["start"]["waits_for"]["name"] == "interlock", (
        "the row that stands is said, the head says the rest"
    )
    assert "LOCKED OUT BY anna" in page.lines(facts)[0]


def test_what_began_before_the_journal_is_not_dated(tmp_path):
    """A keyframe of a row that stood already: when it began nobody knows, and the page says
    that.
    """
    watched = Watched(tmp_path, actions=[action(5, "estop_press")]).run(8)
    history = watched.watch().history()
    row = history.began_ms["1a"]
    assert row is not None
    history.began_ms["1a"] = None
    facts = alarms.facts(watched.shadow, history)
    assert [each["began_ms"] for each in facts["standing"] if each["stage"] == "1a"] == [None]
    assert "before the journal begins" in "\n".join(page.lines(facts))


def test_the_row_of_the_second_channel_names_the_contact(tmp_path):
    """Which channel gives no permit, and what it names; once B permits again, what the row is in
    general.
    """
    shadow = of_scenario("bms_silent", tmp_path).run(6).shadow
    sentences = []
    for code in (peer_words.code(peer.DISAGREES, 1, 1), peer_words.code(peer.SILENT, 0, 0), 0):
        shadow.inp[s.PEER_CODE] = code
        assert rows.row_of(shadow, "1a", None)["reason"]["sentence"] == rows.words_of("1a")[1]
        sentences.append(rows.row_of(shadow, "51", None)["reason"]["sentence"])
    assert sentences == ["estop_1: A closed, B open", "channel B is silent", rows.words_of("51")[1]]


def test_a_relay_that_failed_is_named_as_long_as_its_row_stands(tmp_path):
    """Told off it agrees again: what it was is in the keyframe of the beginning, and stays on the
    page.
    """
    watched = Watched(tmp_path, actions=[action(10, "contact", name="permit_1", closed=False)]).run(
        14
    )
    row = watched.facts("alarms")["standing"][0]
    sentence = "the controller found a fault: the relay of the PCS enable does not follow"
    assert row["stage"] == "44e" and watched.shadow.inp[s.SELF_TEST_BITS] == 0
    assert row["reason"]["sentence"] == f"At first: {sentence}"
    assert sentence in " ".join(" ".join(page.lines(watched.facts("alarms"))).split())
    watched.shadow.inp[s.SELF_TEST_BITS] = self_test.MEMORY
    now = rows.row_of(watched.shadow, "44e", None, self_test.ENABLE)["reason"]["sentence"]
    assert now == "the controller found a fault: a bit of its memory is stuck"
    watched.shadow.inp[s.SELF_TEST_BITS] = 0
    assert rows.row_of(watched.shadow, "44e", None)["reason"]["sentence"] == rows.words_of("44e")[1]
    assert (
        rows.row_of(watched.shadow, "44d", None, 8)["reason"]["sentence"] == rows.words_of("44d")[1]
    )


def stuck_at_b(watched, at_s):
    """The E-stop is pressed for channel B alone, for 0.3 s."""
    watched.run(at_s).rig.channel_b.stuck["estop_1_ok"] = 0
    watched.run(at_s + 0.3).rig.channel_b.stuck.clear()
    return watched


def test_what_stands_in_the_second_channel_has_a_line_of_its_own(tmp_path):
    watched = Watched(tmp_path, settings=two_channels(tmp_path)).run(3)
    assert watched.facts("alarms")["channel_b"] is None
    facts = stuck_at_b(watched, 4).run(5).facts("alarms")
    assert [row["stage"] for row in facts["standing"]] == ["51"]
    assert facts["channel_b"] == {"stage": "1a", "name": "emergency stop", "reset": "key"}
    named = [
        facts["reset"][name]
        for name in ("first_out", "cause_mask", "peer_first_out", "peer_cause_mask")
    ]
    assert tuple(named) == (
        watched.shadow.first_out,
        watched.shadow.cause_mask,
        *watched.rig.controller.cabinet.peer.causes(),
    )
    assert json.loads(json.dumps(facts))["channel_b"] == facts["channel_b"]
    assert "IN B   row 1a emergency stop, first out in channel B; key reset" in page.lines(facts)


def test_where_it_stands_in_the_second_channel_alone_the_page_says_of_which_channel_it_speaks(
    tmp_path,
):
    watched = Watched(tmp_path, settings=two_channels(tmp_path)).run(4)
    watched.rig.controller.run_request(False)
    facts = stuck_at_b(watched, 12).run(13).facts("alarms")
    assert facts["standing"] == [], "row 51 acts on an energised cabinet"
    assert page.lines(facts)[2:4] == [
        "Nothing stands in A: no interlock row is active or latched.",
        "IN B   row 1a emergency stop, first out in channel B; key reset",
    ]
    watched.rig.plant.key_run = False
    facts = watched.run(14).facts("alarms")
    assert [row["stage"] for row in facts["standing"]] == ["47"]
    assert (
        "RESET  Nothing is latched in A: what stands goes by itself with its cause."
    ) in page.lines(facts)


def test_a_first_out_that_no_second_channel_can_have_breaks_no_page(tmp_path):
    shadow = of_scenario("bms_silent", tmp_path).run(6).shadow
    at = image.places(shadow.core.layout)["peer"].start
    cabinet_scope = len([name for name in shadow.stage_names if "." not in name])
    for first_out in (cabinet_scope, 0xFFFE, 1 << 29, -1, -5):
        shadow.inp[at : at + 2] = type(shadow.inp)("i", (first_out, 7))
        assert rows.channel_b(shadow) == {
            "stage": "?",
            "name": "not of this version",
            "reset": "unknown",
        }


def test_every_row_of_the_second_channel_has_its_name(tmp_path):
    """Its instances are those of the cabinet, in this kernel's order: it has no units and no
    racks.
    """
    shadow = of_scenario("bms_silent", tmp_path).run(6).shadow
    at = image.places(shadow.core.layout)["peer"].start
    names = [name for name in shadow.stage_names if "." not in name]
    for first_out, name in enumerate(names):
        shadow.inp[at : at + 2] = type(shadow.inp)("i", (first_out, 7))
        assert rows.channel_b(shadow)["stage"] == name
    evaluator = second.Second(shadow.core.safety_image, 0).kernel.evaluator
    assert [matrix.STAGES[stage][matrix.S_ID] for stage in evaluator.stage] == names


def start_lines(watched):
    """The line of the start on page alarms (with its second one) and on page status."""
    found = page.lines(watched.facts("alarms"))
    at = next(index for index, line in enumerate(found) if line.startswith("START"))
    there = [
        line for line in status_page.lines(watched.facts("status")) if line.startswith("START")
    ]
    return found[at : at + 3], there


def test_why_it_rests_and_what_starts_it(tmp_path):
    watched = Watched(tmp_path).run(8)
    cabinet = watched.rig.controller.cabinet
    cabinet.request_run(0)
    watched.run(12)
    alone = "a person stopped it: start it (firebreak start)"
    assert start_lines(watched)[0][0] == f"START  {alone}." and start_lines(watched)[1] == [
        f"START    {alone}"
    ]
    assert watched.facts("alarms")["start"]["rests"] == {"why": "person", "name": ""}
    watched.rig.plant.key_run = False
    watched.run(13)
    found, there = start_lines(watched)
    assert "waits for R701 interlock" in found[0] and found[2] == f"       And {alone}."
    assert "waits for interlock" in there[0]
    watched.rig.plant.key_run = True
    watched.run(15)
    cabinet.request_run(1)
    watched.run(25)
    facts = watched.facts("alarms")
    assert facts["state"] == "running" and facts["start"]["rests"] is None


def test_a_lock_out_that_has_ended_is_named_and_one_that_stands_has_not(tmp_path):
    watched = Watched(tmp_path).run(8)
    cabinet, name = watched.rig.controller.cabinet, "a" * 16
    cabinet.request_lock_out(name, True)
    watched.run(15)
    watched.rig.plant.key_run = False
    watched.run(16)
    assert not [line for line in page.lines(watched.facts("alarms")) if "has ended" in line]
    watched.rig.plant.key_run = True
    cabinet.request_lock_out(name, False)
    watched.run(18)
    words = f"{name}'s lock-out has ended: start it (firebreak start)"
    assert start_lines(watched)[0][0] == f"START  {words}." and start_lines(watched)[1] == [
        f"START    {words}"
    ]
    assert "LOCKED OUT" not in page.lines(watched.facts("alarms"))[0]


def test_a_test_that_is_over_is_said(tmp_path):
    watched = Watched(tmp_path)
    watched.rig.plant.key_run = False
    watched.run(4)
    cabinet = watched.rig.controller.cabinet
    assert cabinet.request_test() == operator_commands.ACCEPTED
    watched.rig.plant.key_run = True
    for at_s, head in ((26.5, ", TEST, 38 s left  "), (27.1, ", TEST, 37 s left  ")):
        watched.run(at_s)
        for lines in (
            page.lines(watched.facts("alarms")),
            status_page.lines(watched.facts("status")),
        ):
            assert f"RUNNING{head}" in lines[0]
    left_ms = watched.facts("alarms")["test_left_ms"]
    while watched.rig.controller.cabinet.core.out[s.STATE] == s.RUNNING:
        watched.rig.step()
        left_ms -= 20
    assert abs(left_ms) <= 1000, "it stops when the page has counted to zero"
    assert "STOPPING, TEST, 0 s left  " in page.lines(watched.facts("alarms"))[0]
    watched.run(70)
    assert (
        "TEST" not in page.lines(watched.facts("alarms"))[0]
        and watched.facts("alarms")["test_left_ms"] is None
    )
    words = "the test is over: start it (firebreak start)"
    assert start_lines(watched)[0][0] == f"START  {words}." and start_lines(watched)[1] == [
        f"START    {words}"
    ]


def test_a_lock_out_takes_the_place_of_a_test_in_the_head(tmp_path):
    """Both with the longest name would not fit a line, and nothing runs any more."""
    watched = Watched(tmp_path)
    watched.rig.plant.key_run = False
    watched.run(4)
    cabinet, name = watched.rig.controller.cabinet, "a" * 16
    assert (
        cabinet.request_test() == operator_commands.ACCEPTED
        and cabinet.request_lock_out(name, True) == 0
    )
    facts = watched.run(5).facts("alarms")
    assert (
        facts["test_left_ms"] > 0 and f"INHIBITED, LOCKED OUT BY {name}  " in page.lines(facts)[0]
    )


def test_where_nobody_stopped_it_and_it_is_to_end_the_page_says_so(tmp_path):
    watched = Watched(tmp_path).run(8)
    watched.rig.controller.cabinet.end()
    assert start_lines(watched.run(12))[0][:2] == [
        "START  nobody asks it to run: the controller is told to end, or its store has",
        "       failed.",
    ]
