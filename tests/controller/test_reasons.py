"""The codes: append only, in plain words, and every one the kernel can give has its text."""

import pytest

from controller import reasons
from safety import bounds, matrix, permit

# What was ever given. A new code is added here; none is ever changed or removed.
GIVEN = {
    0: "not acting", 101: "no request", 102: "load tracking", 103: "operator instruction", 104: "hint", 105: "schedule",
    106: "load unknown", 107: "service test", 212: "PCS charge rating", 213: "PCS discharge rating",
    214: "installer charge limit", 215: "installer discharge limit", 216: "BMS charge limit",
    217: "BMS discharge limit", 218: "cell voltage, charge", 219: "cell voltage, discharge",
    220: "cell temperature, charge", 221: "cell temperature, discharge", 222: "BMS late, charge",
    223: "BMS late, discharge", 224: "interlock derate, charge", 225: "interlock derate, discharge",
    226: "interlock, no charge", 227: "interlock, no discharge", 228: "interlock ramp, charge",
    229: "interlock ramp, discharge", 230: "stopped, no charge", 231: "stopped, no discharge",
    232: "not running, no charge", 233: "not running, no discharge", 241: "hard reserve",
    243: "hard reserve, SOC unknown", 301: "grid connection import", 302: "grid connection export",
    303: "grid operator", 304: "grid limit by hint", 305: "PV absorption", 401: "limit by hint", 402: "SOC reserve",
    403: "reserve, SOC unknown", 501: "set-point ramp", 601: "frame length", 602: "frame address",
    603: "frame function", 604: "frame register", 605: "frame size of value", 606: "frame checksum",
    607: "frame over charge limit", 608: "frame over discharge limit",
}
NOT_ON_SCREENS = ("wish", "bound", "lease", "envelope", "L0", "L1", "L2", "compliant", "certified")


@pytest.mark.parametrize("code", GIVEN)
def test_a_code_keeps_its_meaning(code):
    assert reasons.text(code)[0] == GIVEN[code]


def test_every_other_code_is_a_row_or_something_a_start_waits_for():
    others = set(reasons.TEXTS) - set(GIVEN)
    assert others == {*range(700, 715), *range(801, 851)}


def test_the_constants_are_codes_with_a_text():
    names = [name for name in dir(reasons) if name.isupper() and isinstance(getattr(reasons, name), int)
             and name not in ("INHIBIT", "ROW", "KERNEL_LIMIT")]
    assert len(names) == 27
    assert {getattr(reasons, name) for name in names} <= set(reasons.TEXTS)
    assert len({getattr(reasons, name) for name in names}) == len(names)


def test_every_limit_of_the_kernel_has_its_two_codes():
    assert tuple(row[0] for row in reasons.KERNEL_LIMITS) == bounds.LIMITS
    assert reasons.text(reasons.KERNEL_DISCHARGE[bounds.L_BMS_CURRENT])[0] == "BMS discharge limit"
    assert reasons.text(reasons.KERNEL_CHARGE[bounds.L_PERMIT])[0] == "not running, no charge"
    assert len(reasons.KERNEL_CHARGE) == len(reasons.KERNEL_DISCHARGE) == len(bounds.LIMITS)


def test_every_row_and_every_missing_evidence_of_the_kernel_has_a_text():
    assert {reasons.ROW + stage[matrix.S_ROW] for stage in matrix.STAGES} <= set(reasons.TEXTS)
    assert {reasons.INHIBIT + code for code in range(len(permit.INHIBIT_REASONS))} <= set(reasons.TEXTS)


@pytest.mark.parametrize("index, name", ((permit.I_INTERLOCK, "interlock"), (permit.I_GAS, "gas detectors"),
                                         (permit.I_KEY, "key not in RUN"), (permit.I_WAIT, "waiting after a try")))
def test_missing_evidence_is_in_the_order_of_the_kernel(index, name):
    assert reasons.text(reasons.INHIBIT + index)[0] == name


@pytest.mark.parametrize("code", reasons.TEXTS)
def test_texts_fit_the_screen_and_use_its_words(code):
    name, sentence, remedy = reasons.text(code)
    assert 0 < len(name) <= 28 and 0 < len(sentence) <= 110 and 0 < len(remedy) <= 110
    assert sentence.endswith(".") and remedy.endswith(".")
    for each in (name, sentence, remedy):
        assert each.isascii() and "{" not in each
        assert not [word for word in NOT_ON_SCREENS if word in each.replace(".", " ").split()]


def test_no_two_codes_have_the_same_name():
    names = [texts[0] for texts in reasons.TEXTS.values()]
    assert len(set(names)) == len(names)


def test_a_code_is_shown_with_its_letter():
    assert reasons.label(217) == "R217"


def test_an_unknown_code_is_an_error_not_a_guess():
    with pytest.raises(KeyError):
        reasons.text(999)
