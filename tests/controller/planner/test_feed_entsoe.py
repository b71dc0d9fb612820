"""Prices of ENTSO-E documents: series, steps, gaps, and wrong ones."""

import pytest
from feed_cases import DAY, answer, document, feed, hourly, period, series, utc_s, written

from controller.planner.feeds.points import slots
from tests.tables import cases


def read(tmp_path, text):
    return answer(feed(written(tmp_path / "a.xml", text), format="entsoe_xml"))


HOURS = {at: at - 4 for at in range(1, 25)}
SPARSE = {1: 5, 3: 7}


@cases("""given  found
    [series(period(HOURS))]  list(range(-3, 3))
    [series(period(SPARSE))]  [5, 5, 7, 7, 7, 7]
    [series(period(SPARSE), curve="A01")]  [5, None, 7, None, None, None]
    [series(period({1: 1, 5: 2, 9: 3}, "PT15M"))]  [1, 2, 3, 3, 3, 3]
    [series(period({1: 1, 3: 2}, "PT30M"))]  [1, 2, 2, 2, 2, 2]
    [series(period({1: 9}, "PT15M")), series(period(HOURS))]  [9, 9, 9, 9, 9, 9]
    [series(period(HOURS)), series(period({1: 9}), contract="A07")]  list(range(-3, 3))
    [series(period({1: 9}), sequence=2), series(period(HOURS))]  list(range(-3, 3))
    [series(period({1: 9}), sequence=2)]  [9, 9, 9, 9, 9, 9]
""")
def test_series_steps_and_gaps(tmp_path, given, found):
    points, refused = read(tmp_path, document(*given))
    assert (refused, points.doubts) == ("", [])
    assert hourly(points, "2026-11-26T00:00", 6) == found


def test_the_last_block_of_a_period_holds_until_its_end(tmp_path):
    points, _ = read(tmp_path, document(series(period({1: 5}))))
    found = slots(points, utc_s("2026-11-26T00:00"), 97)
    assert found[:96] == [0.005] * 96 and found[96] != found[96]


@cases("""ends  hours
    ("2026-03-28T23:00Z", "2026-03-29T22:00Z")  23
    ("2026-10-24T22:00Z", "2026-10-25T23:00Z")  25
""")
def test_a_day_of_another_length(tmp_path, ends, hours):
    given = period(dict(enumerate(range(hours), 1)), ends=ends)
    points, _ = read(tmp_path, document(series(given)))
    assert hourly(points, f"{ends[1][:10]}T00:00", hours + 1) == [*range(hours), None]
    refused = read(tmp_path, document(series(period({hours + 1: 1}, ends=ends))))[1]
    assert refused.endswith(f"position '{hours + 1}', price '1': allowed is 1..{hours}, a number")


def test_two_periods_follow_each_other_and_two_prices_for_one_time_are_named(tmp_path):
    noon = "2026-11-26T11:00Z"
    parts = period({1: 1}, ends=(DAY[0], noon)), period({1: 2}, ends=(noon, DAY[1]))
    points, _ = read(tmp_path, document(series(*parts)))
    assert hourly(points, "2026-11-26T11:00", 2) == [1, 2] and not points.doubts
    points, _ = read(tmp_path, document(series(parts[0]), series(period({1: 8}))))
    assert hourly(points, "2026-11-26T11:00", 2) == [8, 8]
    assert points.doubts == ["48 prices are twice and differ: the last one counts"]
    points, _ = read(tmp_path, document(series(period({1: 8})), series(period({1: 8}))))
    assert hourly(points, "2026-11-26T11:00", 2) == [8, 8] and not points.doubts


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>'
REASON = "<Reason><code>999</code><text>No matching data found</text></Reason>"


@cases("""text  line
    document(series(period(HOURS)))[:-30]  "not whole XML"
    "start,price"  "not whole XML"
    document(series(period(HOURS)), head=BOMB)  "has a DOCTYPE or is no UTF-8: allowed is a plain"
    document(series(period(HOURS))).encode("utf-16")  "has a DOCTYPE or is no UTF-8: allowed"
    document(REASON, name="Acknowledgement_MarketDocument")  "no prices: the answer is 'No matching"
    document(kind="A65")  "'Publication_MarketDocument': needed is a Publication_MarketDocument of"
    document()  "no day-ahead price: needed is a TimeSeries with a Period"
    document(series(period(HOURS), currency="NOK"))  "currency_Unit.name = 'NOK': allowed is EUR"
    document(series(period(HOURS), unit="KWH"))  "price_Measure_Unit.name = 'KWH': allowed is MWH"
    document(series(period(HOURS, "P1D")))  "'P1D' over 96 quarters of an hour: allowed are PT15M"
    document(series(period(HOURS, ends=DAY[::-1])))  "'PT60M' over -96 quarters of an hour"
    document(series(period(HOURS, ends=("noon", ""))))  "'noon': allowed is a quarter of an hour"
    document(series(period({0: 1})))  "position '0', price '1': allowed is 1..24, a number"
    document(series(period({1: "n/a"})))  "position '1', price 'n/a': allowed is 1..24, a number"
    document(series(period({1: 1e5})))  "'100000.0': a price: allowed is -1000 .. 10000 per MWh"
    document(series(period({"1": 1, "01": 2})))  "position 01 is twice in a period"
""")
def test_a_wrong_document_is_one_line(tmp_path, text, line):
    found, refused = read(tmp_path, text)
    assert found is None and refused.startswith(f"{tmp_path}/a.xml: {line}")


@pytest.mark.parametrize("nesting", [50_000])
def test_deep_nesting_ends_no_process(tmp_path, nesting):
    assert "needed is a Publication" in read(tmp_path, "<a>" * nesting + "</a>" * nesting)[1]
