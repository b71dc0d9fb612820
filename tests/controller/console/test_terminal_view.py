"""Pages of a virtual cabinet on the screen of the console."""

import os
import shutil

import pytest
from terminal_bench import look
from watched import Watched, action, pressed, silent, two_channels

from controller.console.pages.text import RULE
from controller.console.terminal import view, words
from controller.state import watch
from safety import latches, matrix

ESTOP = pressed(9)


@pytest.fixture(scope="module")
def tripped(tmp_path_factory):
    return Watched(tmp_path_factory.mktemp("run"), actions=ESTOP).run(12)


def test_every_page_fits_and_its_parts_are_complete(tripped):
    made = look(tripped)
    for name in set(words.PAGE_OF_KEY.values()):
        first = made.page(name, 0)
        assert len(first.head) == 2 and first.head[1] == RULE
        for part in range(first.parts):
            body = made.page(name, part).body
            assert len(body) <= view.BODY_ROWS
            assert all(len(line) < 80 and line.isascii() for line in body)
        assert made.page(name, first.parts).body == first.body, "behind the last comes the first"
    seen = made.page("alarms", 0).seen
    assert seen.text == "row 1a emergency stop, cabinet and 1 more" and seen.causes == made.alarm
    assert made.page("status", 0).seen is None
    second, seen_by = made.page("alarms", 1, ("seen by anna",)), ["seen by anna"]
    assert second.parts == 2 and second.seen == seen, "a reset from any part names the same"
    assert "       Source: NFPA guide for responders." in second.body
    assert made.page("alarms", 0, seen_by).body[-1:] == seen_by and seen_by[0] not in second.body
    made.close()


@pytest.mark.parametrize(
    "runs, words",
    [(True, "row 51 channel B, cabinet and 1 more"), (False, "row 1a emergency stop, channel B")],
)
def test_an_alarm_of_channel_b_can_be_reset_too(tmp_path, runs, words):
    """Row 51 needs an energised cabinet: in standby only B has an alarm."""
    watched = Watched(tmp_path, settings=two_channels(tmp_path)).run(4)
    assert look(watched).page("alarms", 0).seen is None
    watched.rig.controller.run_request(runs)
    watched.run(12).rig.channel_b.stuck["estop_1_ok"] = 0
    made = look(watched.run(12.3))
    seen = made.page("alarms", 0).seen
    assert seen.text == words and seen.causes == made.alarm
    assert seen.causes[2:] == watched.rig.controller.cabinet.peer.causes() != (-1, 0)
    made.close()


def test_only_a_ticking_controller_can_report_the_key_out(tmp_path):
    """A reset of an earlier page is refused, because it could clear unseen rows."""
    more = silent(16, "bms_2"), action(21, "key", run=False)
    watched = Watched(tmp_path, actions=[*ESTOP, *more]).run(14)
    made = look(watched)
    seen = made.page("alarms", 0).seen
    assert made.is_live and made.is_key_out is False
    watched.run(26)
    made.update()
    assert made.is_key_out is True
    rules, now = watched.core.kernel.latches, made.page("alarms", 0).seen
    assert now != seen
    assert rules.verdict(matrix.KEY, *seen.causes[:2], True) == latches.CHANGED
    assert rules.verdict(matrix.KEY, *now.causes[:2], True) != latches.CHANGED
    made._pause = lambda: None  # the controller does not tick
    made.update()
    assert not made.is_live and made.is_key_out is None
    made.close()


def test_no_controller_then_one_then_another(tmp_path):
    folder = tmp_path / "run"
    made = view.View(str(folder), str(folder))
    made.update()
    assert "No controller found" in made.trouble and not made.is_live and made.alarm is None
    assert made.page("status", 0).body and made.page("help", 0).body == words.HELP
    assert all(len(line) < 80 for line in made.page("why", 0).body)
    folder.mkdir()
    (folder / "journal").write_bytes(b"\0" * 5000)
    made.update()
    assert "No controller found" in made.trouble
    (folder / "journal").unlink()
    made._pause = Watched(folder).run(5).rig.step
    made.update()
    assert made.trouble is None and made.is_live
    first = made.page("status", 0).head
    os.rename(folder / "journal", folder / "journal.previous")
    made._pause = Watched(folder).run(3).rig.step
    made.update()
    assert made.is_live and made.page("status", 0).head != first
    shutil.rmtree(folder)
    made.update()
    assert made.trouble is not None
    made.close()


def test_the_view_makes_a_new_watch_every_hour_and_after_a_sleep(tripped, monkeypatch):
    """Its history grows; after a sleep it begins with the newest keyframe."""
    hour_of_looks, half_a_minute_ms = 3600, 30_000
    limits = watch.UPDATES_MAX, watch.BEHIND_MS_MAX
    assert limits == (hour_of_looks, half_a_minute_ms)
    made = look(tripped)
    before = made._watch
    monkeypatch.setattr(watch, "UPDATES_MAX", 3)
    made.update()
    made.update()
    assert made._watch is before
    made.update()
    assert made._watch is not before and made.is_live
    monkeypatch.undo()
    monkeypatch.setattr(watch, "BEHIND_MS_MAX", 2000)
    now_s, before = tripped.rig.now_us / 1e6, made._watch
    tripped.run(now_s + 1)
    made.update()
    assert made._watch is before
    tripped.run(now_s + 6)
    made.update()
    assert made._watch is not before and made.is_live
    made.close()


def test_commands_become_keys_and_full_pages_lose_empty_lines():
    start = "START    checklist 37 of 39: waits for PCS"
    for line, page, key in ("LIMIT    none", "why", 1), (start, "alarms", 2):
        line = f"{line:{67 - len(page)}}(firebreak {page})"
        found = words.at_console(line)
        assert found.endswith(f" (press {key})") and len(found) == len(line) == 79
    assert words.at_console("remote (the command below). Now") == "remote (press R). Now"
    assert words.at_console("start it (firebreak start).") == "start it (press G)."
    assert len(words.MENU) < 80 and all(len(each) < 80 for each in [*words.HELP, *words.EXPORT])
    assert len(words.HELP) <= view.BODY_ROWS
    # empty lines and rules go, the last first
    full = [*["x"] * 10, RULE, *["y"] * 4, "", *["z"] * 4]
    assert view.fitted(full[1:]) == full[1:] and len(full[1:]) == view.BODY_ROWS
    assert view.fitted(full) == [line for line in full if line]
    assert view.fitted(["x"] * 30) == ["x"] * 30
