"""Reads the rules of grid operators for the power of a large load. Each operator has a TOML file:
a shipped one (`rules/NAME.toml`), or a file that a user wrote.
"""

import datetime
import math
import pathlib
from typing import Any, NamedTuple

from controller.forms.field import (
    Form,
    check_value,
    choice,
    flag,
    number,
    numbers,
    passing,
    rows,
    text,
)
from controller.forms.reading import check_tables, read, read_variant, tables_of
from controller.forms.refusal import Path, refuse, shown

FOLDER = pathlib.Path(__file__).with_name("rules")
PROVENANCE = {
    "read": "read in the document",
    "list": "wording of a curated list that had opened the document",
    "second-hand": "second-hand",
    "template": "the shape of a rule, with example numbers",
}
CONFIRMED, TEMPLATE = "read", "template"
RANGE, CHANGE, RAMP = "range", "change", "ramp"
LINE, CONTENT, ENERGY, RIDE = "line", "content", "energy_share", "ride_through"
RESPONSE = "frequency_response"
MW, PERCENT = "limit_MW", "limit_percent"
# A window needs at least so many samples to show its highest and lowest value (assumed).
SAMPLES_MIN = 10
TIME_SAMPLES_MIN = 5  # samples needed in the shortest time of a curve or delay (assumed)
DECIDES, STRICTER, NET = "decides", "stricter", "net"  # which interpretation of a ramp decides
AT_MOST, BELOW = "at most", "below"
AFTER_SAG = "after_sag_s"  # a sag and this time after it are not judged
SLOWER = "slower_than_MW_per_s"  # a change above the limit must be slower than this
# Errors of floating point sums are smaller than this share. So a value that exceeds a limit by a
# smaller share still keeps the limit.
EXACT = 1e-9
DECADE = 10.0  # a rule about spectral lines needs a meter that sees 10 times its lowest frequency

_date = passing(lambda value: type(value) is datetime.date, "a date, as 2026-09-17")
_MW, _PERCENT = number(1e-6, 1e5, None), number(1e-6, 1000, None)
_window = number(0.02, 3600)
_BAND = numbers(0.001, 1000, counts=(2,))
HEAD: Form = {
    "operator": text(),
    "document": text(),
    "date": _date,
    "provenance": choice(PROVENANCE),
    "proposal": flag(False),
    "from_MW": number(0, 1e5, None),
    "above_MW": number(0, 1e5, None),
    "rule": passing(lambda value: isinstance(value, dict), "tables [rule.NAME]"),
}
OF_TEXT = "operator", "document", "date", "provenance", "proposal"
COMMON: Form = {
    "note": text(""),
    **{name: HEAD[name]._replace(default=None) for name in (*OF_TEXT, "from_MW", "above_MW")},
}
LIMITS: Form = {
    MW: _MW,
    PERCENT: _PERCENT,
    "limit_is": choice((AT_MOST, BELOW), AT_MOST),
    AFTER_SAG: number(0.02, 60, None),
}
FORMS: dict[str, Form] = {
    RANGE: {
        "window_s": _window,
        "band_Hz": _BAND._replace(default=None),
        "poles": passing(lambda value: value in ([1], [2], [1, 2]), "[1], [2] or [1, 2]", [1]),
        **LIMITS,
    },
    CHANGE: {"window_s": _window._replace(default=None), SLOWER: number(1e-3, 1e5, None), **LIMITS},
    RAMP: {
        "window_s": _window,
        "per": choice(("s", "min")),
        "direction": choice(("both", "up", "down"), "both"),
        "percentile": number(1, 100, None),
        DECIDES: choice((STRICTER, NET), STRICTER),
        **LIMITS,
    },
    LINE: {"window_s": _window, "low_Hz": number(0.001, 1000), **LIMITS},
    CONTENT: {"window_s": _window, "band_Hz": _BAND, **LIMITS},
    ENERGY: {"window_s": _window, "band_Hz": _BAND, PERCENT: _PERCENT},
    RESPONSE: {
        "nominal_Hz": number(45, 65),
        "dead_band_mHz": number(0, 500),
        "droop_percent": number(0.2, 20),
        "rated_MW": number(1e-6, 1e5),
        "most_MW": number(1e-6, 1e5),
        "delay_s": number(0.02, 5),
        PERCENT: _PERCENT,
    },
    RIDE: {
        "normal_pu": numbers(0, 9, counts=(2,)),
        "voltage_pu_s": rows((0, 9), (0, 9), (0, 3600)),
        "normal_Hz": numbers(0, 99, None, (2,)),
        "frequency_Hz_s": rows((0, 99), (0, 99), (0, 3600)),
        "rate_Hz_per_s": number(0.01, 100, None),
        "rate_window_s": number(0.02, 10, 0.5),
        "back_percent": number(1, 100, None),
        "back_s": number(0.02, 3600, None),
    },
}


Values = dict[str, Any]  # {key of a quantity, as in FORMS: value}


class Rule(NamedTuple):
    """One rule. values: see FORMS for the keys of each quantity. is_above: the rule applies to
    sites larger than from_MW, and not to a site of exactly from_MW.
    """

    operator: str
    document: str
    date: str
    provenance: str
    is_proposal: bool  # not in force: judged, but it does not decide
    name: str
    quantity: str
    from_MW: float
    is_above: bool
    note: str
    values: Values

    def limit(self, site_MW: float) -> float:
        """The limit for a site of this size, in `unit`. Do not call this for a ride-through rule,
        which has no such limit.
        """
        if self.quantity in (ENERGY, RESPONSE):
            return float(self.values[PERCENT])
        percent = self.values[PERCENT]
        of_size_MW = math.inf if percent is None else percent / 100 * site_MW
        return min(of_size_MW, math.inf if self.values[MW] is None else self.values[MW])

    @property
    def title(self) -> str:
        """Operator and name of the rule. (?) marks a rule whose own document was not read."""
        proposal = "proposal " if self.is_proposal else ""
        doubt = "" if self.provenance == CONFIRMED else " (?)"
        return f"{self.operator} {proposal}{self.name}{doubt}"

    @property
    def unit(self) -> str:
        """Unit of the rule's value."""
        if self.quantity in (ENERGY, RESPONSE, RIDE):
            return "s" if self.quantity == RIDE else "%"
        return f"MW/{self.values['per']}" if self.quantity == RAMP else "MW"

    @property
    def size_words(self) -> str:
        """The sizes of site to which the rule applies, in words. "" for all sizes."""
        return f"{'above' if self.is_above else 'from'} {self.from_MW:g} MW" if self.from_MW else ""

    def applies(self, site_MW: float) -> bool:
        """True if the rule applies to a site of this size."""
        size_MW = self.from_MW
        return exceeds(site_MW, size_MW) if self.is_above else not exceeds(size_MW, site_MW)

    def allows(self, value: float, site_MW: float) -> bool:
        """True if a site of this size may have this value."""
        limit = self.limit(site_MW)
        is_below = self.values.get("limit_is") == BELOW
        return exceeds(limit, value) if is_below else not exceeds(value, limit)

    @property
    def sample_s_max(self) -> float:
        """The longest time between two values of a meter with which the rule can be judged, s. The
        meter must see the lower half of a band's octaves, and give SAMPLES_MIN values in a window.
        """
        values = self.values
        if self.quantity == LINE:
            return 1 / (3 * DECADE * values["low_Hz"])
        if self.quantity == RESPONSE:
            return float(values["delay_s"]) / TIME_SAMPLES_MIN
        if self.quantity == RIDE:
            times = [row[2] for key in ("voltage_pu_s", "frequency_Hz_s") for row in values[key]]
            times += [
                values["back_s"],
                *([values["rate_window_s"]] if values["rate_Hz_per_s"] else []),
            ]
            return min([time for time in times if time]) / TIME_SAMPLES_MIN
        band_Hz = values.get("band_Hz")
        of_band_s = 1 / (3 * math.sqrt(band_Hz[0] * band_Hz[1])) if band_Hz else math.inf
        return min(of_band_s, values["window_s"] / SAMPLES_MIN)


def exceeds(value: float, limit: float) -> bool:
    """True if the value is above the limit by more than errors of floating point sums."""
    return value > limit * (1 + EXACT)


def names() -> list[str]:
    """Names of the shipped files."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def usual() -> list[str]:
    """Names of the shipped files that are not templates."""
    return [name for name in names() if not name.startswith(TEMPLATE)]


def load(name: str) -> list[Rule]:
    """The rules of a shipped file by its name, or of a file by its path. Raises ConfigError."""
    path = str(FOLDER / f"{name}.toml") if name in names() else name
    content = tables_of(path, "rules of one operator")
    top = read(path, (), content, HEAD)
    check_tables(path, ("rule",), top["rule"])
    if not top["rule"]:
        refuse(path, ("rule",), "has no rule", "a table [rule.NAME]")
    return [_rule(path, top, name, table) for name, table in top["rule"].items()]


def _rule(path: str, top: Values, name: str, table: Values) -> Rule:
    where = ("rule", name)
    values = read_variant(path, where, table, "quantity", FORMS, COMMON)
    quantity, note = values.pop("quantity"), values.pop("note")
    operator, document, date, provenance, is_proposal = [
        values.pop(key) or top[key] for key in OF_TEXT
    ]
    if quantity not in (RIDE, RESPONSE) and values.get(MW) is None and values[PERCENT] is None:
        refuse(path, where, "has no limit", "limit_MW, limit_percent or both")
    if quantity == CHANGE:
        values["window_s"] = _window_s(path, where, values)
    if quantity == RIDE and (values["back_percent"] is None) != (values["back_s"] is None):
        refuse(path, where, "has one of back_percent and back_s", "both or none")
    band_Hz = values.get("band_Hz")
    if quantity == RANGE and not band_Hz and values["poles"] != [1]:
        refuse(path, (*where, "poles"), "is not allowed without band_Hz", "[1]")
    if band_Hz and band_Hz[0] >= band_Hz[1]:
        refuse(path, (*where, "band_Hz"), f"{shown(band_Hz)} is not allowed", "[low, high]")
    own = _size(path, where, values.pop("from_MW"), values.pop("above_MW"))
    size = own or _size(path, (), top["from_MW"], top["above_MW"]) or (0.0, False)
    head = operator, document, date.isoformat(), provenance, is_proposal
    return Rule(*head, name, quantity, *size, note, values)


def _window_s(path: str, where: Path, values: Values) -> float:
    """The window of a rule about changes, s. The file states it, or it is the time in which the
    slowest forbidden change reaches the limit.
    """
    window_s, slope, limit_MW = values["window_s"], values[SLOWER], values[MW]
    if [window_s, slope].count(None) != 1 or slope and limit_MW is None:
        refuse(path, where, "has no time of a change", f"window_s, or {MW} with {SLOWER}")
    window_s = limit_MW / slope if slope else window_s
    check_value(path, (*where, "window_s"), window_s, _window)
    return float(window_s)


def _size(
    path: str, where: Path, from_MW: float | None, above_MW: float | None
) -> tuple[float, bool] | None:
    """(size, whether the rule applies only to larger sites), or None if no size is given."""
    if from_MW is not None and above_MW is not None:
        refuse(path, (*where, "above_MW"), "is not allowed beside from_MW", "one of the two")
    if above_MW is not None:
        return above_MW, True
    return None if from_MW is None else (from_MW, False)
