"""A feed of warnings: what counts, what is withdrawn, and one line for each that is wrong."""

import json

import pytest
from feed_cases import NOW_S, answer, feed, utc_s, written
from test_inputs import load, planner, prices

from controller.planner import inputs
from tests.tables import cases

assert load and prices  # fixtures
HEAD = "begin,hours_h\n"
WORDS = "allowed are hours up to 168, 0 to withdraw it, or an end after the begin"
WAY = {"format": "json", "list": "data", "time": "from", "value": "to", "unit": "h"}


def warned(*feeds, now_s=NOW_S):
    """Starts and ends of warned spans, in quarters of an hour from 12:00 on; the lines about it."""
    found = inputs.Inputs(planner(*feeds)).read(now_s)
    edges = [
        at
        for at, pair in enumerate(zip([False, *found.warned], [*found.warned, False]))
        if pair[0] != pair[1]
    ]
    return edges, [line for line in found.doubts if line.startswith("feed warnings")]


def csv(tmp_path, *rows, at_s=NOW_S - 60, head=HEAD):
    return feed(written(tmp_path / "w.csv", head + "".join(f"{row}\n" for row in rows), at_s), KIND)


KIND = "warnings"


def test_spans_count_in_each_quarter_that_they_touch_and_may_overlap(tmp_path):
    rows = "2026-11-26T13:10,0.9", "2026-11-26T18:00,2", "2026-11-26T19:00,3"
    assert warned(csv(tmp_path, *rows)) == ([4, 9, 24, 40], [])


def test_an_end_counts_as_hours_do_and_a_foreign_offset_too(tmp_path):
    own = csv(tmp_path, "2026-11-26T12:00Z,2026-11-26T15:30Z", head="begin,end\n")
    own = own._replace(keys={**own.keys, "column": "end", "unit": "h"})
    assert warned(own) == ([4, 18], [])


def test_json_of_a_service(tmp_path):
    spans = [("2026-11-26T20:00+01:00", 2), ("2026-11-26T14:00+01:00", "2026-11-26T15:00+01:00")]
    text = json.dumps({"data": [{"from": begin, "to": end} for begin, end in spans]})
    assert warned(feed(written(tmp_path / "w.json", text), KIND, **WAY)) == ([8, 12, 32, 40], [])


@pytest.mark.parametrize("rows", [(), ("2026-11-26T13:00,3", "2026-11-26T13:00,0")])
def test_a_warning_that_is_gone_or_has_no_hours_is_withdrawn(tmp_path, rows):
    own = csv(tmp_path, "2026-11-26T13:00,3", "2026-11-27T00:00,1")
    made = inputs.Inputs(planner(own))
    assert made.read(NOW_S).warned.count(True) == 16
    csv(tmp_path, *rows, at_s=NOW_S)
    found = made.read(NOW_S + 300)
    assert not any(found.warned) and not [each for each in found.doubts if KIND in each]


@cases("""row  edges  line
    "2026-11-26T13:00,168"  [4, 196]  ""
    "2026-11-26T13:00,168.1"  [4]  "line 2: '168.1': {}: it counts for 168 h"
    "2026-11-26T13:00,1e9"  [4]  "line 2: '1e9': {}: it counts for 168 h"
    "2026-11-26T13:00,9999-12-31"  [4]  "line 2: '9999-12-31': {}: it counts for 168 h"
    "2026-11-24T12:00,soon"  [0, 96]  "line 2: 'soon': {}: it counts for 72 h"
    "2026-11-24T12:00,-1"  [0, 96]  "line 2: '-1': {}: it counts for 72 h"
    "2026-11-06T12:00,640"  [0]  ""
    "2026-11-06T12:00,9999"  [0]  "line 2: '9999': {}: it counts for 648 h"
    "2026-11-06T12:00,488"  [0, 32]  ""
    "2026-11-26T13:00,2027-11-26"  [4]  "line 2: '2027-11-26': {}: it counts for 168 h"
    "2026-11-26T13:00,-1"  [4, 100]  "line 2: '-1': {}: it counts for 24 h"
    "2026-11-26T13:00,soon"  [4, 100]  "line 2: 'soon': {}: it counts for 24 h"
    "2026-11-26T13:00,"  [4, 100]  "line 2: '': {}: it counts for 24 h"
    "2026-11-26T13:00,2026-11-26T12:59"  [4, 100]  "line 2: '2026-11-26T12:59': {}: it counts for"
    "2026-11-26T13:00,2026-11-26T13:00"  [4, 100]  "line 2: '2026-11-26T13:00': {}: it counts for"
    "tomorrow,3"  []  "line 2 does not count: 'tomorrow': allowed is a time as"
    "2026-11-26T09:00,3.0"  []  ""
    "2026-11-26T09:00,3.1"  [0, 1]  ""
""")
def test_a_wrong_warning_is_one_line_and_the_others_count(tmp_path, row, edges, line):
    own = csv(tmp_path, row, at_s=NOW_S)
    own = own._replace(keys={**own.keys, "time_is": ""})
    found, lines = warned(own)
    assert [each for each in found if each < 196] == [each for each in edges if each < 196]
    assert len(lines) == bool(line)
    if line:
        assert lines[0].startswith(f"feed warnings: {line.format(WORDS)}")
        second = csv(tmp_path, row, "2026-11-28T08:00,1", at_s=NOW_S)
        last = (
            [176, 180] if len(edges) != 1 else [*edges, 196]
        )  # the longest reaches over the second one
        assert warned(second)[0][-2:] == last and len(warned(second)[1]) == 1


@cases("""hours  edges
    [24,4]  [4,100] | [4,24]  [4,100] | ["x",4]  [4,100] | [4,"x"]  [4,100] | [4,0]  []
    [24,0,4]  [4,20] | [0,4]  [4,20] | [0]  []
""")
def test_of_two_warnings_from_one_hour_the_longer_counts(tmp_path, hours, edges):
    own = csv(tmp_path, *[f"2026-11-26T13:00,{each}" for each in hours], at_s=NOW_S)
    assert warned(own)[0] == edges


def test_many_wrong_warnings_are_few_lines_and_too_many_are_refused(tmp_path):
    rows = [f"2026-11-26T13:00,x{at}" for at in range(1000)]
    assert [len(warned(csv(tmp_path, *rows[:count]))[1]) for count in (5, 6, 1000)] == [5, 6, 6]
    assert warned(csv(tmp_path, *rows))[1][-1] == "feed warnings: 1000 warnings are wrong"
    assert answer(csv(tmp_path, *rows, rows[0]))[1].endswith("allowed are at most 1000 warnings")


def test_a_torn_file_keeps_the_warnings_of_before_and_an_old_one_says_nothing_more(tmp_path):
    own = csv(tmp_path, "2026-11-26T13:00,3", at_s=NOW_S)
    own = own._replace(max_age_s=3600.0)
    made = inputs.Inputs(planner(own))
    assert made.read(NOW_S).warned.count(True) == 12
    written(tmp_path / "w.csv", "torn", NOW_S + 60)
    found = made.read(NOW_S + 1800)
    assert found.warned.count(True) == 12
    (line,) = [each for each in found.doubts if KIND in each]
    assert line.endswith("its values are 0.5 h old and count until 1 h")
    found = made.read(NOW_S + 3601)
    assert not any(found.warned)
    assert any("its values are 1.0 h old, allowed are 1 h" in each for each in found.doubts)


def test_of_two_feeds_both_count_and_none_is_no_warning(tmp_path, load, prices):
    first = csv(tmp_path, "2026-11-26T13:00,1")
    path = written(tmp_path / "b.csv", HEAD + "2026-11-26T15:00,1\n")
    assert warned(first, feed(path, KIND)) == ([4, 8, 12, 16], [])
    found = inputs.Inputs(planner(load, prices)).read(NOW_S)
    assert found.warned == [] and inputs.known(found, 1e9, [0.0]).warned == []
    found = inputs.Inputs(planner(load, prices, first)).read(NOW_S)
    assert (
        inputs.known(found, 1e9, [0.0]).warned == found.warned
        and utc_s("2026-11-26T12:00") == NOW_S
    )


@cases("""day  row  edges
    "2026-10-25T00:00"  "2026-10-25T02:30,1"  [10, 18]
    "2026-10-25T00:00"  "2026-10-25T01:00,2026-10-25T02:30"  [4, 14]
    "2026-10-25T00:00"  "2026-10-25T02:30+01:00,1"  [14, 18]
    "2027-03-28T00:00"  "2027-03-28T02:30,3"  [10, 22]
    "2027-03-28T00:00"  "2027-03-28T01:00,2027-03-28T02:30"  [4, 10]
""")
def test_a_time_that_exists_twice_or_never_warns_of_more_and_not_of_less(tmp_path, day, row, edges):
    now_s = utc_s(day)
    assert warned(csv(tmp_path, row, at_s=now_s), now_s=now_s) == (edges, [])


def test_an_old_file_says_that_no_warning_counts(tmp_path):
    own = csv(tmp_path, "2026-11-26T13:00,3", at_s=NOW_S - 37 * 3600)
    assert warned(own)[1][0].endswith("allowed are 36 h: no warning counts")
