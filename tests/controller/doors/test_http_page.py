"""The page in Chromium: every shipped cabinet, phone and desk, alarms, and a lost connection."""

import importlib
import os

import parts
import pytest
import walk_box
from slow import whole

from controller.doors import settings
from controller.doors.process import House
from controller.state import watch
from tests.controller.doors.doors_site import written
from tests.controller.doors.http_site import Served

pytestmark = [
    pytest.mark.wire,
    pytest.mark.timeout(600),
    pytest.mark.needs("playwright", "chromium"),
]
WAIT_MS = 60_000
FLAGS = ("--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
SIZES = {"phone": (390, 844), "desk": (1024, 768)}
CARDS = ("alarms", "power", "why", "trend", "racks", "site", "plan", "events")
UNKNOWN = """async () => {
  const w = await import("/words.js");
  return [w.kilowatt(null), w.kilowatt(undefined), w.scaled(null, 10), w.directed(null),
    w.duration(null), w.range(null, 0), w.kilowatt(0)];
}"""
WRONG = ("undefined", "NaN", "null", "[object", "Infinity")


def playwright():
    """Imported late: it is no package of requirements.lock."""
    return importlib.import_module("playwright.sync_api")


def on(page, selector):
    """Assertions about a part of the page."""
    return playwright().expect(page.locator(selector))


@pytest.fixture(scope="module")
def browser():
    with playwright().sync_playwright() as found:
        chromium = found.chromium.launch(
            executable_path=parts.program("chromium"), chromium_sandbox=os.getuid() != 0, args=FLAGS
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser):
    """A page that keeps the errors of its console."""
    found = browser.new_page()
    found.errors = []
    found.on("pageerror", lambda error: found.errors.append(str(error)))
    found.on("console", lambda each: each.type == "error" and found.errors.append(each.text))
    found.set_default_timeout(WAIT_MS)
    playwright().expect.set_options(WAIT_MS)
    yield found
    found.close()


def opened(folder, monkeypatch, cabinet, state):
    """A door before a rig that steps whenever its journal is read."""
    config = walk_box.config(cabinet, state)
    box = walk_box.on_the_box(folder, config, walk_box.STATES[state])
    monkeypatch.setattr(watch.Kept.update, "__defaults__", (box.rig.step,))
    own = settings.load(written(folder / "doors", "[http.page]\n"))
    house = House(own, str(folder), str(folder), str(folder))
    return Served(house, {**own.doors["http"]["page"], "port": 0})


def check(page):
    text = page.locator("body").inner_text()
    assert not [word for word in WRONG if word in text], text
    for name in CARDS:
        assert len(page.locator(f"#{name}").inner_text()) > len(name) + 3, name
    wide = page.locator("html").evaluate("each => each.scrollWidth - each.clientWidth")
    assert wide == 0 and page.errors == []


ORDINARY = [(cabinet, state) for cabinet in walk_box.SHIPPED for state in walk_box.STATES]
SHORT = ("pv_genset", "tripped")
OTHERS = [each for each in ORDINARY if each != SHORT]


@pytest.mark.parametrize(("cabinet", "state"), [SHORT, *whole(*OTHERS)])
def test_the_page_shows_every_cabinet(cabinet, state, page, tmp_path, monkeypatch):
    with opened(tmp_path, monkeypatch, cabinet, state) as door:
        for width, height in SIZES.values():
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"http://127.0.0.1:{door.port}/")
            on(page, "#cabinet").to_have_text(door.house.feed.state["cabinet"])
            on(page, "#charts canvas").to_have_count(2)
            on(page, "#plan table").to_have_count(1)
            check(page)
        own = door.house.feed.state
        expected = own["state"].capitalize()
        on(page, "#state").to_contain_text(expected)
        for row in own["standing"][:1]:
            alarm = page.locator("#alarms article").first
            playwright().expect(alarm).to_contain_text(row["reason"]["remedy"])


def test_keyboard_a_controller_that_hangs_and_a_lost_connection(page, tmp_path, monkeypatch):
    with opened(tmp_path, monkeypatch, "example", "running") as door:
        page.goto(f"http://127.0.0.1:{door.port}/")
        on(page, "#state").to_have_text("Running")
        playwright().expect(page.locator("#flow .value").first).to_contain_text("kW")
        assert page.evaluate(UNKNOWN) == ["-", "-", "-", "-", "-", "- .. 0.0 kW", "0.0"]
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "Go to the values"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.locator("[data-span='3600']").focus()
        page.keyboard.press("Enter")
        on(page, "[data-span='3600']").to_have_attribute("aria-pressed", "true")
        assert page.errors == []
        steps = watch.Kept.update.__defaults__
        monkeypatch.setattr(watch.Kept.update, "__defaults__", (lambda: None,))
        on(page, "#trouble").to_contain_text("makes no new tick")
        assert page.locator("#state").inner_text() == "Not known"
        assert set(page.locator("#flow .value").all_text_contents()) == {"-"}
        monkeypatch.setattr(watch.Kept.update, "__defaults__", steps)
        on(page, "#state").to_have_text("Running")
    on(page, "#trouble").to_contain_text("The connection to the box is lost")
    on(page, "#trouble").to_contain_text("running, no alarm")
    assert page.locator("#state").inner_text() == "Not known"
    assert set(page.locator("#flow .value").all_text_contents()) == {"-"}
    assert "kW" not in page.locator("#can").inner_text()
