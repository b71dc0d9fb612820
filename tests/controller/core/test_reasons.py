"""The codes: append only, in plain words, and every one the kernel can give has its text."""

import pytest

from controller.core import reasons
from controller.rows import reason_words, records
from safety import bounds, evidence, matrix

# Every code ever given: one is only added, as logs, journals and upstream systems hold them.
GIVEN = {
    0,
    *range(101, 110),
    *range(212, 238),
    241,
    243,
    *range(301, 307),
    *range(401, 404),
    501,
    *range(601, 609),
    *range(700, 721),
    *range(801, 854),
}
NOT_ON_SCREENS = ("wish", "bound", "lease", "envelope", "L0", "L1", "L2", "compliant", "certified")


def test_no_code_is_taken_back():
    rows = {reasons.ROW + number for number in records.ROWS}
    assert set(reason_words.TEXTS) == GIVEN | rows
    names = {217: "BMS discharge limit", 301: "grid connection import", 853: "runaway suspected"}
    assert {code: reason_words.text(code)[0] for code in names} == names


def test_the_constants_are_codes_with_a_text():
    names = [
        name
        for name in dir(reasons)
        if name.isupper()
        and isinstance(getattr(reasons, name), int)
        and name not in ("INHIBIT", "ROW", "KERNEL_LIMIT")
    ]
    assert len(names) == 32
    assert {getattr(reasons, name) for name in names} <= set(reason_words.TEXTS)
    assert len({getattr(reasons, name) for name in names}) == len(names)


def test_every_limit_of_the_kernel_has_its_two_codes():
    assert tuple(row[0] for row in reason_words.KERNEL_LIMITS) == bounds.LIMITS
    assert (
        reason_words.text(reasons.KERNEL_DISCHARGE[bounds.L_BMS_CURRENT])[0]
        == "BMS discharge limit"
    )
    assert reason_words.text(reasons.KERNEL_CHARGE[bounds.L_PERMIT])[0] == "not running, no charge"
    assert len(reasons.KERNEL_CHARGE) == len(reasons.KERNEL_DISCHARGE) == len(bounds.LIMITS)


def test_every_row_and_every_missing_evidence_of_the_kernel_has_a_text():
    assert {reasons.ROW + stage[matrix.S_ROW] for stage in matrix.STAGES} <= set(reason_words.TEXTS)
    codes = [reasons.inhibit_code(number) for number in range(len(evidence.INHIBIT_REASONS))]
    assert set(codes) <= set(reason_words.TEXTS) and len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    "stage", matrix.STAGES, ids=[stage[matrix.S_ID] for stage in matrix.STAGES]
)
def test_every_stage_has_a_sentence_and_a_remedy(stage):
    name, sentence, remedy = reason_words.stage_text(stage)
    assert name == reason_words.text(reasons.ROW + stage[matrix.S_ROW])[0]
    _fits_the_screen(name, sentence, remedy)
    beside = [
        other
        for other in matrix.STAGES
        if other[matrix.S_ROW] == stage[matrix.S_ROW] and other != stage
    ]
    assert all(reason_words.stage_text(other)[1] != sentence for other in beside), (
        "the stages of a row can be told apart"
    )


@pytest.mark.parametrize(
    "stage, word",
    [
        ("1c", "key"),
        ("40e", "Remote reset"),
        ("37b", "key"),
        ("43c", "Remote reset"),
        ("44f", "Remote reset"),
    ],
)
def test_a_remedy_names_the_reset_that_its_stage_needs(stage, word):
    row = next(each for each in matrix.STAGES if each[matrix.S_ID] == stage)
    assert word in reason_words.stage_text(row)[2]
    assert (row[matrix.S_LATCH] == matrix.KEY) == (word == "key")


@pytest.mark.parametrize(
    "index, name",
    (
        (evidence.I_INTERLOCK, "interlock"),
        (evidence.I_GAS, "gas detectors"),
        (evidence.I_LOCKED, "locked out"),
        (evidence.I_WAIT, "waiting after a try"),
        (evidence.I_IO_3, "I/O module 3"),
        (evidence.I_CLIMATE, "climate monitor"),
        (evidence.I_UPS, "UPS monitor"),
        (evidence.I_CAUSE, "cause of a row"),
    ),
)
def test_missing_evidence_is_in_the_order_of_the_kernel(index, name):
    assert reason_words.text(reasons.inhibit_code(index))[0] == name


@pytest.mark.parametrize("code", reason_words.TEXTS)
def test_texts_fit_the_screen_and_use_its_words(code):
    _fits_the_screen(*reason_words.text(code))


def _fits_the_screen(name, sentence, remedy):
    assert 0 < len(name) <= 28 and 0 < len(sentence) <= 110 and 0 < len(remedy) <= 110
    assert sentence.endswith(".") and remedy.endswith(".")
    for each in (name, sentence, remedy):
        assert each.isascii() and "{" not in each
        assert not [word for word in NOT_ON_SCREENS if word in each.replace(".", " ").split()]


def test_no_two_codes_have_the_same_name():
    names = [texts[0] for texts in reason_words.TEXTS.values()]
    assert len(set(names)) == len(names)


def test_a_code_is_shown_with_its_letter():
    assert reasons.label(217) == "R217"


def test_an_unknown_code_is_an_error_not_a_guess():
    with pytest.raises(KeyError):
        reason_words.text(999)
