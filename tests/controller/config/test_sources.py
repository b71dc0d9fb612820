"""[source.NAME]: the accepted values, the image, and the output of `check`."""

from array import array

import pytest
from site_files import PYLONTECH, SiteFiles

from controller.config import configuration
from controller.core.base import hint_sources
from controller.documents import check, check_keys
from controller.sites import EXAMPLE, FOLDER

EXAMPLE = configuration.load(EXAMPLE)


@pytest.fixture
def files(tmp_path):
    return SiteFiles(tmp_path, PYLONTECH)


def source(name, role="request", priority=1, more=""):
    own = "" if role == "cap" else f"priority = {priority}\n"
    return f'[source.{name}]\nrole = "{role}"\n{own}{more}'


def test_the_example_has_a_planner_a_scheduler_and_an_energy_management():
    planner, scheduler, site_ems = EXAMPLE.sources
    found = [(each.name, each.index, each.role, each.priority) for each in EXAMPLE.sources]
    names = ("planner", 0, "grid_cap", 3), ("scheduler", 1, "request", 1)
    assert found == [*names, ("site_ems", 2, "grid_cap", 2)]
    assert scheduler.fallback == dict.fromkeys(range(1, 6))
    assert planner.fallback == scheduler.fallback | {4: 475_000}
    assert site_ems.fallback == scheduler.fallback | {4: 450_000}


@pytest.mark.parametrize("name, rated_W", [("example", 250_000), ("three_units", 750_000)])
def test_the_planner_may_charge_at_the_rated_power_for_hours(name, rated_W):
    """Its charge of 200 kW rested after 15 min, on the default quota of 100 kWh."""
    planner = configuration.load(FOLDER / name / "cabinet.toml").sources[0]
    assert planner.name == "planner" and planner.energy_Wh_per_h_max >= 2 * rated_W
    assert planner.request_ramp_W_per_s == rated_W // 10


def test_at_most_eight_sources_with_names_of_sixteen_characters(files):
    for number in range(7):
        files.append("site", source(f"s{number}", "cap"))
    found = files.append("site", source("a234567890123456")).load().sources
    assert len(found) == hint_sources.SOURCES_MAX and len(found[0].name) == 16
    files.append("site", source("s8", "cap"))
    assert "source.s8: is one source too many; allowed at most 8 sources" in files.refusal()


def test_the_image_says_all_that_the_core_needs():
    image = EXAMPLE.source_image
    planner = [2, 3, 300, 10, 25_000, 500_000, -1, -1, -1, 475_000, -1]
    first = [1, 1, 120, 10, 25_000, 100_000, -1, -1, -1, -1, -1]
    second = [2, 2, 300, 10, 25_000, 100_000, -1, -1, -1, 450_000, -1]
    assert list(image) == [1, 3, *planner, *first, *second]
    assert [(*each[:-1], *each[-1]) for each in hint_sources.sources(image)] == [
        tuple(planner),
        tuple(first),
        tuple(second),
    ]
    assert hint_sources.sources(hint_sources.image(())) == []


@pytest.mark.parametrize(
    "image", [[], [1], [2, 0], [0, 0], [1, 1], [1, 0, 0], [1, -1], [1, 9] + [0] * 99]
)
def test_an_image_of_another_version_is_refused(image):
    with pytest.raises(ValueError, match="source image"):
        hint_sources.sources(array("i", image))


def test_check_says_what_a_planner_that_is_gone_may_cost(files):
    files.append("site", source("a", "request", 1)).append("site", source("b", "grid_cap", 2))

    def lines():
        return " ".join(check.report(files.load()).split()).count(
            "without fallback_import_W_max a charge may lift the import to 11 kW when its schedule"
        )

    assert lines() == 1, "a request alone limits no import"
    files.say("site", "source.b.fallback_import_W_max", 9000)
    assert lines() == 0


def test_check_says_who_may_send_what(files):
    lines = check.report(EXAMPLE).splitlines()
    allowed = "300 s   10/s         25 kW/s         100 kWh in any hour"
    assert f"  site_ems         grid_cap        2  {allowed}" in lines
    stripped = [line.strip() for line in lines]
    assert "fallback: import 450 kW" in stripped
    assert "fallback: none; an expired hint no longer acts" in stripped
    assert "SOURCES OF HINTS: none" in check.report(files.load())
    more = "fallback_charge_W_max = 1500\nfallback_export_W_max = 0"
    text = check.report(files.append("site", source("a", "cap", more=more)).load())
    assert "  a                cap             -  300 s   10/s      no requests\n" in text
    assert "fallback: charge 1.5 kW, export 0 kW\n" in text
    every_key = check_keys.keys()
    assert "\nsource.NAME.valid_s_max " in every_key
