"""JSON of another program, element by element: a long list takes the memory of one element.

The bound is on one element, so a list may be as long as its sender wants. Who calls this bounds the
time (`deadline.printed`) and what it keeps.
"""

import codecs
import json
import re
from collections.abc import Callable
from typing import IO, Any

PIECE_BYTES = 1 << 16
_BLANK = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


class TooLong(ValueError):
    """An element has more bytes than are allowed."""


def members(
    file: IO[bytes], name: str, take: Callable[[Any], None], bytes_max: int
) -> dict[str, Any]:
    """The members of the one object of a file. Each element of the list `name` goes to `take`, and
    the member of that name is their number. ValueError: not such an object, or one that is cut.
    """
    text, found = _Text(file, bytes_max), dict[str, Any]()
    text.expect("{")
    mark = "" if text.next() == "}" else ","
    while mark == ",":
        key = text.value()
        text.expect(":")
        if key == name:
            found[key] = _elements(text, take)
        else:
            found[str(key)] = text.value()
        mark = text.expect(",}")
    return found


def _elements(text: "_Text", take: Callable[[Any], None]) -> int:
    text.expect("[")
    if text.next() == "]":
        text.expect("]")
        return 0
    count, mark = 0, ","
    while mark == ",":
        take(text.value())
        count += 1
        mark = text.expect(",]")
    return count


class _Text:
    """The part of a file that is not read yet."""

    def __init__(self, file: IO[bytes], bytes_max: int) -> None:
        self._file, self._bytes_max, self._text, self._at = file, bytes_max, "", 0
        self._decode = codecs.getincrementaldecoder("utf-8")().decode

    def next(self) -> str:
        """The next character that is not blank. ValueError: the file ends."""
        while True:
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                raise ValueError("is cut")

    def expect(self, allowed: str) -> str:
        """Take the next character. ValueError: another one."""
        found = self.next()
        if found not in allowed:
            raise ValueError(f"{found!r}: allowed is {allowed}")
        self._at += 1
        return found

    def value(self) -> Any:
        """Take the next value."""
        self.next()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except RecursionError:
                raise ValueError("nested too deeply") from None
            except ValueError:
                if not self._more():
                    raise
                continue
            if end < len(self._text) or not self._more():  # a number may go on
                self._at = end
                return found

    def _more(self) -> bool:
        """Read on, twice as much each time, else long elements are tried very often."""
        self._text, self._at = self._text[self._at :], 0
        if len(self._text) > self._bytes_max:
            raise TooLong
        piece = self._file.read(max(PIECE_BYTES, len(self._text)))
        self._text += self._decode(piece, not piece)
        return bool(piece)
