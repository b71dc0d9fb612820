"""Every number of the matrix has a source, and the source contains the number."""

import pytest

from controller.rows import facts, matrix_words as words, number_sources, records
from safety import matrix as m
from tests.exemptions import Exempt, same

BY_ID = {stage[m.S_ID]: stage for stage in m.STAGES}
HAS_NUMBER = {
    "trips_at": lambda stage: words.level(stage, stage[m.S_SET]),
    "after": lambda stage: stage[m.S_SET_MS],
}
SHOWN = {
    "trips_at": lambda stage: words.level(stage, stage[m.S_SET]),
    "after": lambda stage: words.after(stage[m.S_SET_MS]),
    "clears_at": lambda stage: words.level(stage, stage[m.S_CLEAR]),
}


@pytest.mark.parametrize("name", BY_ID)
def test_every_number_has_a_source_and_nothing_else_has_one(name):
    stage, found = BY_ID[name], number_sources.of(name)
    for number, has in HAS_NUMBER.items():
        assert not has(stage) or number in found, number
    for source in found.values():
        if source.key:
            fact = facts.FACTS[source.key]
            assert (source.words, source.confidence) == (fact.source, fact.confidence)
            assert source.quoted in fact.fact and source.confidence != "D"
        else:
            assert source.words.startswith(number_sources.CHOSEN) and source.confidence == "D"


# (stage, number): value in the matrix, where it differs from the number in the source
IN_STEPS = {
    ("22", "trips_at"): 0.5,  # K in 30 s
    ("23b", "trips_at"): 3,  # K in 3 s
    ("25a", "trips_at"): -0.1,  # below 0
    ("25b", "trips_at"): -20.1,
    ("37a", "trips_at"): 499,
    ("37b", "trips_at"): 99,
    ("39", "after"): 0.3,  # 20 events of 10 ms and 100 ms
    ("43b", "trips_at"): 119,  # min, less than 2 h
    ("43d", "trips_at"): 119,
    ("44f", "trips_at"): 110.1,
    ("44f", "clears_at"): 104.9,
}
IN_WORDS = same(
    Exempt(
        "a threshold that differs from the words of its source is found by no test",
        "tests/controller/rows/test_number_sources.py"
        "::test_a_number_with_a_source_is_the_number_of_its_source",
    ),
    ("5", "trips_at"),
    ("38a", "trips_at"),
)
IN_THE_FEATURE = {"35a": "1.05", "35b": "1.10", "36": "2 x rated"}


@pytest.mark.parametrize("name", BY_ID)
def test_a_number_with_a_source_is_the_number_of_its_source(name):
    for number, source in number_sources.of(name).items():
        if not source.key or (name, number) in IN_WORDS:
            continue
        shown = SHOWN[number](BY_ID[name]).split(" ")[0]
        if name in IN_THE_FEATURE and number == "trips_at":
            assert IN_THE_FEATURE[name] in records.feature(BY_ID[name]).words
        elif (name, number) in IN_STEPS:
            assert float(shown) == IN_STEPS[name, number]
        else:
            numbers = [part for part in source.quoted.split() if part[0] in "0123456789"]
            assert float(shown) in map(float, numbers)


def test_the_numbers_that_an_assessor_asked_for():
    """20/10 ppm and 2.50 V have no source; 0.5, 1 and 3 s are the project's ladder."""
    for stage, number in (
        *(("7", each) for each in number_sources.NUMBERS),
        ("32", "trips_at"),
        *((stage, "trips_at") for stage in ("40a", "40b", "40c", "40d", "46a", "46b")),
    ):
        assert number_sources.of(stage)[number].words.startswith("chosen by the project, because")
    for stage, key in (("18a", "C20"), ("19a", "C20"), ("20a", "C20"), ("36", "C64")):
        assert number_sources.of(stage)["trips_at"].key == key
    assert number_sources.of("37a")["trips_at"].confidence == "G"


def test_a_project_row_without_a_line_refers_to_the_hazard_log():
    assert number_sources.of("999")["trips_at"].words.endswith("are in the hazard log")
    unlisted = set(BY_ID) - set(number_sources.LINES.split())
    assert min([BY_ID[name][m.S_ROW] for name in unlisted]) >= 49


def test_reasons_name_every_number_of_the_project_once():
    named = [part for _, where in number_sources.reasons() for part in where.split("; ")]
    count = sum([len(part.partition(" of ")[2].split(", ")) for part in named])
    ours = [one for name in BY_ID for one in number_sources.of(name).values() if not one.key]
    assert count == len(ours)
