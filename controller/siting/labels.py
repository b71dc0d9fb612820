"""Places texts of a plan so that none covers another. All numbers are pixels; a box is (x_min,
y_min, x_max, y_max).
"""

import math

FONT_px, LINE_px, CHARACTER_px = 12, 15, 7.3  # monospace: 0.6 of the font and a little
RINGS, STEPS = 14, 16
CELL_px = 40


def size(lines: list) -> tuple:
    """(width, height) of some lines of text."""
    return max(map(len, lines)) * CHARACTER_px + 6, len(lines) * LINE_px + 2


class Placer:
    """Remembers what is taken, by lines and by labels."""

    def __init__(self, width: float, height: float):
        """width, height: of the plan; nothing is placed outside it as long as there is room."""
        self._edge = (0, 0, width, height)
        self._lines = {}  # cell of CELL_px: boxes that reach into it
        self._labels = {}

    def take_line(self, start: tuple, end: tuple) -> None:
        """No label lies on this line as long as there is another place."""
        count = max(1, int(math.dist(start, end) / 8))
        for step in range(count + 1):
            x, y = (a + (b - a) * step / count for a, b in zip(start, end, strict=True))
            if -CELL_px < x < self._edge[2] + CELL_px and -CELL_px < y < self._edge[3] + CELL_px:
                _take(self._lines, (x - 3, y - 3, x + 3, y + 3))

    def place(self, choices: list, x: float, y: float) -> tuple:
        """(lines, center) of the first of several choices of lines that has room near (x, y), taken
        from now on.

        Where there is none, the last choice, near, on lines of the plan but on no other label; or
        else at (x, y).
        """
        tries = [(lines, (self._lines, self._labels)) for lines in choices] + [
            (choices[-1], (self._labels,))
        ]
        for lines, taken in tries:
            width, height = size(lines)
            for center_x, center_y in _around(x, y, height):
                box = (
                    center_x - width / 2,
                    center_y - height / 2,
                    center_x + width / 2,
                    center_y + height / 2,
                )
                if self._is_inside(box) and not any([_is_taken(each, box) for each in taken]):
                    _take(self._labels, box)
                    return lines, (center_x, center_y)
        return choices[-1], (x, y)

    def _is_inside(self, box):
        edge = self._edge
        return box[0] >= edge[0] and box[1] >= edge[1] and box[2] <= edge[2] and box[3] <= edge[3]


def _take(taken, box):
    for cell in _cells(box):
        taken.setdefault(cell, []).append(box)


def _is_taken(taken, box):
    return any(
        box[0] < each[2] and each[0] < box[2] and box[1] < each[3] and each[1] < box[3]
        for cell in _cells(box)
        for each in taken.get(cell, ())
    )


def _cells(box):
    return [
        (x, y)
        for x in range(int(box[0] // CELL_px), int(box[2] // CELL_px) + 1)
        for y in range(int(box[1] // CELL_px), int(box[3] // CELL_px) + 1)
    ]


def _around(x, y, step_px):
    """The place itself, then rings around it."""
    yield x, y
    for ring in range(1, RINGS + 1):
        reach_px = step_px * (0.4 + 0.4 * ring)
        for step in range(STEPS):
            angle = 2 * math.pi * step / STEPS + math.pi / 2
            yield x + 3 * reach_px * math.cos(angle), y + reach_px * math.sin(angle)
