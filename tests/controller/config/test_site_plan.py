"""The file of places: fields at their ends, and names that do not fit, in one line."""

import pytest
from site_files import SiteFiles

from controller.config import site_plan
from controller.forms.refusal import ConfigError
from controller.sites import FOLDER

SHIPPED = (FOLDER / "three_units" / "places.toml").read_text()
HEAD = 'schema = 1\nname = "x"\naudit = "1 met"\n'
PLACE = '[[place]]\nname = "a"\nx_mm = {x}\ny_mm = 0\n'
WAY = '[[way]]\nfrom = "a"\nto = "{to}"\nkind = "{kind}"\ndistance_mm = {mm}\n{more}'


def text(x=0, to="b", kind="unit", mm=5, more="", places=None):
    other = PLACE.replace('"a"', '"b"').format(x=1)
    made = PLACE.format(x=x) + other if places is None else places
    return HEAD + made + WAY.format(to=to, kind=kind, mm=mm, more=more)


def loaded(folder, content, racks=("a", "a", "b")):
    files = SiteFiles(folder)
    (files.paths[1].parent / "places.toml").write_text(content)
    names = ", ".join([f'"{each}"' for each in racks])
    files.append("site", f'[plan]\nfile = "places.toml"\nracks = [{names}]')
    return files.load().site_plan


FAR = 300_000_000
TAKEN = {
    "x least": text(x=-FAR),
    "x most": text(x=FAR),
    "distance 0": text(mm=0),
    "distance most": text(mm=FAR),
    "wall of a day": text(more="wall_min = 1440\n"),
    "to an exposure": text(to="hall_3", kind="building"),
}
REFUSED = {
    "x below": (text(x=-FAR - 1), "place.1.x_mm: -300000001 is not allowed"),
    "x above": (text(x=FAR + 1), "place.1.x_mm: 300000001 is not allowed"),
    "x a text": (text(x='"1"'), 'place.1.x_mm: "1" is not allowed; allowed a whole number'),
    "distance below": (text(mm=-1), "way.1.distance_mm: -1 is not allowed"),
    "distance above": (text(mm=FAR + 1), "way.1.distance_mm: 300000001 is not allowed"),
    "wall above": (text(more="wall_min = 1441\n"), "way.1.wall_min: 1441 is not allowed"),
    "to no place": (text(to="c"), 'way.1.to: "c" is no [[place]] of this file'),
    "no place": (text(places="place = []\n"), "place: is empty; allowed each unit of the plan"),
    "a place twice": (text(places=2 * PLACE.format(x=1)), 'place: has "a" twice'),
    "other key": (text(more="wal = 1\n"), 'way.1.wal: is not a known key; nearest key "wall"'),
    "other schema": (SHIPPED.replace("schema = 1", "schema = 2"), "schema: 2 is not allowed"),
}


@pytest.mark.parametrize("content", TAKEN.values(), ids=TAKEN)
def test_a_field_at_its_end(tmp_path, content):
    plan = loaded(tmp_path, content)
    assert plan.racks == ["a", "a", "b"] and len(plan.places) == 2 and len(plan.ways) == 1


@pytest.mark.parametrize("content, words", REFUSED.values(), ids=REFUSED)
def test_a_wrong_file_is_one_line(tmp_path, content, words):
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, content)
    (line,) = str(refused.value).splitlines()
    assert f"places.toml:{words}" in line


def test_only_the_own_places_and_what_is_next_to_them_are_kept(tmp_path):
    plan = loaded(tmp_path, SHIPPED, ("pod_1", "pod_1", "pod_1"))
    assert {way["from"] for way in plan.ways} == {"pod_1"} and len(plan.ways) == 6
    assert [each["name"] for each in plan.places] == ["pod_1", "pod_2", "pod_3", "pod_4"]
    assert "path" not in plan.shown()
    far = SHIPPED + '\n[[place]]\nname = "pod_5"\nx_mm = 0\ny_mm = 0\n'
    assert len(site_plan.read_places(str(tmp_path / "example" / "places.toml"))["place"]) == 4
    assert len(loaded(tmp_path / "far", far, ("pod_1", "pod_1", "pod_1")).places) == 4


def test_a_rack_in_an_unknown_unit(tmp_path):
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, SHIPPED, ("pod_1", "pod_1", "pod_9"))
    assert str(refused.value).endswith(
        'plan.racks: "pod_9" is no unit of places.toml; allowed pod_1, pod_2, pod_3, pod_4'
    )
