"""The oracle names every stage, agrees with itself, and reads nothing of the shipped table."""

import ast
import inspect

import pytest

from hil import oracle
from tests.repository import ROOT
from tests.tables import cases


@pytest.mark.parametrize("table", ["reads_ms", "takes_ms", "scopes"])
def test_every_named_stage_exists_and_is_named_once(table):
    names = " ".join(oracle.read(oracle.DATA)[table].values()).split()
    rows = {str(oracle.row_number(stage)) for stage in oracle.ROWS}
    assert len(names) == len(set(names)) and set(names) <= {*oracle.ROWS, *rows}


@pytest.mark.parametrize("stage", oracle.ROWS)
def test_every_stage_has_its_times(stage):
    row = oracle.ROWS[stage]
    assert oracle.decision_ms(stage) >= row.debounce_ms + 100
    assert oracle.process_safety_ms(stage) > 0
    does = oracle.effects(stage)
    if does & {"S", "R"}:
        taken_ms = oracle.decision_ms(stage) + oracle.acts_ms(stage, {"S", "R"})
        assert taken_ms <= oracle.process_safety_ms(stage)


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
    assert oracle.decision_ms(stage) == decided_ms and oracle.scope(stage) == scope
    assert tuple([oracle.derate_pct(stage, way) for way in "cd"]) == derates


def test_how_soon_an_effect_shows():
    assert oracle.acts_ms("21a", {"S", "R"}) == 200 and oracle.acts_ms("21a", {"I", "Z"}) == 500
    assert oracle.acts_ms("4", {"S", "R"}) == 2200 and oracle.acts_ms("4", {"I", "Z"}) == 2500
    assert oracle.acts_ms("12a", {"I", "Z"}) is None and oracle.acts_ms("12a", {"H"}) == 300
    assert oracle.process_safety_ms("1a") == 2000


def test_the_oracle_imports_no_shipped_table():
    """The data come from a table that was not made from code; the module imports no table."""
    tree = ast.parse((ROOT / "hil/oracle.py").read_text(encoding="ascii"))
    found = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert found == ["typing"] and "matrix" not in inspect.getsource(oracle)
