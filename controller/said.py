"""What persons write where a paper, or somebody who accepted something, has to be named: is anything named at all?

For a configuration and a siting file alike. A text that names nothing is refused; one of an example is told as such.
"""

import re

LEAST = 3  # letters and digits of a text that names something
NOTHING = frozenset(("n a", "nil", "null", "tbd", "tba", "tbc", "unknown", "pending", "missing", "later", "yes", "true",
                     "false", "okay", "dummy", "placeholder", "nobody", "somebody", "in progress", "will follow"))
# "none", "no report", "not needed here", "to be supplied by the maker"; a number behind it ("No. 12") names something.
_REFUSING = re.compile(r"(?:no|none|not|nothing|without)(?: [a-z]+){0,2}|to (?:be|come|follow).*")
_EXAMPLE = "example"


def names_nothing(text):
    """Whether a text stands where a name should and is none: "none", "n/a", "to be supplied", "x", "---", "aaa"."""
    words = _plain(text)
    letters = words.replace(" ", "")
    return (len(letters) < LEAST or len(set(letters)) == 1 or words in NOTHING
            or _REFUSING.fullmatch(words) is not None)


def placeholder_line(what, texts):
    """[one line about the texts that begin with "example"], [] where none does. texts: {key as in the file: value}."""
    keys = [key for key, value in texts.items() if isinstance(value, str) and _plain(value).startswith(_EXAMPLE)]
    return [f"{what} are placeholders ({', '.join(keys)}): do not energise"] if keys else []


def _plain(text):
    return re.sub(r"[\W_]+", " ", text.casefold()).strip()
