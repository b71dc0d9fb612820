"""Links and status show the path delay in use and its source."""

import pytest
from watched import EACH_20_MS, Watched

from controller.config import configuration
from controller.console.pages import links
from controller.core.policies import meter_sign, path_delay
from controller.journal import replay
from controller.sites import EXAMPLE
from tests.tables import cases


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The example cabinet with its own test of the grid meter, which ends after 18 s."""
    folder = tmp_path_factory.mktemp("measured")
    return Watched(folder, settings=configuration.load(EXAMPLE)).run(20)


def test_both_pages_show_a_measured_delay(measured):
    facts = measured.facts("links")["path_delay"]
    assert facts == measured.facts("status")["path_delay"]
    used_ms = facts["used_ms"]
    assert 100 <= used_ms <= 125, "60 ms of the converter, the rest of the meter and the ramp"
    known = {"source": "measured", "nominal_ms": 110, "believed_ms": [63, 240]}
    assert facts == known | {"used_ms": used_ms, "found_ms": used_ms}
    assert f"PATH DELAY {used_ms} ms, measured by the last test; nominal 110 ms" in measured.text(
        "links"
    )
    assert f"path {used_ms} ms" in measured.text("status")


@cases("""stored_ms  words
    0  "PATH DELAY 110 ms, nominal: no start has measured it yet"
    182  "PATH DELAY 182 ms, measured in an earlier run; nominal 110 ms"
    612  "PATH DELAY 110 ms, nominal: 612 ms is outside of 63 .. 240 ms"
""")
def test_the_page_shows_the_delay_and_its_source(tmp_path, stored_ms, words):
    watched = Watched(tmp_path, settings=EACH_20_MS)
    watched.rig.controller.cabinet.image.put("path_delay", [stored_ms])
    facts = watched.run(1).facts("links")
    assert words in links.parts(facts)[0]
    assert facts["path_delay"]["found_ms"] == (stored_ms or None)


def test_a_replay_of_a_stored_and_a_measured_delay_gives_the_same_bytes(tmp_path):
    """The stored delay is an input of the core, like every other stored word."""
    watched = Watched(tmp_path, settings=configuration.load(EXAMPLE))
    watched.rig.controller.cabinet.image.put("path_delay", [201])
    out, at = watched.run(10).core.out, watched.core.out_at["meter_sign"]
    stored = [201, path_delay.STORED]
    assert list(out[at + meter_sign.O_DELAY_MS : at + meter_sign.O_DELAY_SOURCE + 1]) == stored
    watched.run(20)
    assert out[at + meter_sign.O_DELAY_SOURCE] == path_delay.MEASURED
    report = replay.replay(str(tmp_path / "journal"), replay.core_of)
    assert report.exit_code == 0, report.lines()
