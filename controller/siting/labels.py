"""Places the texts of a plan without overlap, in pixels; a box is (x_min, y_min, x_max, y_max)."""

import math
from collections.abc import Iterator

FONT_px, LINE_px, CHARACTER_px = 12, 15, 7.3  # monospace: at least 0.6 of the font's height wide
RINGS, STEPS = 14, 16
CELL_px = 40

Pixel = tuple[float, float]
Box = tuple[float, float, float, float]
Taken = dict[tuple[int, int], list[Box]]  # {cell of CELL_px: boxes that reach into it}


def size(lines: list[str]) -> Pixel:
    """(width, height) of some lines of text."""
    return max(map(len, lines)) * CHARACTER_px + 6, len(lines) * LINE_px + 2.0


class Placer:
    """Remembers the space that lines and labels occupy."""

    def __init__(self, width: float, height: float) -> None:
        """width, height: of the plan. Labels stay inside the plan while it has room."""
        self._width, self._height = width, height
        self._drawn: Taken = {}
        self._labels: Taken = {}

    def take_line(self, start: Pixel, end: Pixel) -> None:
        """Keep labels away from this line as long as another place is free."""
        count = max(1, int(math.dist(start, end) / 8))
        for step in range(count + 1):
            x, y = (a + (b - a) * step / count for a, b in zip(start, end, strict=True))
            if -CELL_px < x < self._width + CELL_px and -CELL_px < y < self._height + CELL_px:
                _take(self._drawn, (x - 3, y - 3, x + 3, y + 3))

    def place(self, choices: list[list[str]], x: float, y: float) -> tuple[list[str], Pixel]:
        """(lines, center) of the first choice that has room near (x, y). It occupies this room.

        Without room, the last choice may cover lines of the plan, but no label. If even this is
        impossible, it is placed at (x, y).
        """
        tries = [(lines, (self._drawn, self._labels)) for lines in choices] + [
            (choices[-1], (self._labels,))
        ]
        for lines, taken in tries:
            width, height = size(lines)
            for center_x, center_y in _around(x, y, height):
                left, top = center_x - width / 2, center_y - height / 2
                box = left, top, center_x + width / 2, center_y + height / 2
                is_inside = min(left, top) >= 0 and box[2] <= self._width and box[3] <= self._height
                if is_inside and not any(_is_taken(occupied, box) for occupied in taken):
                    _take(self._labels, box)
                    return lines, (center_x, center_y)
        return choices[-1], (x, y)


def _take(taken: Taken, box: Box) -> None:
    for cell in _cells(box):
        taken.setdefault(cell, []).append(box)


def _is_taken(taken: Taken, box: Box) -> bool:
    return any(
        box[0] < placed[2] and placed[0] < box[2] and box[1] < placed[3] and placed[1] < box[3]
        for cell in _cells(box)
        for placed in taken.get(cell, ())
    )


def _cells(box: Box) -> list[tuple[int, int]]:
    return [
        (x, y)
        for x in range(int(box[0] // CELL_px), int(box[2] // CELL_px) + 1)
        for y in range(int(box[1] // CELL_px), int(box[3] // CELL_px) + 1)
    ]


def _around(x: float, y: float, height_px: float) -> Iterator[Pixel]:
    """The place itself, then rings around it."""
    yield x, y
    for ring in range(1, RINGS + 1):
        reach_px = height_px * (0.4 + 0.4 * ring)
        for step in range(STEPS):
            angle = 2 * math.pi * step / STEPS + math.pi / 2
            yield x + 3 * reach_px * math.cos(angle), y + reach_px * math.sin(angle)
