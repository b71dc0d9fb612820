"""The codes: append only, in plain words, and every one the kernel can give has its text."""

import pytest

from controller.core.base import reasons
from controller.rows import reason_words, records
from safety import bounds, matrix, start_checklist
from tests.tables import table

# Codes that were given: logs, journals and upstream systems hold them. The handbook has the newer
# ones, and a test compares it with the codes.
GIVEN_SPANS = """0 101-115 121-124 130-138 212-237 241 243 250-252 301-310 321-323 401-407 420 501
601-609 700-720 801-853 901-905 921-929"""
SPANS = [[int(end) for end in span.split("-")] for span in GIVEN_SPANS.split()]
GIVEN = {code for span in SPANS for code in range(span[0], span[-1] + 1)}
NOT_ON_SCREENS = {"wish", "bound", "lease", "envelope", "L0", "L1", "L2", "compliant", "certified"}
TEXTS = reason_words.TEXTS


def name_of(code):
    return reason_words.text(code)[0]


def test_no_code_is_taken_back():
    assert set(TEXTS) >= GIVEN | {reasons.ROW + number for number in records.ROWS}
    assert name_of(301) == "grid connection import" and name_of(853) == "runaway suspected"
    names = [text[0] for text in TEXTS.values()]
    assert len(set(names)) == len(names), "no two codes have the same name"
    assert reasons.label(217) == "R217"
    with pytest.raises(KeyError):
        reason_words.text(999)


def test_constants_are_codes_with_a_text():
    bases = ("INHIBIT", "ROW", "KERNEL_LIMIT", "MODE")
    named = [value for name, value in vars(reasons).items() if name not in bases]
    found = [value for value in named if isinstance(value, int)]
    assert len(found) == len(set(found)) >= 80 and set(found) <= set(TEXTS)


def test_limits_rows_and_missing_evidence_of_the_kernel_have_texts():
    assert tuple(reason_words.KERNEL_LIMITS) == bounds.LIMITS
    assert len(reasons.KERNEL_CHARGE) == len(reasons.KERNEL_DISCHARGE) == len(bounds.LIMITS)
    assert name_of(reasons.KERNEL_DISCHARGE[bounds.L_BMS_CURRENT]) == "BMS discharge limit"
    assert name_of(reasons.KERNEL_CHARGE[bounds.L_PERMIT]) == "not running, no charge"
    assert {reasons.ROW + stage[matrix.S_ROW] for stage in matrix.STAGES} <= set(TEXTS)
    codes = [reasons.inhibit_code(number) for number in range(len(start_checklist.INHIBIT_REASONS))]
    assert set(codes) <= set(TEXTS) and len(set(codes)) == len(codes)
    rows = table("""INTERLOCK | interlock ; GAS | gas detectors ; LOCKED | locked out
        WAIT | waiting after a try ; IO_3 | I/O module 3 ; CLIMATE | climate monitor
        UPS | UPS monitor ; CAUSE | cause of a row""")
    for constant, name in rows:
        assert name_of(reasons.inhibit_code(getattr(start_checklist, f"I_{constant}"))) == name


def test_stages_of_a_row_can_be_told_apart():
    sentences = {}
    for stage in matrix.STAGES:
        name, sentence, _ = reason_words.stage_text(stage)
        row = stage[matrix.S_ROW]
        assert name == name_of(reasons.ROW + row)
        assert sentence not in sentences.setdefault(row, []), stage[matrix.S_ID]
        sentences[row].append(sentence)


@pytest.mark.parametrize(
    "stage, word",
    [("1c", "key"), ("37b", "key")] + [(stage, "Remote reset") for stage in ("40e", "43c", "44f")],
)
def test_remedy_names_the_reset_that_its_stage_needs(stage, word):
    row = next(each for each in matrix.STAGES if each[matrix.S_ID] == stage)
    assert word in reason_words.stage_text(row)[2]
    assert (row[matrix.S_LATCH] == matrix.KEY) == (word == "key")


def test_texts_fit_the_screen_and_use_its_words():
    stages = [reason_words.stage_text(stage) for stage in matrix.STAGES]
    for name, sentence, remedy in (*TEXTS.values(), *stages):
        assert 0 < len(name) <= 28 and len(sentence) <= 110 and len(remedy) <= 110, name
        assert sentence.endswith(".") and remedy.endswith("."), name
        text = f"{name} {sentence} {remedy}"
        assert text.isascii() and "{" not in text
        assert not NOT_ON_SCREENS & set(text.replace(".", " ").split()), name
