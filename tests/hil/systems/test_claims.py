"""The claims: each state follows from its proofs; page and README are what the command makes."""

import copy
import json

import pytest

from controller.forms.refusal import ConfigError
from hil import __main__ as hil
from hil.systems import claims, figures, proofs, spec
from tests.repository import ROOT
from tests.tables import cases

RUNS = [name if not v else f"{name}/{v}" for name in spec.NAMES for v in ("", *spec.variants(name))]
EVERY = {source: each for source, each in claims.load()[0].items()}
TESTS = sorted({test for each in EVERY.values() for one in each.values() for test in one.tests})


def test_page_and_table_are_those_of_the_command(capsys):
    for options, text in (
        ([], claims.PAGE.read_text(encoding="utf-8")),
        (["--table"], "\n".join(claims.in_readme((ROOT / "README.md").read_text("utf-8"))) + "\n"),
    ):
        code = hil.main(["claims", *options])
        assert capsys.readouterr().out == text
        assert code == ("| missed |" in claims.PAGE.read_text(encoding="utf-8"))


def test_there_are_84_claims_and_a_few_kB_of_figures():
    counts = [sorted(each) for each in EVERY.values()]
    assert counts == [list(range(1, count + 1)) for count in (23, 15, 17, 15, 14)]
    assert proofs.RESULTS.stat().st_size < 12_000
    assert proofs.stored()["commit"]


def test_a_claim_names_runs_and_figures_that_exist():
    wanted = claims.wanted()
    named = {figure for each in wanted.values() for figure in each}
    assert set(wanted) <= set(RUNS)
    assert named <= {*figures.FIGURES, *proofs.OF_MINUTES}


@pytest.mark.parametrize("path", sorted({test.partition("::")[0] for test in TESTS}))
def test_a_claim_names_tests_that_are_collected(path, request):
    module = pytest.Module.from_parent(request.session, path=ROOT / "tests" / path)
    found = {getattr(each, "originalname", "") for each in module.collect()}
    assert {test.partition("::")[2] for test in TESTS if test.startswith(f"{path}::")} <= found


def document(**changes):
    """A run of 500 kW with ten minutes of a plain day and an outage, both without a fault."""
    figure = {"name": "peak_kW", "asked": 500, "reached": 512.0, "optimum": None}
    figure |= {"status": "measured", "is_met": True, "text": "peak", "unit": "kW"}
    plain = {"is_outage": False, "for_s": 600, "faults": [], "critical_kWh": 0, "engine_s": None}
    outage = plain | {"is_outage": True, "engine_s": 16.0}
    run = {"system": "munich", "variant": "", "days": 1, "seed": 1, "mode": "chain only, 1 s"}
    run |= {"violations": [], "figures": [figure], "minutes": [plain, outage]}
    return copy.deepcopy(run | changes)


def figure_of(run, **changes):
    run["figures"][0] |= changes
    return run


FAULTY = [each | {"faults": ["row 54 tripped"]} for each in document()["minutes"]]
MIXED = [document()["minutes"][0], FAULTY[1]]


@cases("""
    bound  run  words
    "munich peak_kW >= 500"  document()  ""
    "munich peak_kW >= 513"  document()  "munich: peak_kW 512, asked >= 513"
    "munich peak_kW <= 511"  document()  "munich: peak_kW 512, asked <= 511"
    "munich swings >= 1"  document()  "munich has no figure swings"
    "munich peak_kW >= 500"  figure_of(document(), reached=None)  "munich has no figure peak_kW"
    "berlin peak_kW >= 500"  document()  "no results of berlin"
    "munich/x peak_kW >= 500"  document(variant="x")  ""
    "munich peak_kW >= 500"  document(minutes=[])  "munich has no minutes with the kernel"
    "munich peak_kW >= 500"  document(minutes=FAULTY)  "munich has no minutes with the kernel"
    "munich peak_kW >= 500"  document(violations=["import"])  "munich violates a limit: import"
    "munich peak_kW >= 500"  document(violations=["cap of 1 kW"])  ""
    "munich outages_carried >= 1"  document()  ""
    "munich outages_carried >= 1"  document(minutes=MIXED)  "munich: outages_carried 0, asked >= 1"
    "munich set_s <= 15"  document()  "munich: set_s 16, asked <= 15"
    "munich kernel_min >= 20"  document()  ""
""")
def test_a_figure_proves_a_claim_only_in_a_run_without_a_fault_and_with_the_kernel(
    bound, run, words
):
    one = proofs.bound_of(bound)
    kept = proofs.kept([run], {one.run: [one.figure]}, "abc")
    missed = one.missed(kept["runs"], ["cap of"])
    assert missed.startswith(words) and bool(missed) == bool(words)


def test_states_follow_from_figures_tests_and_what_lacks():
    runs = proofs.kept([document()], {"munich": ["peak_kW"]}, "abc")["runs"]
    for given, state, text in (
        ({"figures": ["munich peak_kW >= 500"]}, "works", "munich: peak_kW 512 >= 500"),
        ({"figures": ["munich peak_kW >= 600"]}, "missed", "munich: peak_kW 512, asked >= 600"),
        ({"tests": ["hil/test_pod.py::x"], "words": "w"}, "works", "w; 1 test"),
        ({"lacks": "a page"}, "missing", "a page"),
        ({"lacks": "a page", "words": "files"}, "partly", "files; a page"),
        ({"unreachable": "2 < 3"}, "unreachable", "2 < 3"),
        ({"context": "the converter's"}, "context", "the converter's"),
    ):
        one = claims._claim(("munich", "1"), {"claim": "c", **given})
        assert one.judged(runs) == (state, text)
    runs["munich"]["violations"] = ["cap of 1 kW missed"]
    given = {"claim": "c", "figures": ["munich peak_kW >= 500"]}
    missed = "munich violates a limit: cap of 1 kW missed"
    assert claims._claim(("munich", "1"), given).judged(runs) == ("missed", missed)
    works = "works", "munich: peak_kW 512 >= 500; beside it: cap of 1 kW missed"
    assert claims._claim(("munich", "1"), given | {"apart": ["cap of"]}).judged(runs) == works


@cases("""
    given  line
    {}  "claims.toml:munich.1: has 0 of these; allowed one: proof, lacks, unreachable, context"
    {"lacks": "x", "tests": ["a::b"]}  "claims.toml:munich.1: has 2 of these"
    {"figures": ["munich peak >> 3"]}  "claims.toml:munich.1.figures: "
    {"state": "works"}  "claims.toml:munich.1.state: is not a known key"
""")
def test_a_claim_without_a_proof_is_refused_in_one_line(given, line):
    with pytest.raises(ConfigError) as error:
        claims._claim(("munich", "1"), {"claim": "c", **given})
    assert str(error.value).startswith(line) and "\n" not in str(error.value)


def test_a_missed_figure_is_bold_in_the_table_and_an_unreachable_one_has_its_bound():
    met, missed = document()["figures"][0], {"is_met": False, "optimum": 600.0}
    assert claims._value(met) == "512"
    assert claims._value(met | missed) == "**512**"
    assert claims._value(met | missed | {"status": "unreachable"}) == "512 (bound 600)"
    assert claims._value({}) == "-"


def test_results_of_several_files_and_none_of_another_kind(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("a", "b")]
    for path, run in zip(paths, (document(), document(variant="x"))):
        with open(path, "w", encoding="utf-8") as file:
            json.dump([figure_of(run)], file)
    hil.main(["claims", "--results", *paths, "--commit", "abc", "--table"])
    assert "| 512 |" not in capsys.readouterr().out  # the table asks for other figures
    for content in ("{}", "[1]", "{", '[{"system": "munich"}]'):
        (tmp_path / "a").write_text(content)
        assert hil.main(["claims", "--results", paths[0]]) == 2
        line = capsys.readouterr().err
        assert line.startswith("claims: --results") and line.endswith("`hil run all --json`\n")
