"""Every line of refusals.txt is what the user sees, or is taken with this effect."""

import pytest
import refusals

CASES = refusals.cases(refusals.TABLE.read_text(encoding="ascii"))


@pytest.mark.parametrize("example, changes, line", CASES, ids=[line[:60] for *_, line in CASES])
def test_refused_in_one_line(tmp_path, example, changes, line):
    said = refusals.outcome(tmp_path, example, changes, line)
    assert refusals.fits(line, said), f"{said}\npython -m tests.controller.config.refusals"
    assert said.isprintable() and said.isascii()


def test_no_case_is_repeated():
    assert len({str(case[:2]) for case in CASES}) == len(CASES)
