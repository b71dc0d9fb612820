"""The drawing of the house is that of the imports, and each module says what it is for."""

from tests import house
from tests.repository import ROOT


def test_the_drawing_is_that_of_the_imports():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="ascii")
    drawn = page.split("```mermaid\n")[1].split("```")[0]
    assert drawn.splitlines() == [*house.drawing()], "python -m tests.house"


def test_an_arrow_that_follows_from_others_is_left_out():
    drawn = house.arrows_drawn()
    assert "controller.core" in drawn["controller.rows"]
    assert "safety" not in drawn["controller.core"], "drivers import it"
    assert all(name not in others for name, others in drawn.items())


def test_every_module_of_a_room_says_what_it_is_for():
    folders = {path.rpartition("/")[0] for path, _ in house.sources() if path[:6] != "tests/"}
    listed = [(folder, *each) for folder in sorted(folders) for each in house.modules(folder)]
    assert len(listed) > 500
    assert [each for each in listed if len(each[2].split()) < 3] == []
