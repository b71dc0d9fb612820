"""Money in the name of a price: its currency and its unit. An unknown word is never guessed.

A price has money per MWh or kWh, or hundredths per kWh, anywhere in its name:
`price_EUR_per_MWh`, `ct/kWh`. A thousandth, or money that is not listed here, is no unit: the
price then needs the key `unit` of its feed.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from controller.series.refusal import SeriesError, shown
from controller.series.units import CENT_PER_KWH, PER_KWH, PER_MWH, Unit

# ISO 4217 without ALL and TOP, which are words
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
# These are money only before their energy. Elsewhere they may name a zone, a month or a percentile.
BEFORE_ENERGY = ["c", "p", "ct", "fr", "rs", "ft", "kc", "zl", "gr", "rp"]


def _words(text: str) -> dict[str, set[str]]:
    lines = [line.split(":") for line in text.strip().splitlines()]
    return {word: set(codes.split()) for codes, words in lines for word in words.split()}


_HUNDREDTHS = _words(HUNDREDTHS)
_MONEY = {code: {code.upper()} for code in CODES.split()} | _words(WHOLES) | _HUNDREDTHS
_HUMP = re.compile(
    "(?<=[a-z]{2})(?=[A-Z])|(?<=[A-Z])(?=[A-Z](?!per)[a-gi-z])"
)  # endsAt, but not kWh
_GAP = r"[\s_.()\[\]-]*"
_PER = re.compile(rf"{_GAP}(/|per|pro)?{_GAP}([km])wh")
_WORD = rf"(?<![^\W\d_])(?:{'|'.join(map(re.escape, sorted(_MONEY, key=len, reverse=True)))})"
_WHOLE_WORD = re.compile(rf"{_WORD}(?=[\W\d_]|{_PER.pattern}|$)")
_LAST_WORD = re.compile(rf"(?:{_WORD}|[^\W\d_]*)$")
# A price may be named so before its energy, in place of money.
_SAYS = re.compile("currency|w(?:ae?|\u00e4)hrung|valuta|devise|unit|einheit")
_PRICE = re.compile("price|preis|pris|prix|cost|tari|rate|value|amount|charge|spot|total")


def small(name: str) -> str:
    """The name in small letters, its words parted."""
    return _HUMP.sub("_", name).lower()


def price_unit(column: str) -> Unit | None:
    """The unit that the name of a price's column shows; None: none."""
    name = small(column)
    for found in _PER.finditer(name):
        last = _LAST_WORD.search(name, 0, found.start())
        word = last[0] if last else ""
        if word in _HUNDREDTHS:
            return CENT_PER_KWH if found[2] == "k" else None
        if word in _MONEY or _PRICE.search(word) or (found[1] and not word):
            return PER_KWH if found[2] == "k" else PER_MWH
    return None


def other_currency(text: str, wanted: str) -> str:
    """Another currency in the name of a price, or in its unit; "": it has none."""
    own = set[str]().union(*currencies(wanted)) or {wanted.upper()}
    others = [each for each in currencies(text) if not each & own]
    return " or ".join(sorted(others[0])) if others else ""


def saying(names: Iterable[str]) -> list[int]:
    """Places of the names, of a row or an object, whose values say currency or unit of a price."""
    return [at for at, name in enumerate(names) if _SAYS.search(name.lower())]


@lru_cache(64)
def check(text: str, wanted: str, unit: Unit) -> None:
    """Compare a value of these with the tariff and the unit. SeriesError: it is another one."""
    other, found = other_currency(text, wanted), price_unit(text)
    if other or found not in (None, unit):
        raise SeriesError(f"{shown(text)}: allowed is money in {wanted}, {unit.name}")


def currencies(text: str) -> list[set[str]]:
    """What each word of money in a text may mean."""
    name = small(text)
    return [
        _MONEY[found[0]]
        for found in _WHOLE_WORD.finditer(name)
        if found[0] not in BEFORE_ENERGY or _PER.match(name, found.end())
    ]
