"""The picture of README.md has the curves of the run that it says."""

import re

import pytest

from hil.__main__ import main
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


@pytest.mark.whole
@pytest.mark.parametrize("line", ["rig --virtual", "rig --virtual --scenario estop"])
def test_the_readme_has_the_figures_of_its_commands(line, capsys):
    page = (ROOT / "README.md").read_text(encoding="ascii")
    assert f"`./flash.sh {line}`" in page
    assert main([*line.split(), "--headless", "--plot", ""]) == 0
    out = " ".join(capsys.readouterr().out.split())
    shown = [figure for figure in FIGURES if figure[1] in out and figure[0] in page]
    assert len(shown) == (1 if "estop" not in line else 2)


FIGURES = (
    ("swings by 163 kW, the grid by 13 kW", "The load swung by 163 kW; the grid saw 13 kW."),
    ("switches the converter off after 21 ms", "reaction 21 ms: E-stop pressed to the command"),
    ("opens the contactors after 220 ms", "after estop_press: 220.0 ms"),
)
