"""Each mutant of tests/prove/drawn.toml is one of its file: a rename leaves none behind."""

import tomllib

import pytest

from tests.prove import mutants
from tests.repository import ROOT

STORED = tomllib.loads((ROOT / "tests/prove/drawn.toml").read_text(encoding="ascii"))["mutant"]


@pytest.mark.parametrize("stored", STORED, ids=lambda stored: stored["path"])
def test_a_stored_mutant_is_one_of_its_file_and_names_a_test(stored):
    known = mutants.generated(mutants.Source(ROOT / stored["path"]), {})
    assert any(mutant.id.startswith(stored["id"]) for mutant in known)
    path, *names = stored["test"].partition("[")[0].split("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    if len(names) == 1:  # a test of a class may stand in the class before it
        assert f"def {names[0]}(" in text
