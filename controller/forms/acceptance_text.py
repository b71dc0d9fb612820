"""Checks texts in a site file that must name a paper or a person, such as the person who accepted
that a detector is not fitted. A text such as "none" names nothing and is refused. A text that
begins with "example" is a placeholder and is reported.
"""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

# No acceptance can be older: this day is before the first draft of NFPA 855 (first edition: 2020).
DAY_MIN = "2015-01-01"
DAY_MAX = "2200-01-01"  # later days are typing errors
LEAST = 3  # a text that names something has at least this many letters and digits
NOTHING = frozenset(
    "n a|nil|null|tbd|tba|tbc|unknown|pending|missing|later|yes|true|false|okay|dummy|placeholder|"
    "nobody|somebody|in progress|will follow|keine angabe|qwerty|asdf|asdfgh".split("|")
)
# Two kinds of texts that name nothing. First: "none", "no report", "not needed here". A number
# after these words is a name ("No. 12"). Second: words for "not yet" or for a refusal, with any
# text behind them ("TBD by J. Doe", "refused on 2026-03-01").
_REFUSING = re.compile(
    r"(?:no|none|not|nothing|without)(?: [a-z]+){0,2}|(?:to (?:be|come|follow)|tbd|tba|tbc|refused|"
    r"rejected|declined|not (?:yet )?(?:accepted|approved|agreed|signed))(?: .*)?"
)
# A clause such as "not required by the analysis at all". With a comma or colon it does not match,
# because a name may follow ("No gas detection: J. Doe").
_REFUSING_CLAUSE = re.compile(r"(?:no|none|not|nothing|without)(?: +[a-z'-]+)*")
_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
_EXAMPLE = "example"


def names_nothing(text: str) -> bool:
    """True for a text without a name: "none", "n/a", "to be supplied", "x", "---", "aaa"."""
    plain = _plain(text)
    letters = plain.replace(" ", "")
    return (
        len(letters) < LEAST
        or len(set(letters)) == 1
        or plain in NOTHING
        or _REFUSING.fullmatch(plain) is not None
        or _REFUSING_CLAUSE.fullmatch(text.casefold().strip(" .!")) is not None
    )


def lacks_of_acceptance(text: str) -> str:
    """Text that says what an acceptance lacks, or "". An acceptance needs a date in the form
    2026-03-01, and a name beside the date.
    """
    if not any(map(_is_day, _DAY.findall(text))):
        return "names no date"
    if not _days(text):
        return f"names no date from {DAY_MIN} on and before {DAY_MAX}"
    rest = _DAY.sub("", text)
    has_name = any(map(str.isalpha, rest)) and not names_nothing(rest)
    return "" if has_name else "names only a date"


def _days(text: str) -> list[str]:
    """The dates in a text that are possible dates of an acceptance."""
    return [day for day in _DAY.findall(text) if _is_day(day) and DAY_MIN <= day < DAY_MAX]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def placeholder_line(subject: str, texts: Mapping[str, Any]) -> list[str]:
    """[line about the texts that begin with "example"], or []. texts: {key: value}."""
    plain = {key: _plain(value) for key, value in texts.items() if isinstance(value, str)}
    keys = [key for key, value in plain.items() if value.startswith(_EXAMPLE)]
    return [f"{subject} are placeholders ({', '.join(keys)}): do not energise"] if keys else []


def ahead_line(texts: Mapping[str, str], today: str) -> list[str]:
    """[line about the acceptances with a date after today], or []. today: "2026-03-14"."""
    keys = [key for key, value in texts.items() if min(_days(value), default=today) > today]
    later = f"acceptances are dated later than the clock of this box, {today}"
    return [f"{later} ({', '.join(keys)}): correct the date or the clock"] if keys else []


def _plain(text: str) -> str:
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()
