"""The oracle names every stage, agrees with itself, and reads nothing of the shipped table."""

import ast
import inspect

import pytest

from hil.oracle import design
from tests.repository import ROOT
from tests.tables import cases


@pytest.mark.parametrize("table", ["reads_ms", "takes_ms", "scopes"])
def test_every_named_stage_exists_and_is_named_once(table):
    names = " ".join(design.read(design.DATA)[table].values()).split()
    rows = {str(design.row_number(stage)) for stage in design.ROWS}
    assert len(names) == len(set(names)) and set(names) <= {*design.ROWS, *rows}


@pytest.mark.parametrize("stage", design.ROWS)
def test_every_stage_has_its_times(stage):
    row = design.ROWS[stage]
    assert design.decision_ms(stage) >= row.debounce_ms + 100
    assert design.process_safety_ms(stage) > 0
    does = design.effects(stage)
    if does & {"S", "R"}:
        taken_ms = design.decision_ms(stage) + design.acts_ms(stage, {"S", "R"})
        assert taken_ms <= design.process_safety_ms(stage)


@cases("""stage  decided_ms  scope  derates
    "1c"  600  "cabinet"  (0, 0)
    "19b"  5150  "rack"  (0, 75)
    "40c"  3150  "rack"  (0, 0)
    "40e"  200  "cabinet"  (0, 0)
    "41a"  2300  "unit"  (0, 0)
    "46a"  901_450  "cabinet"  (0, 0)
    "50b"  6200  "cabinet"  (0, 0)
    "17b"  61_400  "cabinet"  (50, 50)""")
def test_decision_times_scopes_and_derates(stage, decided_ms, scope, derates):
    assert design.decision_ms(stage) == decided_ms and design.scope(stage) == scope
    assert tuple([design.derate_pct(stage, way) for way in "cd"]) == derates


def test_how_soon_an_effect_shows():
    assert design.acts_ms("21a", {"S", "R"}) == 200 and design.acts_ms("21a", {"I", "Z"}) == 500
    assert design.acts_ms("4", {"S", "R"}) == 2200 and design.acts_ms("4", {"I", "Z"}) == 2500
    assert design.acts_ms("12a", {"I", "Z"}) is None and design.acts_ms("12a", {"H"}) == 300
    assert design.process_safety_ms("1a") == 2000


def test_the_oracle_imports_no_shipped_table():
    """The data come from a table that was not made from code; the module imports no table."""
    tree = ast.parse((ROOT / "hil/oracle/design.py").read_text(encoding="ascii"))
    found = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert found == ["typing"] and "matrix" not in inspect.getsource(design)
