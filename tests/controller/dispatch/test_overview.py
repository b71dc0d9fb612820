"""The view of a fleet: what a broker's messages mean, good ones, old ones and wrong ones."""

import json
import random

import pytest
from fleet_messages import (
    DOOR,
    FIRE,
    NAMES,
    NOW_US,
    STATE_TOPIC,
    UTC_US,
    hear,
    heard,
    report,
    state,
)
from fleet_world import World

from controller.dispatch import facts as published, site_facts
from controller.dispatch.overview import Overview, danger_level
from controller.dispatch.report import (
    CABINET,
    CONTROL,
    STATE,
    full_report,
    import_without_battery_W,
    report_of,
    state_of,
)
from tests.tables import cases

REPORT = "firebreak/hall2/report"


def facts(overview, now_us=NOW_US):
    return site_facts.of(overview, now_us)


def test_all_is_well():
    found = facts(heard(shared=state()))
    assert (found["wrong"], found["notes"], found["alarms"], found["silent"]) == ([], [], [], [])
    assert found["import_W"] == 8 * 450_000
    assert (found["held_back_W"], found["load_short_W"]) == (200_000, 0)
    one = found["cabinets"]["hall1"]
    assert (one["share_W"], one["left_s"], one["share_from"]) == (500_000, 52, "dispatcher")
    assert (one["import_W"], one["is_clock_trusted"]) == (450_000, True)
    json.dumps(found)


def test_the_names_of_ieee_2030_5_stand_beside_ours():
    one = facts(heard(shared=state()))["cabinets"]["hall1"]
    assert one["DERControl"] == state()["cabinets"]["hall1"]["DERControl"]
    assert one["DefaultDERControl"] == {"opModImpLimW": 200_000}
    assert one["DERStatus"] == {"stateOfChargeStatus": 6400, "storageModeStatus": 1}
    assert one["DERAvailability"] == {"statWAvail": 240_000, "availabilityDuration": 900}


@pytest.mark.parametrize(
    ("battery_W", "mode"), [(-51, 0), (51, 1), (-49, 2), (49, 2), (None, None)]
)
def test_the_storage_mode(battery_W, mode):
    one = facts(heard({"hall1": {"battery_W": battery_W}}))["cabinets"]["hall1"]
    assert one["DERStatus"]["storageModeStatus"] == mode


def test_the_worst_cabinet_is_first():
    reports = {
        "hall3": {"alarm": FIRE, "alarms": 2},
        "hall5": None,
        "hall7": {"alarm": DOOR, "alarms": 1},
    }
    changes = {"hall8": {"problem": "[source.fleet] of its site.toml lacks the role grid_cap"}}
    found = facts(heard(reports, state(changes=changes)))
    order = ["hall3", "hall5", "hall7", "hall8", "hall1", "hall2", "hall4", "hall6"]
    assert list(found["cabinets"]) == order
    assert [(each["label"], each["cabinets"]) for each in found["alarms"]] == [
        ("R802", {"hall3": 2}),
        ("R818", {"hall7": 1}),
    ]
    assert [each.partition(":")[0] for each in found["wrong"]] == [
        "the broker has no report",
        "no share for hall8",
    ]


def test_an_alarm_of_several_cabinets_is_listed_once():
    alarm = {"alarm": DOOR, "alarms": 1}
    found = facts(heard({"hall1": alarm, "hall2": alarm}))
    assert [each["cabinets"] for each in found["alarms"]] == [{"hall1": 1, "hall2": 1}]


@cases("""label  words  level
    "R802"  FIRE["words"]  4
    "R818"  "not of this release"  0
    "R999"  ""  0
    "Rx"  ""  0
    "R\u0663"  ""  0
    ""  ""  0
""")
def test_the_danger_of_an_alarm(label, words, level):
    assert danger_level({"label": label, "words": words, "remedy": ""}) == level


def test_a_report_that_is_too_old_counts_as_silent():
    overview = heard(shared=state())
    assert facts(overview, NOW_US + 19_999_000)["silent"] == []
    found = facts(overview, NOW_US + 20_000_000)
    assert found["silent"] == NAMES
    assert not found["dispatcher"]["is_live"] and found["dispatcher"]["silent_s"] == 20


def test_offline_ends_with_the_next_live_report():
    overview = heard()
    hear(overview, "firebreak/hall2/online", b"offline")
    assert facts(overview)["cabinets"]["hall2"]["silence"] == "offline"
    hear(overview, REPORT, report(), is_retained=True)
    assert facts(overview)["cabinets"]["hall2"]["silence"] == "offline"
    hear(overview, REPORT, report())
    assert facts(overview)["cabinets"]["hall2"]["silence"] == ""


def test_without_a_controller_the_trouble_is_there():
    overview = heard()
    hear(overview, REPORT, {"state": None, "trouble": "no tick\x1b[2J"})
    hear(overview, "firebreak/hall2/online", b"offline")
    two = facts(overview)["cabinets"]["hall2"]
    assert (two["silence"], two["trouble"]) == ("no controller", "no tick?[2J")


def test_a_kept_report_counts_only_while_the_dispatcher_hears_the_cabinet():
    overview = heard(is_retained=True)
    assert facts(overview)["silent"] == []
    hear(overview, STATE_TOPIC, state(changes={"hall2": {"is_live": False}}))
    assert facts(overview)["silent"] == ["hall2"]
    hear(overview, REPORT, report())
    assert facts(overview)["silent"] == []


def test_a_kept_report_after_a_live_one_leaves_the_cabinet_live():
    """A reader that connects again gets what the broker has kept once more."""
    overview = heard()
    hear(overview, REPORT, report(), is_retained=True)
    hear(overview, STATE_TOPIC, state(changes={"hall2": {"is_live": False}}))
    assert facts(overview)["silent"] == []


def test_one_rule_says_when_a_cabinet_or_a_dispatcher_is_silent():
    overview, world = heard(shared=state()), World(1)
    world.dispatcher.hear_report("c0", report_of(json.dumps(report()).encode()), NOW_US)
    for later_ms, is_live in ((19_999, True), (20_000, False)):
        found = facts(overview, NOW_US + later_ms * 1000)
        assert found["dispatcher"]["is_live"] == found["cabinets"]["hall1"]["is_live"] == is_live
        assert world.dispatcher.members[0].is_live(NOW_US + later_ms * 1000) == is_live


def test_the_dispatcher_and_the_page_read_the_same_values():
    payload = json.dumps(report(pv_W=7000, discharge_W_max=60_000)).encode()
    values, *wrong = full_report(payload, "fleet")
    own = report_of(payload)
    assert wrong == [] and own._asdict() == {name: values[name] for name in own._fields}
    assert (own.pv_W, own.discharge_W_max) == (7000, 60_000)


def test_the_form_declares_each_field_of_a_published_state():
    world = World().run(90, (2000, 300, 300))
    ((_, part),) = published.parts(world.dispatcher, world.now_us)
    made = {**part, "utc_us": UTC_US}
    assert state_of(json.dumps(made).encode())[1] == []
    row = made["cabinets"]["c0"]
    assert {*made} ^ {*STATE} == {"cabinets", "counts"}
    assert {*row} ^ {*CABINET} == {"fallback_W", "DefaultDERControl"}, "for other programs"
    assert {*row["DERControl"][0]} == {*CONTROL}


@cases("""changes  permille  import_W
    {}  None  500_000
    {"pv_W": 7000}  None  500_000
    {"battery_W": None}  None  None
    {"pv_W": 100_000}  125  50_000
    {"load_W": None}  125  None
    {}  0  0
""")
def test_the_import_of_a_cabinet_with_its_battery_at_0(changes, permille, import_W):
    own = report_of(json.dumps(report(**changes)).encode())
    assert import_without_battery_W(own, permille) == import_W


def test_a_kept_state_is_no_sign_of_life_and_says_since_when():
    overview = heard()
    hear(overview, STATE_TOPIC, state(), is_retained=True)
    found = facts(overview)
    assert not found["dispatcher"]["is_live"]
    assert found["dispatcher"]["last_utc_us"] == 1_764_440_400_000_000
    assert found["load_short_W"] is None
    one = found["cabinets"]["hall1"]
    assert (one["share_W"], one["left_s"], one["share_from"]) == (500_000, 41, "cabinet")


@cases("""share  age_s  share_W  left_s
    {"fleet": {"value_W": 480_000, "valid_s": 41, "state": "valid"}}  11  480_000  30
    {"fleet": {"value_W": 480_000, "valid_s": 11, "state": "valid"}}  11  200_000  0
    {"fleet": {"value_W": 200_000, "valid_s": 0, "state": "fallback"}}  0  200_000  0
    {"fleet": {"value_W": 200_000, "valid_s": None, "state": "fallback"}}  0  200_000  0
    {"other": {"value_W": 480_000, "valid_s": 41, "state": "valid"}}  0  200_000  0
    {"fleet": None}  0  200_000  0
    None  0  200_000  0
""")
def test_a_share_in_the_report_grows_old(share, age_s, share_W, left_s):
    overview = heard({"hall1": {"share": share}})
    one = facts(overview, NOW_US + age_s * 1_000_000)["cabinets"]["hall1"]
    assert overview.odd == {}
    assert (one["share_W"], one["left_s"]) == (share_W, left_s)


def test_the_share_of_the_dispatcher_grows_old_too_and_ends_at_the_fallback():
    overview = heard(shared=state(changes={"hall1": {"left_s": 3}}), names=NAMES[:2])
    for later_ms, share in ((0, (500_000, 3)), (2000, (500_000, 1)), (2001, (200_000, 0))):
        one = facts(overview, NOW_US + later_ms * 1000)["cabinets"]["hall1"]
        assert (one["share_W"], one["left_s"]) == share


def test_a_report_with_another_share_is_named_and_both_are_there():
    overview = heard({"hall3": {"share": {"fleet": {"value_W": 480_000, "valid_s": 9}}}}, state())
    found = facts(overview)
    three = found["cabinets"]["hall3"]
    assert (three["share_W"], three["reported_share_W"]) == (500_000, 480_000)
    words = "another share in the last report, which may be seconds old: hall3 (480.0 kW)"
    assert found["notes"] == [words]
    other = {"share": {"other": {"value_W": 480_000, "valid_s": 9}}}
    assert facts(heard({"hall3": other}, state()))["notes"] == []


def test_a_cabinet_that_cannot_keep_its_share_is_named():
    wrong = facts(heard(shared=state(changes={"hall2": {"short_W": 12_300}})))["wrong"]
    assert wrong == ["load short, the battery cannot keep the share: hall2 (12.3 kW)"]


def test_a_common_load_has_one_import_and_parts():
    reports = {"hall1": {"grid_W": 3_000_000}, "hall2": {"battery_W": -10_000}}
    reports = {
        name: {"grid_W": 3_100_000, "load_W": 4_000_000, **reports.get(name, {})} for name in NAMES
    }
    found = facts(heard(reports, is_common=True))
    assert found["import_W"] == 3_100_000
    assert found["cabinets"]["hall1"]["import_W"] == 500_000 - 50_000
    assert found["cabinets"]["hall2"]["import_W"] == 500_000 + 10_000


def test_versions_and_clocks_that_differ_are_named():
    found = facts(heard({"hall2": {"release": "0.5.0", "clock": False}, "hall3": {"clock": None}}))
    rest = "hall1, hall3, hall4, hall5, hall6, hall7, hall8"
    assert found["notes"] == [
        f"versions differ: release 0.4.0 on {rest}; 0.5.0 on hall2",
        "clock not trusted, schedules do not act: hall2",
    ]
    found = facts(heard({"hall2": {"limits_crc": "FFFFFFFF"}}))
    assert found["notes"][0].startswith("versions differ: limits CRC 0A1B2C3D on hall1")


def test_a_load_above_the_connection_is_wrong():
    words = "the import is above the connection; reduce the load"
    assert facts(heard(connection_W=3_600_000))["wrong"] == []
    assert facts(heard(connection_W=3_599_999))["wrong"] == [words]
    short = facts(heard(shared=state(short_W=1000)))["wrong"]
    assert short == ["the load is above what connection and batteries give; reduce the load"]


@cases("""share_W  import_W  is_above
    100_000  110_000  False
    100_000  110_001  True
    1_000_000  1_050_000  False
    1_000_000  1_050_001  True
    100_000  None  False
""")
def test_an_import_above_the_share_is_wrong(share_W, import_W, is_above):
    shared = state(["hall1"], {"hall1": {"share_W": share_W}})
    wrong = facts(heard({"hall1": {"grid_W": import_W}}, shared, names=["hall1"]))["wrong"]
    if import_W is None:
        assert wrong == ["the import is unknown at hall1"]
    else:
        assert bool(wrong) == is_above
    if is_above:
        words = "import above the share, by reports that may be seconds old"
        assert wrong == [f"{words}: hall1 ({import_W / 1000:.1f} kW)"]


def test_the_last_import_of_an_offline_cabinet_is_not_above_its_share():
    overview = heard({"hall1": {"grid_W": 500_000}}, state(changes={"hall1": {"share_W": 1}}))
    hear(overview, "firebreak/hall1/online", b"offline")
    assert [each.partition(" ")[0] for each in facts(overview)["wrong"]] == ["offline,"]


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, ""), (8, "1, 2, 3, 4, 5, 6, 7, 8"), (9, "1, 2, 3, 4, 5, 6, 7, 8 and 1 more")],
)
def test_a_long_list_of_names_is_cut(count, words):
    assert site_facts.listed([str(number + 1) for number in range(count)]) == words


def test_a_large_fleet_is_in_several_messages():
    world = World(250, connection_W=10**6)
    names = [each.name for each in world.boxes]
    every = list(published.parts(world.dispatcher, 0))
    assert [topic for topic, _ in every] == [STATE_TOPIC, f"{STATE_TOPIC}/2", f"{STATE_TOPIC}/3"]
    assert [len(each["cabinets"]) for _, each in every] == [90, 90, 70]
    overview = heard(names=names)
    for topic, part in every:
        assert not overview.is_complete()
        hear(overview, topic, part)
    assert overview.is_complete()
    cabinets = facts(overview)["cabinets"].values()
    assert {each["share_from"] for each in cabinets} == {"dispatcher"}


def test_a_message_of_the_dispatcher_fits_a_broker():
    world = World(100, connection_W=10**9, fallback_W=10**7)
    (_, part), _ = published.parts(world.dispatcher, 0)
    names = ["x" * 60 + f"{number:04}" for number in range(published.CABINETS_MAX)]
    control = {"opModImpLimW": 10**9, "duration": 60, "status": "superseded"}
    row = {**part["cabinets"]["c0"], "problem": "x" * 130, "DERControl": [control] * 3}
    row |= {name: 10**9 for name in row if name.endswith("_W")}
    part["cabinets"] = dict.fromkeys(names, row)
    assert len(json.dumps(part, separators=(",", ":"))) < 60_000


def test_a_file_that_differs_from_that_of_the_dispatcher_is_wrong():
    wrong = facts(heard(shared=state(connection_W=5_000_000)))["wrong"]
    assert wrong == ["the dispatcher shares 5000000 W, and this file says 4000000 W"]


@cases("""payload  words
    b"x" * 1_000_000  "has 1000000 bytes"
    b"{"  "is not JSON"
    b"\\xff"  "is not JSON"
    b"[" * 4000  "is not JSON"
    b"[1]"  "is no JSON object"
    b"NaN"  "is no JSON object"
    b'{"state": "running", "grid_W": "1"}'  "has a wrong grid_W"
    b'{"state": "running", "grid_W": 1e400}'  "has a wrong grid_W"
    b'{"state": "running", "grid_W": true}'  "has a wrong grid_W"
    b'{"state": 7}'  "has a wrong state"
    b'{"state": "running", "share": 7}'  "has a wrong share"
    b'{"state": "running", "share": {"fleet": 7}}'  "has a wrong share"
    b'{"state": "running", "share": {"fleet": {"value_W": 5, "valid_s": "x"}}}'  "has a wrong share"
    b'{"state": "running", "alarm": [7]}'  "has a wrong alarm"
    b'{"state": "running", "clock": 1}'  "has a wrong clock"
""")
def test_a_wrong_report_is_counted(payload, words):
    overview = heard()
    hear(overview, REPORT, payload)
    found = facts(overview)
    assert found["odd_messages"] == {f"hall2 {words}": 1}
    assert found["notes"] == [f"messages that do not count: hall2 {words} (1)"]


def test_odd_messages_are_counted_and_their_kinds_are_bounded():
    overview = heard()
    for number in range(100):
        hear(overview, f"firebreak/other{number % 50}/report", report())
    hear(overview, "firebreak/\x1b[2J/online", b"online")
    hear(overview, "x", b"")
    for size in range(5000, 5100):
        hear(overview, REPORT, b"x" * size)
    found = facts(overview)
    words = "is not in the file"
    assert found["odd_messages"] == {f"other{number} {words}": 2 for number in range(20)}
    each = ", ".join([f"other{number} {words} (2)" for number in range(8)])
    assert found["notes"] == [f"messages that do not count: {each} and 12 more"]


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"cabinets": 3}', b"{", b"\xff", b"x" * 10**6])
def test_a_wrong_state_of_a_dispatcher_is_counted(payload):
    overview = heard()
    hear(overview, STATE_TOPIC, payload)
    found = facts(overview)
    assert found["notes"][0].startswith("messages that do not count: the dispatcher ")
    assert not found["dispatcher"]["is_live"]


def test_a_state_with_wrong_parts_is_read_as_far_as_it_is_right():
    overview = heard()
    odd = {"hall1": 7, "hall2": {"share_W": "x", "left_s": -1, "problem": 3}, "hall9": {}}
    hear(overview, STATE_TOPIC, {"cabinets": odd, "connection_W": [], "epoch": True})
    found = facts(overview)
    assert found["dispatcher"]["is_live"] and found["dispatcher"]["epoch"] is None
    assert found["cabinets"]["hall2"]["share_from"] is None
    assert found["cabinets"]["hall2"]["share_W"] == 200_000, "its fallback"
    words = "the dispatcher has a wrong"
    fields = ["connection_W", "epoch", "row of hall1", "share_W of hall2", "left_s of hall2"]
    assert set(found["odd_messages"]) == {
        f"{words} {each}" for each in (*fields, "problem of hall2")
    }


def test_an_overview_is_complete_when_each_cabinet_and_the_dispatcher_have_spoken():
    overview = heard({"hall2": None}, state())
    assert not overview.is_complete()
    hear(overview, "firebreak/hall2/online", b"offline", True)
    assert overview.is_complete()
    assert not heard().is_complete()


@pytest.mark.parametrize("seed", range(20))
def test_no_message_raises(seed):
    draw = random.Random(seed)
    overview: Overview = heard(shared=state())
    good = [json.dumps(report()).encode(), json.dumps(state()).encode()]
    topics = [REPORT, STATE_TOPIC, "firebreak/hall2/online", "firebreak/hall9/report", "firebreak"]
    for _ in range(300):
        payload = bytearray(draw.choice(good))
        for _ in range(draw.randrange(4)):
            payload[draw.randrange(len(payload))] = draw.choice(b'"{}[]0,:-1e9ntu\\ \xff')
        hear(overview, draw.choice(topics), bytes(payload), draw.random() < 0.5)
        json.dumps(facts(overview))
