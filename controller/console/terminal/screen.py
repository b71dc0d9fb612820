"""Makes the bytes that draw changes on a VT100 screen of 80 x 24 characters."""

from controller.system.paths import printable

ROWS, COLUMNS = 24, 80
# First CAN ends an incomplete sequence. Then come resets of attributes, character set and scroll
# region, because stray bytes may have changed them. At last the screen is cleared.
CLEAR = b"\x18\x0f\x1b[0m\x1b(B\x1b[r\x1b[2J"


def cursor_to(row: int, column: int) -> bytes:
    """Bytes that move the cursor. row, column: from 1."""
    return b"\x1b[%d;%dH" % (row, column)


def fitting(text: str) -> str:
    """The text as printable ASCII. It stays before the last column, where a terminal may wrap."""
    return printable(text)[: COLUMNS - 1].rstrip()


class Screen:
    """A screen. `change` makes the bytes that replace the lines on the screen by new lines."""

    _shown: list[str] | None = None

    def forget(self) -> None:
        """Forget the shown lines, so that the next change draws every line."""
        self._shown = None

    def change(self, lines: list[str], cursor: tuple[int, int] = (ROWS, COLUMNS)) -> bytes:
        """Bytes that show these lines, empty lines below them, and the cursor at its place."""
        wanted = [fitting(line) for line in lines[:ROWS]]
        wanted += [""] * (ROWS - len(wanted))
        shown, self._shown = self._shown, wanted
        begin = CLEAR if shown is None else b""
        rows = [
            _row(number, old, new)
            for number, (old, new) in enumerate(zip(shown or [""] * ROWS, wanted), 1)
        ]
        return begin + b"".join(rows) + cursor_to(*cursor)


def _row(number: int, old: str, new: str) -> bytes:
    """The changed piece of one row."""
    if old == new:
        return b""
    size = max(len(old), len(new))
    pairs = list(zip(old.ljust(size), new.ljust(size)))
    first = next(index for index, (a, b) in enumerate(pairs) if a != b)
    last = next(index for index in range(size - 1, -1, -1) if pairs[index][0] != pairs[index][1])
    if len(new) < len(old):
        return cursor_to(number, first + 1) + new[first:].encode("ascii") + b"\x1b[K"
    return cursor_to(number, first + 1) + new[first : last + 1].ljust(last + 1 - first).encode(
        "ascii"
    )
