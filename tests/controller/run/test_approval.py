"""The limit image that runs is the one that a person has approved, by name, with the key."""

from dataclasses import replace

import pytest
from cabinet_bench import CONFIG, READY, Bench
from site_files import SiteFiles

from controller.config import approval
from controller.core.base import standby
from controller.core.image import name_of, places
from controller.run import operator_commands as oc
from controller.store import two_copies


@pytest.fixture(scope="module")
def tightened(tmp_path_factory):
    """The site, tightened by a step: its image is another one."""
    files = SiteFiles(tmp_path_factory.mktemp("tightened"))
    return files.append("site", "[stage.29]\nset = 3640").load()


def started(settings, **fields):
    """A start on the record of a clean stop with the example's image."""
    return Raw(two_copies.Loaded(two_copies.CLEAN, replace(READY, **fields), 1, []), settings).tick(
        20
    )


class Raw(Bench):
    """Does not approve what it runs on."""

    def ready(self, loaded, settings):
        return loaded


def test_an_image_that_was_approved_closes_and_another_one_stays_open(tightened):
    bench = started(CONFIG)
    assert bench.state == "running" and bench.keeper.records[-1].approved_by == "rig"
    assert name_of(bench.told("approved_by")) == "rig", "who it was stays known"
    other = started(tightened)
    assert (other.state, other.standing) == ("inhibited", ["58"]) and other.is_open()
    assert other.people[1] == (standby.RESTART, ""), "an approval is no start"


@pytest.mark.parametrize("content", [b"", b"damaged", approval.packed({"x": 1})])
def test_a_store_that_tells_no_image_asks_for_an_approval(content):
    assert started(CONFIG, approved=content).standing == ["58"]


def test_the_same_image_packed_otherwise_needs_no_second_approval():
    words = approval.unpacked(READY.approved)
    turned = approval.packed(dict(reversed(words.items())))
    assert turned != READY.approved and started(CONFIG, approved=turned).state == "running"


def test_a_person_approves_what_was_seen_with_the_key_and_starts_it_then(tightened):
    bench = started(tightened)
    cabinet = bench.cabinet
    assert cabinet.request_approval("anna", cabinet.approval.code) == oc.KEY_IN_RUN
    bench.key(0)
    assert cabinet.request_approval("anna", cabinet.approval.code ^ 1) == oc.OTHER_IMAGE
    bench.keeper.durable = len(bench.keeper.records)
    assert cabinet.request_approval("anna", cabinet.approval.code) == 0
    assert bench.tick(5).standing == ["47a", "58"] and bench.answers == [], "not stored yet"
    bench.keeper.durable = 1 << 30
    assert bench.tick(2).standing == ["47a"] and bench.answers == [oc.ACCEPTED]
    at = places(cabinet.core.layout, ())["approved_by"]
    assert name_of(cabinet.image.inp[at]) == bench.keeper.records[-1].approved_by == "anna"
    assert cabinet.request_approval("anna", cabinet.approval.code) == oc.IS_APPROVED
    assert bench.key(1).tick(20).is_open() and bench.standing == []
    cabinet.request_run(1)
    assert bench.tick(20).state == "running"
    again = Raw(
        two_copies.Loaded(two_copies.CLEAN, bench.keeper.records[-1], 1, []), tightened
    ).tick(3)
    assert again.standing == []


def test_an_approval_that_is_not_stored_is_void(tightened):
    bench = started(tightened).key(0)
    bench.keeper.durable = len(bench.keeper.records)
    bench.cabinet.request_approval("anna", bench.cabinet.approval.code)
    bench.tick(oc.STORED_MS // 20 + 2)
    assert bench.answers == [oc.NOT_STORED] and "58" in bench.standing
    assert bench.keeper.records[-1].approved == READY.approved


def test_a_reset_does_not_approve(tightened):
    bench = started(tightened, latches={"1a": 1}).key(0).clear().reset(2)
    assert bench.standing == ["47a", "58"]
