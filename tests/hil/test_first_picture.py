"""The picture of README.md has the curves of the run that it says."""

import re

from hil.engine import first_picture
from tests.repository import ROOT

LINE = re.compile(r'<polyline points="([^"]*)" fill="none" stroke="([^"]*)"/>')
KEPT = ROOT / "hil/results/pictures/first.svg"
SIZE_MAX = 60_000


def curves(svg):
    """{colour: [(x, y)] in pixels}."""
    return {
        colour: [tuple(map(float, each.split(","))) for each in points.split()]
        for points, colour in LINE.findall(svg)
    }


def test_the_picture_has_the_data_of_its_run():
    found = first_picture.rows()
    kept, new = curves(KEPT.read_text(encoding="ascii")), curves(first_picture.picture(found))
    assert kept == new and len(kept) == 3, "python -m hil.engine.first_picture"
    assert {len(points) for points in kept.values()} == {500}
    assert KEPT.stat().st_size < SIZE_MAX
    assert "hil/results/pictures/first.svg" in (ROOT / "README.md").read_text(encoding="ascii")
    load, grid, battery = [
        [kW for _, kW in first_picture.points(found, each)] for each in ("load", "grid", "battery")
    ]
    assert max(abs(a - b - c) for a, b, c in zip(load, grid, battery)) < 2, "it is their balance"
    assert max(load) - min(load) > 150 > 60 > max(grid) - min(grid)
