"""Day-ahead prices of an ENTSO-E document (Publication_MarketDocument, type A44).

A document may have several series. Series of a continuous market (contract other than A01) and of a
second auction (a higher classification sequence) are left out. If two series give a price for the
same quarter, the one with the shorter step counts. In a series of curve type A03, a missing
position has the price of the position before it.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from xml.etree import ElementTree

from controller.planner.feeds.points import QUARTER_S, Points, of_quarters
from controller.series import money, table
from controller.series.meaning import Asked, taken
from controller.series.refusal import SeriesError, shown
from controller.series.units import PER_MWH, PRICE, Quantity

QUARTERS = {"PT15M": 1, "PT30M": 2, "PT60M": 4, "PT1H": 4}  # {resolution: quarters of an hour}
QUARTERS_MAX = 400 * 96  # of a period
QUARTERS_SUM_MAX = 2 * QUARTERS_MAX  # of all periods: a year in two steps
TAGS_MAX = 100_000  # a document of 1 MiB of prices has 84 000
DAY_AHEAD, FILLED = "A01", "A03"
Element = ElementTree.Element


class Period(NamedTuple):
    """A Period of a series."""

    block: Element
    start: int  # its first quarter since 1970
    step: int  # quarters of a step
    steps: int  # number of steps
    curve: str  # curve type


def parsed(data: bytes, currency: str, made_s: float) -> Points:
    """The points of a document. SeriesError says why in one line."""
    series = [
        time_series
        for time_series in _root(data).findall("{*}TimeSeries")
        if _text(time_series, "contract_MarketAgreement.type") in ("", DAY_AHEAD)
    ]
    first = min(map(_sequence, series), default=0)
    kept = [time_series for time_series in series if _sequence(time_series) == first]
    periods = [period for time_series in kept for period in _periods(time_series, currency)]
    if sum([period.step * period.steps for period in periods]) > QUARTERS_SUM_MAX:
        raise SeriesError(
            f"its periods have more than {QUARTERS_SUM_MAX} quarters of an hour in all"
        )
    prices, steps, twice = dict[int, float](), dict[int, int](), 0
    for period in sorted(periods, key=lambda period: -period.step):
        for quarter, price in _prices(period, money.price(currency)).items():
            twice += steps.get(quarter) == period.step and prices[quarter] != price
            prices[quarter], steps[quarter] = price, period.step
    if not prices:
        raise SeriesError("no day-ahead price: needed is a TimeSeries with a Period")
    lines = [f"{twice} prices are twice and differ: the last one counts"] if twice > 0 else []
    points = of_quarters({quarter * QUARTER_S: price for quarter, price in prices.items()}, made_s)
    names = "start", f"price.amount {currency}"
    doubts = taken(points.utc_s, points.values, names, PER_MWH, Asked(PRICE, currency)).doubts
    return points._replace(doubts=lines + doubts)


def _root(data: bytes) -> Element:
    """The document. It may define no entities, because they can grow without a bound."""
    if b"<!DOCTYPE" in data or b"\0" in data:
        raise SeriesError("has a DOCTYPE or is no UTF-8: allowed is a plain ENTSO-E document")
    if data.count(b"<") > TAGS_MAX:
        raise SeriesError(f"has more than {TAGS_MAX} ends of elements: needed is a shorter span")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise SeriesError("not whole XML") from None
    name = root.tag.rpartition("}")[2]
    if name == "Acknowledgement_MarketDocument":
        raise SeriesError(f"no prices: the answer is {shown(_text(root, 'Reason/{*}text'))}")
    if name != "Publication_MarketDocument" or _text(root, "type") != "A44":
        raise SeriesError(f"{shown(name)}: needed is a Publication_MarketDocument of type A44")
    return root


def _sequence(series: Element) -> int:
    text = _text(series, "classificationSequence_AttributeInstanceComponent.position")
    return int(text) if text.isdecimal() else 1


def _text(element: Element, path: str) -> str:
    return (element.findtext(f"{{*}}{path}") or "").strip()


def _periods(series: Element, currency: str) -> Iterator[Period]:
    for name, allowed in (("currency_Unit.name", currency), ("price_Measure_Unit.name", "MWH")):
        if _text(series, name) != allowed:
            raise SeriesError(f"{name} = {shown(_text(series, name))}: allowed is {allowed}")
    for block in series.findall("{*}Period"):
        resolution = _text(block, "resolution")
        step = QUARTERS.get(resolution)
        ends = [_quarter(_text(block, f"timeInterval/{{*}}{bound}")) for bound in ("start", "end")]
        span = ends[1] - ends[0]
        if step is None or not 0 < span <= QUARTERS_MAX or span % step:
            raise SeriesError(
                f"{shown(resolution)} over {span} quarters of an hour: allowed are "
                f"{', '.join(QUARTERS)}, and a period of whole steps"
            )
        yield Period(block, ends[0], step, span // step, _text(series, "curveType"))


def _prices(span: Period, quantity: Quantity) -> dict[int, float]:
    """{quarter since 1970: price per kWh}."""
    block, start, step, count, curve = span
    by_position: dict[int, float] = {}
    for point in block.findall("{*}Point"):
        position, text = _text(point, "position"), _text(point, "price.amount")
        price = table.number(text, False)
        if not position.isdecimal() or not 1 <= int(position[:9]) <= count or price != price:
            raise SeriesError(
                f"position {shown(position)}, price {shown(text)}: allowed is 1..{count}, a number"
            )
        if int(position) in by_position:
            raise SeriesError(f"position {position} is twice in a period")
        by_position[int(position)] = quantity.value(price, PER_MWH, text)
    prices, before = dict[int, float](), None
    for place in range(count):
        before = by_position.get(place + 1, before if curve == FILLED else None)
        if before is not None:
            begin = start + place * step
            prices |= dict.fromkeys(range(begin, begin + step), before)
    return prices


def _quarter(text: str) -> int:
    """A time of the document in quarters of an hour since 1970."""
    try:
        time = datetime.fromisoformat(text)
        seconds = time.timestamp() if time.tzinfo else -1.0
    except (ValueError, OverflowError):
        seconds = -1.0
    if seconds < 0 or seconds % QUARTER_S:
        raise SeriesError(f"{shown(text)}: allowed is a quarter of an hour as 2026-11-25T23:00Z")
    return int(seconds // QUARTER_S)
