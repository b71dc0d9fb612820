"""Feeds for the tests: a Feed, quarters around a time, the line of a refusal, files to write."""

import os
from datetime import datetime
from zoneinfo import ZoneInfo

from series_files import FOREIGN

from controller.planner.feeds import reading
from controller.planner.feeds.points import QUARTER_S, Feed, Span, slots
from controller.series.refusal import SeriesError

BERLIN = ZoneInfo("Europe/Berlin")
KEYS = {"column": "", "unit": "", "begin": "", "base_W": None, "time_is": "begin"}


def utc_s(local):
    """A local time of Berlin, in s since 1970."""
    return datetime.fromisoformat(local).replace(tzinfo=BERLIN).timestamp()


DAY = "2026-11-25T23:00Z", "2026-11-26T23:00Z"
NOW_S = utc_s("2026-11-26T12:00")


def feed(path, kind="prices", format="csv", **keys):
    return Feed(kind, kind, format, 36 * 3600, BERLIN, "EUR", {**KEYS, "path": str(path), **keys})


def span(now_s=NOW_S, before=96 * 3, quarters=96 * 6, since_s=float("-inf")):
    return Span(now_s // QUARTER_S * QUARTER_S - before * QUARTER_S, quarters, now_s, since_s)


def answer(own, now_s=NOW_S):
    """(points, "") or (None, the one line of a refusal)."""
    try:
        return reading.read(own, span(now_s)), ""
    except SeriesError as error:
        line = str(error)
    assert not [word for word in FOREIGN if word in line], line
    return None, line


def written(path, data, at_s=NOW_S - 3600):
    """The path of a file with this text or these bytes, written at this time."""
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    os.utime(path, (at_s, at_s))
    return path


def hourly(points, local, count):
    """Money per MWh, or watts, of the first quarter of each hour; None where it is unknown."""
    every = slots(points, utc_s(local), 4 * count)[::4]
    factor = 1000 if max(points.values) < 10 else 1
    return [round(each * factor, 6) if each == each else None for each in every]


# ---- ENTSO-E documents, by the schema of publication document 7.3


def period(prices, resolution="PT60M", ends=DAY):
    points = "".join(
        f"<Point><position>{at}</position><price.amount>{price}</price.amount></Point>"
        for at, price in prices.items()
    )
    start, end = ends
    return (
        f"<Period><timeInterval><start>{start}</start><end>{end}</end></timeInterval>"
        f"<resolution>{resolution}</resolution>{points}</Period>"
    )


def series(*periods, curve="A03", contract="A01", currency="EUR", unit="MWH", sequence=1):
    return (
        f"<TimeSeries><mRID>1</mRID><auction.type>A01</auction.type>"
        f"<contract_MarketAgreement.type>{contract}</contract_MarketAgreement.type>"
        f"<currency_Unit.name>{currency}</currency_Unit.name>"
        f"<price_Measure_Unit.name>{unit}</price_Measure_Unit.name>"
        f"<classificationSequence_AttributeInstanceComponent.position>{sequence}"
        f"</classificationSequence_AttributeInstanceComponent.position>"
        f"<curveType>{curve}</curveType>{''.join(periods)}</TimeSeries>"
    )


def document(*every, name="Publication_MarketDocument", kind="A44", head=""):
    space = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<{name} xmlns="{space}"><type>{kind}</type>'
        f"{''.join(every)}</{name}>"
    )
