"""Refused hints and changed keys in the record: from the loop's counters, never a flood."""

import pytest

from controller.config import configuration
from controller.core.base import hint_codes
from controller.hints import hint_statistics
from controller.recorder.hint_watch import LOOK_US, REPEAT_US, HintWatch, Tally
from controller.sites import EXAMPLE
from tests.tables import table

SOURCES = configuration.load(EXAMPLE).sources
S = hint_statistics


class Counters:
    def __init__(self, folder):
        self.path, self.now_us = str(folder / "hints.stats"), 10 * LOOK_US
        self.watch = HintWatch(str(folder))
        self.stats = S.HintStatistics(self.path, SOURCES)

    def look(self, passed_us=LOOK_US):
        self.now_us += passed_us
        return [tuple(event[1:]) for event in self.watch.look(self.now_us)]

    def refuse(self, count, code=hint_codes.TOO_LATE, row=0, counter=S.REFUSED):
        self.stats.rows[row][counter] += count
        self.stats.rows[row][S.LAST_CODE] = code


@pytest.fixture
def counters(tmp_path):
    made = Counters(tmp_path)
    yield made
    made.stats.close()


def test_without_a_file_or_with_half_a_file_there_is_nothing(tmp_path):
    watch = HintWatch(str(tmp_path))
    assert watch.look(LOOK_US) == []
    for content in (b"", b"FBHINT", S.HEAD.pack(S.MAGIC, 99, 7), S.HEAD.pack(S.MAGIC, 0, 16)):
        (tmp_path / "hints.stats").write_bytes(content)
        assert HintWatch(str(tmp_path)).look(LOOK_US) == []


def test_a_refusal_is_told_with_its_reason_and_its_source(counters):
    name = SOURCES[0].name
    counters.refuse(5)
    assert counters.look() == [], "what was before the first look is known, or to nobody"
    counters.refuse(2)
    text = f"refused: 2 of {name}. The hint was sent more than 2 s ago."
    assert counters.look() == [("hint", "REFUSED", name, text)]
    assert counters.look() == []
    counters.refuse(1, hint_codes.GRANTED)  # taken after the refusal: no reason for it
    counters.now_us += REPEAT_US
    assert [text for *_, text in counters.look()] == [f"refused: 1 of {name}."]


def test_a_flood_is_one_event_a_minute_and_all_of_it_is_counted(counters):
    counters.look()
    told = []
    for _ in range(240):
        counters.refuse(100, hint_codes.BAD_MAC, 1, S.BAD_MAC)
        told += counters.look()
    counts = [int(text.split()[1]) for *_, text in told]
    assert len(told) == 4 and counts == [100, 6000, 6000, 6000]


def test_datagrams_of_nobody_known_and_changed_keys_are_told(counters):
    name = SOURCES[0].name
    counters.stats.rows[0][S.KEY_FINGERPRINT] = 0x12345678
    counters.look()
    for word in (S.WRONG_LENGTH, S.WRONG_MAGIC, S.UNKNOWN_SOURCE):
        counters.stats.common[word] += 1
    unknown = "3 datagrams that are no hint of a known source"
    assert counters.look() == [("hint", "REFUSED", "cabinet", unknown)]
    for key, words in (0x0000ABCD, "now 0000abcd"), (0, "removed"):
        counters.stats.rows[0][S.KEY_FINGERPRINT] = key
        assert counters.look() == [("note", "KEYS", name, f"key of {name}: {words}")]


@pytest.mark.parametrize("passed_us, told", [(LOOK_US - 1, 0), (LOOK_US, 1)])
def test_it_looks_once_a_second(counters, passed_us, told):
    counters.look()
    counters.refuse(1)
    assert len(counters.look(passed_us)) == told


TOLD = "0, 0 | [0, 0] ; 7, 8 | [0, 1] ; 7, 9, 12 | [0, 2, 0] ; 7, 3 | [0, 3] ; 7, 0 | [0, 0]"


def test_a_counter_that_began_anew_counts_from_0_and_is_told_each_minute():
    for counts, told in table(TOLD):
        tally = Tally()
        assert [tally.due(count, at * LOOK_US) for at, count in enumerate(counts)] == told
    tally = Tally()
    looks = ((0, 0, 0), (1, 1, 1), (6, REPEAT_US, 0), (6, REPEAT_US + 1, 5))
    assert [tally.due(count, at_us) for count, at_us, _ in looks] == [told for *_, told in looks]
