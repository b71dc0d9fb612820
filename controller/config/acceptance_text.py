"""Texts that have to name a paper or a person who accepted something, in a configuration and in a
siting file: a text that names nothing is refused, the text of an example is reported.
"""

import re
from datetime import date

# Nobody accepted anything under NFPA 855 before its first draft, and this is before that (first
# edition: 2020).
DAY_MIN = "2015-01-01"
DAY_MAX = "2200-01-01"  # later days are typing errors
LEAST = 3  # letters and digits of a text that names something
NOTHING = frozenset(
    (
        "n a",
        "nil",
        "null",
        "tbd",
        "tba",
        "tbc",
        "unknown",
        "pending",
        "missing",
        "later",
        "yes",
        "true",
        "false",
        "okay",
        "dummy",
        "placeholder",
        "nobody",
        "somebody",
        "in progress",
        "will follow",
        "keine angabe",
        "qwerty",
        "asdf",
        "asdfgh",
    )
)
# "none", "no report", "not needed here"; a number behind it ("No. 12") names something. Behind what
# says that there is nothing yet, or the opposite ("to be supplied", "TBD by J. Doe", "refused on
# 2026-03-01"), none does.
_REFUSING = re.compile(
    r"(?:no|none|not|nothing|without)(?: [a-z]+){0,2}|(?:to "
    r"(?:be|come|follow)|tbd|tba|tbc|refused|"
    r"rejected|declined|not (?:yet )?(?:accepted|approved|agreed|signed))(?: "
    r".*)?"
)
# "not required by the analysis at all"; behind a comma or colon there may be a name ("No gas
# detection: J. Doe").
_REFUSING_CLAUSE = re.compile(r"(?:no|none|not|nothing|without)(?: +[a-z'-]+)*")
_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")
_EXAMPLE = "example"


def names_nothing(text: str) -> bool:
    """Whether a text stands where a name should and is none: "none", "n/a", "to be supplied", "x",
    "---", "aaa".
    """
    words = _plain(text)
    letters = words.replace(" ", "")
    return (
        len(letters) < LEAST
        or len(set(letters)) == 1
        or words in NOTHING
        or _REFUSING.fullmatch(words) is not None
        or _REFUSING_CLAUSE.fullmatch(text.casefold().strip(" .!")) is not None
    )


def lacks_of_acceptance(text: str) -> str:
    """What somebody's acceptance lacks, in words: the day, written 2026-03-01, or all besides it;
    "" for nothing.
    """
    if not any(map(_is_day, _DAY.findall(text))):
        return "names no date"
    if not _days(text):
        return f"names no date from {DAY_MIN} on and before {DAY_MAX}"
    besides = _DAY.sub("", text)
    return (
        "" if any(map(str.isalpha, besides)) and not names_nothing(besides) else "names only a date"
    )


def _days(text):
    """The days in a text on which somebody can have accepted something."""
    return [found for found in _DAY.findall(text) if _is_day(found) and DAY_MIN <= found < DAY_MAX]


def _is_day(text):
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def placeholder_line(what: str, texts: dict) -> list:
    """[one line about the texts that begin with "example"], [] where none does. texts: {key as in
    the file: value}.
    """
    keys = [
        key
        for key, value in texts.items()
        if isinstance(value, str) and _plain(value).startswith(_EXAMPLE)
    ]
    return [f"{what} are placeholders ({', '.join(keys)}): do not energise"] if keys else []


def ahead_line(texts: dict, today: str) -> list:
    """[one line about the acceptances whose days are all later than today], [] where none is.

    texts: {key as in the file: value}; today: of this box's clock, as 2026-03-14.
    """
    keys = [key for key, value in texts.items() if min(_days(value), default=today) > today]
    return (
        [
            f"acceptances are dated later than the clock of this box, {today} ({', '.join(keys)}): "
            "correct the date or the clock"
        ]
        if keys
        else []
    )


def _plain(text):
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()
