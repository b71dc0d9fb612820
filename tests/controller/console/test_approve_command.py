"""`firebreak approve` on the journal of a cabinet in virtual time."""

from dataclasses import replace

import pytest
from command_line import answered, run
from terminal_bench import look
from watched import CONFIG, Watched, action

from controller.config import approval
from controller.console import approve
from controller.console.terminal import view
from controller.journal.journal_header import open_journal
from controller.run import operator_client

NOW = approval.of(CONFIG)
BEFORE = NOW | {"armed 29.rack1": 0, "stage 29.set": 3640}
CODE = f"{approval.code(BEFORE, NOW):08X}"


@pytest.fixture
def watched(tmp_path, monkeypatch):
    answered(monkeypatch, operator_client, "reach", None)
    made = Watched(tmp_path, actions=[action(3, "key", run=False)])
    controller = made.rig.controller
    before = approval.packed(BEFORE)
    controller.kill()
    controller.store.record = replace(controller.store.record, approved=before)
    controller.start()
    cabinet = controller.cabinet
    path = str(tmp_path / "journal")
    cabinet.journal = open_journal(path, CONFIG, cabinet.core, approved=before)
    return made.run(2)


def approve_(capsys, watched, *words):
    return run(capsys, f"approve {' '.join(words)}", "--run-dir", watched.folder)


def test_it_shows_the_changes_and_the_command(capsys, watched):
    assert approve_(capsys, watched) == (
        1,
        [
            "2 changes since it was approved:",
            "  armed now: stage 29, cell over voltage, rack 1",
            "  stage 29, cell over voltage: trips at 3.64 V -> 3.65 V",
            f"turn the key out of RUN, then: firebreak approve NAME {CODE}",
        ],
        [],
    )
    watched.run(4)
    cabinet = watched.rig.controller.cabinet
    assert cabinet.request_approval("anna", int(CODE, 16)) == 0
    watched.run(5)
    assert approve_(capsys, watched) == (0, ["approved: no change since then"], [])


def test_the_console_shows_the_same_changes_and_approves_them(capsys, watched):
    seen = look(watched, pause=lambda: None)
    page = seen.page("approval", 0)
    assert page.body[:3] == approve_(capsys, watched)[1][:3] and page.body[-1:] == view.ADVICE[-1:]
    assert page.seen == int(CODE, 16)
    assert watched.run(4).rig.controller.cabinet.request_approval("anna", page.seen) == 0
    watched.run(5)
    seen.update()
    assert seen.page("approval", 0)[1:] == ([approve.UNCHANGED], 0, 1, None)


def test_only_the_last_part_of_many_changes_can_be_approved(watched, monkeypatch):
    monkeypatch.setattr(approve, "changed", lambda header: (["  a change"] * 30, 7))
    seen = look(watched, pause=lambda: None)
    parts = [seen.page("approval", part) for part in range(2)]
    assert [(page.part, page.parts, page.seen) for page in parts] == [(0, 2, None), (1, 2, 7)]


def test_without_an_approval_it_compares_with_the_matrix():
    header = {"safety_image": CONFIG.safety_image, "approved": b"", "device_crcs": {}}
    lines, _ = approve.changed(header)
    assert lines[0].startswith(approve.NEVER_APPROVED) and all(line.isascii() for line in lines)
    assert "  NO LONGER ARMED: stage 46b, remote link lost" in lines
