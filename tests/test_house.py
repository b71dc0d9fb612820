"""The drawing of the house is that of the imports, and each module says what it is for."""

from tests import house, test_style, weight
from tests.repository import ROOT


def test_drawing_and_order_are_those_of_the_imports():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="ascii")
    drawn = page.split("```mermaid\n")[1].split("```")[0]
    assert drawn.splitlines() == [*house.drawing()], "python -m tests.house"
    assert "```\n" + "\n".join(house.order()) + "\n```" in page, "python -m tests.house"


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


def texts():
    return [each for each in house.sources() if each[0].startswith("tests/")]


def test_no_test_of_the_box_needs_the_lab():
    """The lab stands above the box, which is there without it."""
    assert house.of_the_lab(texts()) == []


def test_the_tests_of_the_kernel_need_the_kernel_and_the_oracle_alone():
    assert len([path for path, _ in texts() if path.startswith("tests/safety/test_")]) > 30
    assert house.beside_the_kernel(texts()) == []


def test_what_a_test_needs_is_found_also_in_its_helpers():
    def found(check, **texts):
        return check([(f"tests/{at.replace('__', '/')}.py", texts[at]) for at in texts])

    lab = "def late():\n    from hil.systems import run"
    assert found(house.of_the_lab, safety__a=lab) == ["tests.safety.a hil.systems.run"]
    assert found(house.of_the_lab, hil__a=lab, b=lab) == []
    for way in ("import seen", "from seen import b as c", "from tests.hil import seen"):
        every = found(house.of_the_lab, controller__run__a=way, hil__seen=lab)
        assert every == ["tests.controller.run.a hil.systems.run"]
    for bad in ("import numpy", "import hil.plant.cells", "import yard"):
        assert found(house.beside_the_kernel, safety__a=bad, yard=""), bad
    good = "import ast\nimport bench\nfrom hil.oracle import wasm\nfrom tests.tables import cases"
    assert found(house.beside_the_kernel, safety__a=good, tables="import re") == []


# The name of a floor in weight.toml.
TREES = {"what a person reads": "reading", "the loop": "loop"}


def heavy(floor):
    """The tree of weight.toml that has the rooms of a floor."""
    return TREES.get(floor, floor)


GUARDS = "a new room that no layer test looks at"


def covered():
    """The rooms."""
    return house.packages()


def test_every_room_has_a_place():
    """A room in no layer could import any other one, and nothing would say so."""
    assert house.without_a_place() == ([], [])


def test_every_room_counts_in_the_tree_of_its_floor():
    """A room without a prefix of its own would count as the loop, or as the bench."""
    of_floor = {name: heavy(floor) for floor, names in house.FLOORS.items() for name in names}
    of_weight = {name: weight.tree_of(f"{name.replace('.', '/')}/a.py") for name in of_floor}
    assert of_weight == of_floor


def test_every_room_says_whether_it_is_pure():
    pure, others = set(test_style.PURE_ROOMS), set(test_style.ROOMS_WITH_SYSTEM)
    below = {each for each in house.packages() if each.startswith(("controller.", "hil."))}
    assert pure | others == below and not pure & others


def test_a_new_room_is_found(tmp_path):
    for name in house.packages():
        (tmp_path / name.replace(".", "/")).mkdir(parents=True, exist_ok=True)
        (tmp_path / name.replace(".", "/") / "__init__.py").touch()
    assert house.without_a_place(tmp_path) == ([], [])
    for name in ("controller/novel", "hil/novel", "novel"):
        (tmp_path / name).mkdir()
        assert house.without_a_place(tmp_path) == ([], []), "a folder without __init__.py is none"
        (tmp_path / name / "__init__.py").touch()
        new = name.replace("/", ".")
        assert house.without_a_place(tmp_path) == ([new], [new])
        (tmp_path / name / "__init__.py").unlink()
