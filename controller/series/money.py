"""Finds currency and unit in the name of a price. It never guesses an unknown word.

The name of a price must state money per MWh or kWh, or hundredths per kWh, as in
`price_EUR_per_MWh` or `ct/kWh`. Thousandths, and money that is not listed here, are no unit; the
feed of the price then needs the key `unit`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from controller.series.refusal import SeriesError, shown
from controller.series.units import CENT_PER_KWH, PER_KWH, PER_MWH, PRICE, Quantity, Unit

# Codes of ISO 4217, without ALL and TOP, which are also words
CODES = """
aed afn amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd btn bwp byn bzd cad
cdf chf clp cny cop crc cup cve czk djf dkk dop dzd egp ern etb eur fjd fkp gbp gel ghs gip gmd gnf
gtq gyd hkd hnl htg huf idr ils inr iqd irr isk jmd jod jpy kes kgs khr kmf kpw krw kwd kyd kzt lak
lbp lkr lrd lsl lyd mad mdl mga mkd mmk mnt mop mru mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd
omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sdg sek sgd shp sle sos srd ssp stn
syp szl thb tjs tmt tnd try ttd twd tzs uah ugx usd uyu uzs ves vnd vuv wst xaf xcd xof xpf yer zar
zmw
"""
# Currencies that each word may mean. The words are in small letters.
WHOLES = """
EUR: \u20ac euro euros
USD CAD AUD NZD SGD HKD: $ dollar dollars
USD: us$
CAD: c$ ca$
AUD: a$ au$
NZD: nz$
BRL: r$
SGD: s$
HKD: hk$
GBP: \u00a3 pound pounds sterling
SEK NOK DKK ISK: kr krona kronor krone kroner
JPY CNY: \u00a5
JPY: yen
CNY: yuan rmb \u5143
CHF: fr franken franc francs
PLN: z\u0142 zl zloty
CZK: k\u010d kc
HUF: ft forint
INR: \u20b9 rs rupee rupees
TRY: \u20ba
KRW: \u20a9
UAH: \u20b4
"""
HUNDREDTHS = """
EUR USD CAD AUD NZD SGD HKD ZAR: c ct cts cent cents \u00a2
EUR: eurocent eurocents euroct eurct c\u20ac \u20acct snt
USD: uscent uscents usct usc
SEK: \u00f6re
NOK DKK: \u00f8re
SEK NOK DKK: oere ore
GBP: p pence penny
CHF: rp rappen
EUR CHF: centime centimes
PLN: gr grosz groszy
CNY: fen
INR: paise
"""
# How many of a currency make a euro, as a power of ten. The rate is at most twice this number, so
# the range of prices holds -500 to 5000 EUR/MWh. Rates: means of 2024 of the European Central Bank
# and the European Commission (InforEuro). AUD and NZD are one step higher, because their markets
# allow up to 20 300 per MWh.
SCALES = """
1: EUR USD GBP CHF CAD SGD BGN BAM KWD BHD OMR JOD
10: AUD NZD DKK NOK SEK PLN RON CNY HKD ILS BRL MYR MXN ZAR GEL MDL MAD TND SAR AED QAR PEN GHS
100: CZK JPY ISK TRY THB INR PHP TWD UAH RSD MKD EGP KES BDT UYU
1000: HUF KRW CLP KZT LKR PKR ARS NGN
10000: IDR COP
100000: IRR LBP VND
"""
SCALE_MAX = 100_000.0  # of a currency that is not listed
NAME_MAX = 100  # characters; the time of the patterns grows with the square of the length
# These words mean money only before an energy, as in `ct/kWh`. Elsewhere they may be a zone, a
# month or a percentile.
BEFORE_ENERGY = ["c", "p", "ct", "fr", "rs", "ft", "kc", "zl", "gr", "rp"]


def _codes_by_word(text: str) -> dict[str, set[str]]:
    lines = [line.split(":") for line in text.strip().splitlines()]
    return {word: set(codes.split()) for codes, names in lines for word in names.split()}


_HUNDREDTHS = _codes_by_word(HUNDREDTHS)
_SCALES = {code: float(min(rates)) for code, rates in _codes_by_word(SCALES).items()}
_MONEY = {code: {code.upper()} for code in CODES.split()} | _codes_by_word(WHOLES) | _HUNDREDTHS
_CASE_CHANGE = re.compile(
    "(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!per)[a-gi-z])"
)  # endsAt, but not kWh
_GAP = r"[\s_.()\[\]-]*"
_PER = rf"{_GAP}(?:/|per|pro)?{_GAP}([km])wh"
_WORD = rf"(?<![^\W\d_])(?:{'|'.join(map(re.escape, sorted(_MONEY, key=len, reverse=True)))})"
_WHOLE_WORD = re.compile(rf"{_WORD}(?=[\W\d_]|{_PER}|$)")
# Words that may stand before the energy in place of money. `per kWh` alone is also a price.
_PRICE = (
    r"(?<![^\W\d_])[^\W\d_]*"
    "(?:price|preis|pris|prix|costs?|tariff?|rate|value|amount|charge|spot|total)"
)
_PRICED = re.compile(rf"({_WORD}|{_PRICE}|^(?={_GAP}(?:/|per|pro))){_PER}")
_NAMES_UNIT = re.compile("currency|w(?:ae?|\u00e4)hrung|valuta|devise|unit|einheit")


def small(name: str) -> str:
    """The first NAME_MAX characters of a name in small letters, with its words separated."""
    return _CASE_CHANGE.sub("_", name[:NAME_MAX]).lower()


def price_unit(column: str) -> Unit | None:
    """The unit in the column name of a price; None: no unit."""
    for word, energy in _PRICED.findall(small(column)):
        if word not in _HUNDREDTHS:
            return PER_KWH if energy == "k" else PER_MWH
        if energy == "k":
            return CENT_PER_KWH
    return None


def scales(text: str) -> list[float]:
    """The number of SCALES for each currency that a text may name; [] if none is listed."""
    candidates = currencies(text) or [set()]
    codes = set.intersection(*candidates) or set.union(*candidates)
    return [_SCALES[code] for code in codes if code in _SCALES]


def price(currency: str) -> Quantity:
    """A price with the range of its currency; without a currency, with the range of the euro."""
    per_euro = max(scales(currency), default=SCALE_MAX if currency else 1.0)
    return PRICE._replace(low=per_euro * PRICE.low, high=per_euro * PRICE.high)


def other_currency(text: str, wanted: str) -> str:
    """A currency other than `wanted` in the name or unit of a price, or ""."""
    wanted_codes = set[str]().union(*currencies(wanted)) or {wanted.upper()}
    foreign = [currency for currency in currencies(text) if not currency & wanted_codes]
    return " or ".join(sorted(foreign[0])) if foreign else ""


@lru_cache(1024)
def says(name: str) -> bool:
    """True if a field with this name states the currency or the unit of a price."""
    return _NAMES_UNIT.search(name.lower()) is not None


def check(where: str, beside: Iterable[tuple[str, Any]], wanted: str, unit: Unit) -> None:
    """Compare the texts beside a price with a currency and a unit. SeriesError: they differ."""
    for name, text in beside:
        if not isinstance(text, str) or not says(name):
            continue
        if other_currency(text, wanted) or price_unit(text) not in (None, unit):
            message = f"{shown(text)}: allowed is money in {wanted}, {unit.name}"
            raise SeriesError(f"{where}: {name} = {message}")


def currencies(text: str) -> list[set[str]]:
    """Possible currencies of each word of money in a text."""
    name = small(text)
    return [
        _MONEY[match[0]]
        for match in _WHOLE_WORD.finditer(name)
        if match[0] not in BEFORE_ENERGY or re.match(_PER, name[match.end() :])
    ]
