"""A journal with right checksums and wrong contents: refused in one line, without much memory."""

import os
import resource
import sys
import zlib
from array import array

import msgpack
import pytest
from slow import whole

from controller import __main__ as firebreak
from controller.config import approval, configuration
from controller.journal import header_form, ring as j
from controller.sites import EXAMPLE
from hil.engine.simulate import VirtualRig

COMMANDS = "status", "map", "links", "sources", "approve", "reset", "test proof list"
MEMORY_BYTES = 300 << 20  # more than the test itself uses
RING_BYTES = 1 << 18


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """(header, counts, what follows the header) of a second of the example cabinet."""
    path = str(tmp_path_factory.mktemp("sound") / "journal")
    VirtualRig(configuration.load(str(EXAMPLE)), lambda t_s: 3e5, journal_path=path).run(1)
    reader = j.JournalReader(path)
    with open(path, "rb") as file:
        file.seek(j.PREAMBLE.size + len(reader.packed_header))
        rest = file.read(j.NEWEST.size + j.KEYFRAMES.size + RING_BYTES)
    reader.close()
    return reader.header, reader.counts, rest


def forged(folder, sound, header=None, counts=None):
    (folder / "journal").write_bytes(
        j.file_start(counts or sound[1], header_form.packed(header or sound[0]), RING_BYTES)
        + sound[2]
    )


def code(folder):
    """Exit code of all commands, in a process that gets no more memory: 0, or 1 where one ends in
    no line.
    """
    with open("/proc/self/statm", encoding="ascii") as file:
        bytes_max = int(file.read().split()[0]) * resource.getpagesize() + MEMORY_BYTES
    child = os.fork()
    if not child:
        found = {-1}
        try:
            resource.setrlimit(resource.RLIMIT_AS, (bytes_max, bytes_max))
            sys.stdout = sys.stderr = open(os.devnull, "w")
            where = "--run-dir", str(folder)
            found = {firebreak.main([*each.split(), *where]) for each in COMMANDS}
        finally:
            os._exit(bool(found - {0, 1, 2, 3}))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_sound_journal_is_read(tmp_path, sound):
    forged(tmp_path, sound)
    assert code(tmp_path) == 0 and j.JournalReader(str(tmp_path / "journal")).newest() > 9


@pytest.mark.parametrize("number", [70_000, 10**8, 2**32 - 1])
@pytest.mark.parametrize("place", [0, 2, 3])
def test_an_impossible_count_is_refused(tmp_path, sound, place, number):
    """34 kB made `status` take 10.5 GB."""
    counts = [number if at == place else count for at, count in enumerate(sound[1])]
    forged(tmp_path, sound, counts=counts)
    assert code(tmp_path) == 0


WAY = {"from": "a", "to": "z", "kind": "unit", "paper": "x" * 900, "wall": ""}
WAY |= {"distance_mm": -(2**40), "wall_min": 2**40, "tested_mm": -1}
PLACE = {"name": "a", "x_mm": 2**62, "y_mm": -(2**62), "area": "y" * 500}
PLAN = {"name": "n" * 5000, "audit": "", "open": "", "racks": ["a"], "places": [], "ways": []}


@pytest.mark.parametrize(
    "changes",
    [{}, {"racks": []}, {"racks": ["b"] * 99}, {"places": [PLACE] * 9, "ways": [WAY] * 999}],
)
def test_a_plan_that_contradicts_itself(tmp_path, sound, changes):
    forged(tmp_path, sound, header={**sound[0], "plan": {**PLAN, **changes}})
    assert code(tmp_path) == 0


BIG = array("i", [2**31 - 1] * 40)
FORGED = (None, 2**40, [["a"]], {"a": 1}, BIG)


WORDS = sorted(header_form.FORMS)


@pytest.mark.parametrize(
    "word", WORDS[::8] + whole(*[word for word in WORDS if word not in WORDS[::8]])
)
def test_each_word_that_is_malformed_or_missing(tmp_path, sound, word):
    for value in FORGED:
        forged(tmp_path, sound, header={**sound[0], word: value})
        assert code(tmp_path) == 0, value
    forged(tmp_path, sound, header={key: sound[0][key] for key in sound[0] if key != word})
    assert code(tmp_path) == 0


@pytest.mark.parametrize("number", [2**31 - 1, *whole(-1, 100_000)])
@pytest.mark.parametrize("place", range(8))
def test_each_wrong_number_at_the_head_of_the_limit_image(tmp_path, sound, place, number):
    image = array("i", sound[0]["safety_image"])
    image[place] = number
    forged(tmp_path, sound, header={**sound[0], "safety_image": image})
    assert code(tmp_path) == 0


def test_a_header_of_the_largest_size_and_larger(tmp_path, sound):
    for extra, words in ((0, None), (header_form.HEADER_BYTES_MAX, "larger than any")):
        forged(tmp_path, sound, header={**sound[0], "more": bytes(extra)})
        if words:
            with pytest.raises(j.JournalError, match=words):
                j.JournalReader(str(tmp_path / "journal"))
        assert code(tmp_path) == 0


@pytest.mark.parametrize("content", [b"\0" * (64 << 20), msgpack.packb({"tick_ms": "x"})])
def test_an_oversized_or_damaged_approved_image_is_none(content):
    assert approval.unpacked(zlib.compress(content)) == {}
