"""What every reader of foreign prices must understand, or refuse in one line."""

import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from controller.planner.feeds import entsoe, json_rows, rows
from controller.planner.feeds.points import Feed
from controller.series import prices
from controller.series.money import other_currency
from controller.series.refusal import SeriesError

BERLIN = ZoneInfo("Europe/Berlin")
FIRST_S = 1_780_264_800  # 2026-06-01T00:00 in Berlin
MARK = b"\xef\xbb\xbf"
HUNDREDTHS = ("\u00f6re", "pence", "p", "Rappen", "\u00f8re")
# spellings of other currencies than the euro
OTHERS = {
    **{
        "SEK": "SEK",
        "sek": "SEK",
        "\u00f6re": "SEK",
        "kr": "SEK",
        "kronor": "SEK",
        "\u00f8re": "NOK",
    },
    **{"$": "USD", "US$": "USD", "\u00a3": "GBP", "pence": "GBP", "p": "GBP", "Rappen": "CHF"},
    **{"z\u0142": "PLN", "TRY": "TRY", "\u00a5": "JPY"},
}
# of the currency in a euro, about, in 2024
RATES = {
    "EUR": 1,
    "JPY": 164,
    "HUF": 395,
    "KRW": 1475,
    "IDR": 17_000,
    "VND": 27_000,
    "SEK": 11.4,
    "AUD": 1.64,
}
LOW = (0.31, 0.28, 0.35) * 8


def of_csv(path, currency="EUR", **keys):
    own = {"path": str(path), "column": "", "unit": "", "time_is": "", **keys}
    return rows.read(str(path), Feed("x", "prices", "csv", 1e6, BERLIN, currency, own), 2e9)


def of_json(data, kind="prices", currency="EUR", **keys):
    own = {"list": "", "time_is": "", **keys}
    return json_rows.parsed(data, Feed("x", kind, "json", 1e6, BERLIN, currency, own), 2e9)


class ForeignSuite:
    """A reader's class gives `text` and `read`."""

    ending = "csv"
    says_an_unknown_currency = True
    own = ("EUR", "eur", "\u20ac", "Euro", "euros")

    def text(self, times, values, names):
        """The bytes of a file with these times and values."""
        raise NotImplementedError

    def read(self, path, unit, **keys):
        """(start of the first value in UTC s, value per kWh, doubts). SeriesError."""
        raise NotImplementedError

    def answer(
        self, folder, values=(80,) * 24, time="start", name="price", unit="EUR/MWh", **changed
    ):
        first, mark = changed.pop("first", FIRST_S), changed.pop("mark", b"")
        times = [self.time(first + 3600 * at) for at in range(len(values))]
        path = folder / f"foreign.{self.ending}"
        path.write_bytes(mark + self.text(times, values, (time, name, unit)))
        return self.read(str(path), unit, time=time, name=name, **changed)

    def time(self, at_s):
        return datetime.fromtimestamp(at_s, BERLIN).strftime("%Y-%m-%dT%H:%M")

    def test_a_price_of_a_begin(self, tmp_path):
        assert self.answer(tmp_path) == (FIRST_S, 0.08, [])

    def test_the_name_of_an_end_is_understood(self, tmp_path):
        for name in (
            "period_end Ende endsAt bis to till end_time interval_end slut fin validTo"
            " SETTLEMENTDATE nemTime"
        ).split():
            begin_s, _, doubts = self.answer(tmp_path, time=name, first=FIRST_S + 3600)
            assert (begin_s, doubts) == (FIRST_S, []), name

    def test_a_time_that_may_be_an_end_is_doubted_until_a_key_says_it(self, tmp_path):
        begin_s, _, (doubt,) = self.answer(tmp_path, time="time")
        assert begin_s == FIRST_S and doubt.startswith("time: taken as the begin of each period")

    def test_an_ordinary_price_of_each_currency_is_taken(self, tmp_path):
        """The price of 80 EUR/MWh, and the ends of an exchange, -500 and 5000 EUR/MWh."""
        for code, rate in RATES.items():
            for price in (80, 5000, -500):
                values = (price * rate,) * 24
                found = self.answer(tmp_path, values, unit=f"{code}/MWh", currency=code)
                assert found[1:] == (pytest.approx(price * rate / 1000), []), code
            with pytest.raises(SeriesError, match="allowed is -"):
                self.answer(tmp_path, (200_001 * rate,) * 24, unit=f"{code}/MWh", currency=code)

    def test_a_currency_without_a_usual_size_is_doubted_and_taken(self, tmp_path):
        found = self.answer(tmp_path, (9e6,) * 24, unit="XPF/MWh", currency="XPF")
        doubt = "XPF: the usual size of prices is unknown, so a wrong unit is not seen"
        assert found[1] == 9000 and found[2] == [doubt] * self.says_an_unknown_currency

    def test_another_currency_is_no_price_of_the_tariff(self, tmp_path):
        for name, code in OTHERS.items():
            unit = f"{name}/{'kWh' if name in HUNDREDTHS else 'MWh'}"
            try:
                _, _, doubts = self.answer(tmp_path, name="price", unit=unit)
            except SeriesError as error:
                doubts = [str(error)]
            assert code in doubts[0] or f"= {ascii(name)}: allowed is EUR" in doubts[0], (
                name,
                doubts,
            )

    def test_each_spelling_of_the_currency_is_taken(self, tmp_path):
        for name in self.own:
            assert self.answer(tmp_path, unit=f"{name}/MWh")[1:] == (0.08, []), name

    def test_a_price_per_kWh_under_a_name_per_MWh_is_doubted(self, tmp_path):
        _, _, doubts = self.answer(tmp_path, LOW)
        assert "0.35 per MWh: is the unit right?" in doubts[0]

    def test_hundredths_and_money_per_kWh(self, tmp_path):
        assert self.answer(tmp_path, (8.5,) * 24, unit="ct/kWh")[1:] == (0.085, [])
        assert self.answer(tmp_path, (0.085,) * 24, unit="EUR/kWh")[1:] == (0.085, [])

    def test_a_decimal_comma(self, tmp_path):
        assert self.answer(tmp_path, ("80,25",) * 24)[1] == 0.08025

    def test_a_byte_order_mark(self, tmp_path):
        assert self.answer(tmp_path, mark=MARK) == (FIRST_S, 0.08, [])

    def test_both_hours_of_the_night_in_which_the_clock_goes_back(self, tmp_path):
        night_s = 1_792_879_200  # 2026-10-25T00:00 in Berlin
        found = self.answer(tmp_path, tuple(range(1, 26)), first=night_s)
        assert found[0] == night_s


class ForeignCsv(ForeignSuite):
    def text(self, times, values, names):
        time, name, unit = names
        lines = [f"{time};{name} {unit}", *[f"{at};{each}" for at, each in zip(times, values)]]
        return ("\n".join(lines) + "\n").encode()


class CsvFeed(ForeignCsv):
    def read(self, path, unit, time, name, **keys):
        found = of_csv(path, **keys)
        return found.utc_s[0], found.values[0], found.doubts


class RunPrices(ForeignCsv):
    says_an_unknown_currency = False  # `hil run` compares its currency with that of the tariff

    def read(self, path, unit, time, name, currency="EUR", **keys):
        for start in ("2026-06-01T00:00", "2026-10-25T00:00"):
            day = datetime.fromisoformat(start)
            try:
                found = prices.read(path, day, "Europe/Berlin", 3600, 24)
            except SeriesError as error:
                if "no price" not in str(error):
                    raise
                failed = error
                continue
            other = other_currency(found.column, currency)
            others = [f"{found.column} is in {other}"] * bool(other)
            begin_s = day.replace(tzinfo=BERLIN).timestamp()
            return begin_s, found.per_kWh[0], others + found.doubts
        raise failed


class JsonFeed(ForeignSuite):
    ending = "json"

    def text(self, times, values, names):
        entries = [{names[0]: at, names[1]: each} for at, each in zip(times, values)]
        return json.dumps({"d": entries}).encode()

    def read(self, path, unit, time, name, **keys):
        with open(path, "rb") as file:
            found = of_json(file.read(), list="d", time=time, value=name, unit=unit, **keys)
        return found.utc_s[0], found.values[0], found.doubts


class JsonObject(JsonFeed):
    """An object of {time: value}, as forecast.solar has it."""

    test_both_hours_of_the_night_in_which_the_clock_goes_back = None  # a name that is there twice

    def text(self, times, values, names):
        return json.dumps({"d": dict(zip(times, values))}).encode()


class EntsoeXml(ForeignSuite):
    """Its schema has starts, MWh and a decimal point alone, and times in UTC."""

    ending = "xml"
    own = ("EUR",)
    test_the_name_of_an_end_is_understood = None
    test_a_time_that_may_be_an_end_is_doubted_until_a_key_says_it = None
    test_hundredths_and_money_per_kWh = None
    test_a_decimal_comma = None

    def time(self, at_s):
        return at_s

    def text(self, times, values, names):
        ends = [
            datetime.fromtimestamp(each, ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%MZ")
            for each in (times[0], times[-1] + 3600)
        ]
        points = "".join(
            f"<Point><position>{at}</position><price.amount>{each}</price.amount></Point>"
            for at, each in enumerate(values, 1)
        )
        return (
            f'<Publication_MarketDocument xmlns="urn:x"><type>A44</type><TimeSeries>'
            f"<currency_Unit.name>{names[2].partition('/')[0]}</currency_Unit.name>"
            f"<price_Measure_Unit.name>MWH</price_Measure_Unit.name><Period><timeInterval>"
            f"<start>{ends[0]}</start><end>{ends[1]}</end></timeInterval>"
            f"<resolution>PT60M</resolution>{points}</Period></TimeSeries>"
            f"</Publication_MarketDocument>"
        ).encode()

    def read(self, path, unit, time, name, **keys):
        with open(path, "rb") as file:
            found = entsoe.parsed(file.read(), keys.get("currency", "EUR"), 2e9)
        return found.utc_s[0], found.values[0], found.doubts
