"""Feeds while the clock of the box is wrong for a moment: values stay, and are read again."""

import json
import os
from datetime import UTC, datetime

import pytest

from controller.planner.feeds import fetch
from controller.planner.feeds.held import Held
from controller.planner.feeds.points import Feed
from controller.recorder import quarters
from controller.series.refusal import SeriesError

NOW_S, UPTIME_S = 1_795_694_400.0, 5000.0  # 2026-11-26T12:00Z
COUNT = 400
WRONG_S = {"+60 days": 5_184_000.0, "-60 days": -5_184_000.0, "+2 days": 172_800.0, "1970": -NOW_S}


def text(first_s=NOW_S - 86_400):
    """Prices of 60 hours as JSON."""
    hours = [datetime.fromtimestamp(first_s + 3600 * each, UTC) for each in range(60)]
    return json.dumps([{"t": each.isoformat(), "p": 50 + each.hour} for each in hours]).encode()


KEYS = {
    "list": "",
    "time": "t",
    "value": "p",
    "unit": "EUR/MWh",
    "time_is": "begin",
    "every_min": 30.0,
}


def prices(form, **keys):
    return Held(Feed(form, "prices", form, 36 * 3600.0, UTC, "EUR", {**KEYS, **keys}))


def of_web(folder, monkeypatch):
    """An address that answers only while `online` is there."""
    online = folder / "online"
    online.write_bytes(b"")

    def fetched(*given):
        if not online.exists():
            raise SeriesError("no connection")
        return text()

    monkeypatch.setattr(fetch, "fetched", fetched)
    return prices("http_json", url="http://localhost/"), online


def of_file(folder, monkeypatch):
    path = folder / "prices.json"
    path.write_bytes(text())
    os.utime(path, (NOW_S - 600,) * 2)
    return prices("json", path=str(path), every_min=0), path


def of_folder(folder, monkeypatch):
    inner = folder / "inner"
    inner.mkdir()
    for name, since_s in (("a", NOW_S - 86_400), ("b", NOW_S - 36_000)):
        (inner / f"{name}.json").write_bytes(text(since_s))
        os.utime(inner / f"{name}.json", (NOW_S - 600,) * 2)
    return prices("json", path=str(inner), every_min=0), inner


def of_recorder(folder, monkeypatch):
    path = folder / quarters.FILE
    now = int(NOW_S // 900)
    rows = [f"{at * 900},{1000 + at % 96},0,500,500,500,0" for at in range(now - 200, now)]
    path.write_text("\n".join([quarters.HEADER, *rows, ""]))
    return Held(Feed("r", "load", "recorder", 7200.0, UTC, "EUR", {"path": str(path)})), path


FEEDS = {"web": of_web, "file": of_file, "folder": of_folder, "recorder": of_recorder}


def asked(held, at_s, off_s=0.0):
    """Values of a window around a clock that is wrong by off_s, and lines."""
    now_s = max(0.0, NOW_S + at_s + off_s)
    first = int(now_s // 900) - 200
    lines = held.update(first, COUNT, now_s, UPTIME_S + at_s)
    return held.window(first, COUNT, now_s, UPTIME_S + at_s), lines


def known(values):
    return {at: each for at, each in enumerate(values) if each == each}


@pytest.mark.parametrize("wrong", WRONG_S)
@pytest.mark.parametrize("kind", FEEDS)
def test_a_feed_after_a_wrong_clock_is_as_before(kind, wrong, tmp_path, monkeypatch):
    held, _ = FEEDS[kind](tmp_path, monkeypatch)
    before, lines = asked(held, 0)
    assert len(known(before)) >= 150 and not lines
    asked(held, 2, WRONG_S[wrong])
    after, lines = asked(held, 4)
    assert known(after) == known(before) and not lines


@pytest.mark.parametrize("wrong", WRONG_S)
@pytest.mark.parametrize("kind", ["web", "file", "folder"])
def test_a_feed_whose_source_is_gone_keeps_its_values(kind, wrong, tmp_path, monkeypatch):
    """The source is lost while the clock is wrong."""
    held, source = FEEDS[kind](tmp_path, monkeypatch)
    before, _ = asked(held, 0)
    asked(held, 2, WRONG_S[wrong])
    source.rename(tmp_path / "gone")
    after, (line,) = asked(held, 4)
    assert known(after) == known(before) and "0.0 h old" in line or "0.2 h old" in line


@pytest.mark.parametrize("wrong", WRONG_S)
@pytest.mark.parametrize("kind", FEEDS)
def test_a_feed_that_began_with_a_wrong_clock_goes_on(kind, wrong, tmp_path, monkeypatch):
    held, _ = FEEDS[kind](tmp_path, monkeypatch)
    asked(held, 0, WRONG_S[wrong])
    after, lines = asked(held, 2)
    assert len(known(after)) >= 150 and not lines


def test_what_a_feed_keeps_is_bounded(tmp_path, monkeypatch):
    held, path = of_file(tmp_path, monkeypatch)
    for day in range(40):
        path.write_bytes(text(NOW_S + 86_400 * (day - 1)))
        os.utime(path, (NOW_S + 86_400 * day,) * 2)
        asked(held, 86_400 * day)
    assert len(held.values) <= 3 * COUNT


def test_a_file_of_a_clock_that_is_a_little_ahead_is_as_old_as_now(tmp_path, monkeypatch):
    held, path = of_file(tmp_path, monkeypatch)
    os.utime(path, (NOW_S + 200,) * 2)
    assert asked(held, 0)[1] == []
    path.unlink()
    assert "its values are 0.0 h old" in asked(held, 60)[1][0]
    assert held.is_old(UPTIME_S + 36 * 3600 + 1) and not held.is_old(UPTIME_S + 36 * 3600)
