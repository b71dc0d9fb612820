"""What the buses have counted, out of the mapped file: equal to the ports' own counters, whole or
not at all.
"""

import pytest

from controller.run import link_statistics
from controller.site import config
from controller.sites import EXAMPLE
from hil.simulate import VirtualRig

CONFIG = config.load(EXAMPLE)


@pytest.fixture(scope="module")
def field():
    """Of a cabinet that has run for two seconds."""
    return VirtualRig(CONFIG, lambda t_s: 300_000.0).run(2).controller.cabinet.field


def test_it_holds_what_the_ports_have_counted(field, tmp_path):
    path = str(tmp_path / "links.stats")
    writer = link_statistics.LinkStatistics(path, field)
    assert link_statistics.read(path) is None  # nothing written yet
    writer.note(0)
    found = link_statistics.read(path)
    pcs = field.ports["pcs"].statistics[1]
    assert (
        found["units"]["pcs", 1]["sent"] == pcs.sent > 50
        and found["units"]["pcs", 1]["ok"] == pcs.ok
    )
    assert set(found["buses"]) == {"can0", "pcs", "io", "gas", "meter"}
    assert found["buses"]["can0"]["received"] == field.can["can0"].port.received > 500
    writer.close()
    assert link_statistics.read(path) == found  # the file stays


def test_it_writes_once_a_second(field, tmp_path):
    path = str(tmp_path / "links.stats")
    writer = link_statistics.LinkStatistics(path, field)
    numbers = []
    for now_us in (0, 999_999, 1_000_000, 1_020_000, 1_999_999, 2_000_000):
        writer.note(now_us)
        numbers.append(writer._number)
    assert numbers == [2, 2, 4, 4, 4, 6]


def test_half_a_write_is_not_read(field, tmp_path):
    path = tmp_path / "links.stats"
    writer = link_statistics.LinkStatistics(str(path), field)
    writer.note(0)
    content = bytearray(path.read_bytes())
    content[8] |= 1
    path.write_bytes(content)
    assert link_statistics.read(str(path)) is None


@pytest.mark.parametrize(
    "size", [16, 100, link_statistics.HEAD.size + 3 * link_statistics.ENTRY.size - 1]
)
def test_a_file_that_was_cut_is_none(field, tmp_path, size):
    path = tmp_path / "links.stats"
    writer = link_statistics.LinkStatistics(str(path), field)
    writer.note(0)
    path.write_bytes(path.read_bytes()[:size])
    assert link_statistics.read(str(path)) is None
    writer.close()


@pytest.mark.parametrize("content", [None, b"", b"x" * 5000, link_statistics.MAGIC])
def test_what_is_no_such_file_is_none(tmp_path, content):
    path = tmp_path / "links.stats"
    if content is not None:
        path.write_bytes(content)
    assert link_statistics.read(str(path)) is None


def test_more_than_fits_is_left_out(field, tmp_path, monkeypatch):
    path = str(tmp_path / "links.stats")
    monkeypatch.setattr(link_statistics, "ENTRIES_MAX", 3)
    writer = link_statistics.LinkStatistics(path, field)
    writer.note(0)
    found = link_statistics.read(path)
    assert len(found["units"]) + len(found["buses"]) == 3


def test_every_counter_is_one_of_the_ports(field):
    for counter in link_statistics.RTU_COUNTERS:
        assert getattr(field.ports["io"].statistics[0], counter) >= 0
    for counter in link_statistics.CAN_COUNTERS:
        assert getattr(field.can["can0"].port, counter) >= 0
