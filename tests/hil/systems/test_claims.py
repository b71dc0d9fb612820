"""The claims: each state follows from its proofs; the systems' page has the command's table."""

import copy
import json
from collections import Counter

import hypothesis
import pytest
from hypothesis import strategies as st
from in_process import refusal, refused

from controller.forms.refusal import ConfigError
from hil import __main__ as hil
from hil.systems import claims, command, figures, proofs, spec, verdict
from tests.repository import ROOT
from tests.tables import cases

RUNS = [name if not v else f"{name}/{v}" for name in spec.NAMES for v in ("", *spec.variants(name))]
EVERY = claims.load()[0]
EACH = [one for each in EVERY.values() for one in each.values()]
TESTS = sorted({test for each in EACH for test in each.tests})


def test_the_page_counts_its_claims_and_other_code_makes_each_proven_one_stale(monkeypatch, capsys):
    counts = []
    for stale in ([], RUNS):
        monkeypatch.setattr(proofs, "stale", lambda _: stale)
        code = hil.main(["claims"])
        page = capsys.readouterr().out
        assert code == ("| fails |" in page or "| stale |" in page)
        count = Counter(line.split(" | ")[2] for line in page.splitlines() if line[2:3].isdecimal())
        states = [f"{count[state]} {state}" for state in claims.STATES]
        assert f"Of 84: {', '.join(states)}." in page.splitlines()
        counts.append(count)
    fresh, other = counts
    with_runs = [one for one in EACH if one.figures]
    assert fresh["stale"] == 0 and 30 < other["stale"] <= len(with_runs)
    assert other["stale"] + other["works"] == fresh["works"]


def test_the_page_of_the_systems_has_the_table_of_the_command(capsys):
    hil.main(["claims", "--table"])
    assert capsys.readouterr().out.splitlines() == claims.in_readme(claims.README.read_text())


def test_the_front_page_has_the_savings_of_the_stored_runs():
    page = " ".join((ROOT / "README.md").read_text(encoding="ascii").split())
    berlin, norway = [
        proofs.stored()["runs"][run]["figures"]["battery_saves"]["reached"]
        for run in ("berlin", "norway")
    ]
    assert f"The battery saves {berlin:.0f} % of the bill" in page
    assert f"At the site in Norway the battery saves {norway:.1f} %" in page


def test_there_are_84_claims_and_a_few_kB_of_figures():
    counts = [sorted(each) for each in EVERY.values()]
    assert counts == [list(range(1, count + 1)) for count in (23, 15, 17, 15, 14)]
    assert proofs.RESULTS.stat().st_size < 545 * len(proofs.stored()["runs"])
    assert proofs.stored()["commit"]


def test_a_claim_names_runs_and_figures_that_exist():
    wanted = claims.wanted()
    named = {figure for each in wanted.values() for figure in each}
    assert set(wanted) <= set(RUNS)
    assert named <= {*figures.FIGURES}


def test_a_claim_stands_on_promises_that_a_cause_can_break():
    for proof in {proof for each in EACH for proof in each.figures}:
        name, _, variant = proof.run.partition("/")
        known = {each["name"]: each for each in spec.load(name, variant).figures}
        asked = known[proof.figure]
        assert asked["asked"] is not None and asked["breaks"], proof
        assert asked["status"] != "unreachable", proof


@pytest.mark.parametrize("path", sorted({test.partition("::")[0] for test in TESTS}))
def test_a_claim_names_tests_that_are_collected(path, request):
    module = pytest.Module.from_parent(request.session, path=ROOT / "tests" / path)
    found = {getattr(each, "originalname", "") for each in module.collect()}
    assert {test.partition("::")[2] for test in TESTS if test.startswith(f"{path}::")} <= found


def document(**changes):
    """A run of 500 kW with ten minutes of a plain day without a fault."""
    figure = {
        "name": "peak_kW",
        "asked": 500,
        "way": "least",
        "reached": 512.0,
        "optimum": None,
        "status": "measured",
        "is_met": True,
        "text": "peak",
        "unit": "kW",
    }
    plain = {"is_outage": False, "for_s": 600, "faults": []}
    made_by = {"digest": "abc", "functions": {}, "files": []}
    run = {
        "system": "munich",
        "variant": "",
        "days": 1,
        "seed": 1,
        "code": made_by,
        "violations": [],
        "figures": [figure],
        "minutes": [plain],
    }
    return copy.deepcopy(run | changes)


def figure_of(**changes):
    run = document()
    return run | {"figures": [run["figures"][0] | changes]}


FAULTY = [document()["minutes"][0] | {"faults": ["row 54 tripped"]}]
MISSED = {"reached": 499.0, "is_met": False}
BELOW, BESIDE = figure_of(**MISSED), figure_of(name="below_model", **MISSED)


@cases("""
    proof  run  words
    "munich peak_kW"  document()  ""
    "munich peak_kW"  BELOW  "munich peak_kW 499, asked >= 500"
    "munich peak_kW"  BESIDE  "munich below_model 499, asked >= 500"
    "munich swings"  document()  "munich does not judge swings"
    "munich peak_kW"  figure_of(is_met=None)  "munich no promise can be judged"
    "berlin peak_kW"  document()  "no results of berlin"
    "munich/x peak_kW"  document(variant="x")  ""
    "munich peak_kW"  document(minutes=[])  "munich has no minutes with the kernel"
    "munich peak_kW"  document(minutes=FAULTY)  "munich has no minutes with the kernel"
    "munich peak_kW"  document(violations=["import"])  "munich import"
    "munich peak_kW"  document(violations=["a", "b", "c"])  "munich a; 2 more violations"
""")
def test_a_run_proves_a_claim_only_if_it_is_as_promised_and_has_the_kernel(proof, run, words):
    one = proofs.proof_of(proof)
    kept = proofs.kept([run], {one.run: [one.figure]}, "abc")
    assert "; ".join(one.wrong(kept["runs"])).startswith(words)
    assert bool(one.wrong(kept["runs"])) == bool(words)


@pytest.mark.parametrize("run", [document(), BELOW, BESIDE, document(violations=["import"])])
def test_exit_code_page_claims_and_table_say_the_same(run, monkeypatch):
    """A run whose exit code was 1 had a page with "All promises are kept" and claims that work."""
    run["shares"] = run["mode"] = None
    is_good = not verdict.wrong(run)
    monkeypatch.setattr(command, "_all", lambda *_: [(run, "")])
    monkeypatch.setattr(command, "lines", lambda _: [])
    assert hil.main(["run", "munich", "--variant", "base"]) == (0 if is_good else 1)
    said = verdict.sentences(run)
    assert is_good == said.startswith(("The promise is kept.", "All "))
    runs = proofs.kept([run], {"munich": ["peak_kW"]}, "abc")["runs"]
    one = claims._claim(("munich", "1"), {"claim": "c", "figures": ["munich peak_kW"]})
    assert one.judged("munich", runs, set())[0] == ("works" if is_good else "fails")
    row = {"run": "munich", "figure": "peak_kW", "promise": "peak", "unit": "kW"}
    *_, shown, _, code = claims._cells(row, runs)
    assert code == ("0" if is_good else "1")
    assert (shown == "**499 kW**") == (run is BELOW)


def test_states_follow_from_verdicts_tests_and_what_lacks():
    runs = proofs.kept([document()], {"munich": ["peak_kW"]}, "abc")["runs"]
    figures_ = {"figures": ["munich peak_kW"]}
    shown = "munich: peak_kW 512, asked >= 500"

    def judged(given, stale=frozenset()):
        claim = claims._claim(("munich", "1"), {"claim": "c", **given})
        return claim.judged("munich", runs, stale)

    for given, state, text in (
        (figures_, "works", shown),
        ({"tests": ["hil/test_pod.py::x"], "words": "w"}, "works", "w; 1 test"),
        ({"lacks": "a page"}, "missing", "a page"),
        ({"lacks": "a page", "words": "files"}, "partly", "files; a page"),
        ({"unreachable": "2 < 3"}, "unreachable", "2 < 3"),
        ({"context": "the converter's"}, "context", "the converter's"),
    ):
        assert judged(given) == (state, text)
    assert judged(figures_, {"munich/x"})[0] == "works"
    assert judged(figures_, {"munich"}) == ("stale", shown)


@cases("""
    figures  apart  run  state
    []  []  "berlin/storm"  "works"  # of another system
    []  []  "munich/x"  "fails"
    []  []  "munich"  "fails"
    []  ["import"]  "munich/x"  "works"
    []  ["export"]  "munich/x"  "fails"
    ["munich peak_kW"]  []  "munich/x"  "fails"
    ["munich peak_kW"]  ["import"]  "munich/x"  "works"
    ["munich peak_kW"]  ["import"]  "munich"  "fails"  # it names this run
    ["munich/x peak_kW"]  []  "munich/y"  "works"  # it names a variant
    ["munich/x peak_kW"]  ["import"]  "munich/x"  "fails"
""")
def test_a_violation_in_a_variant_counts_unless_the_claim_names_others(figures, apart, run, state):
    found = {}
    for name in ("munich", "munich/x", run):
        system, _, variant = name.partition("/")
        made = document(system=system, variant=variant, violations=["import"] * (name == run))
        found |= proofs.kept([made], {name: ["peak_kW"]}, "abc")["runs"]
    given = {"claim": "c", "figures": figures, "apart": apart, "tests": ["a::b"]}
    assert claims._claim(("munich", "1"), given).judged("munich", found, set())[0] == state


LIMIT_FIGURES = {"seconds_over", "import_15min", "import_1s"}


def test_a_claim_that_promises_the_limit_sets_no_violation_of_it_apart():
    found, _ = claims.load()
    excused = [
        f"{source} {number}"
        for source, each in found.items()
        for number, claim in each.items()
        if any(text.startswith("import") for text in claim.apart)
        and LIMIT_FIGURES & {proof.figure for proof in claim.figures}
    ]
    assert excused == [] and found["shanghai"][13].apart == []


def test_a_violation_in_norway_counts_for_claims_of_its_source():
    runs = proofs.kept([document(system="norway", violations=["import"])], {}, "abc")["runs"]
    one = claims._claim(("berlin", "1"), {"claim": "c", "tests": ["a::b"]})
    assert [one.judged(source, runs, set())[0] for source in ("berlin", "nordic")] == [
        "fails",
        "works",
    ]


@cases("""
    given  line
    {}  "claims.toml:munich.1: has 0 of these; allowed one: proof, lacks, unreachable, context"
    {"lacks": "x", "tests": ["a::b"]}  "claims.toml:munich.1: has 2 of these"
    {"figures": ["munich peak >= 3"]}  "claims.toml:munich.1.figures: "
    {"state": "works"}  "claims.toml:munich.1.state: is not a known key"
""")
def test_a_claim_without_a_proof_is_refused_in_one_line(given, line):
    claim = {"claim": "c", **given}
    assert refusal(ConfigError, claims._claim, ("munich", "1"), claim).startswith(line)


def test_the_table_marks_a_miss_shows_a_bound_and_tells_a_rise():
    def cells(promise="the bill falls by", **changes):
        figure = BELOW["figures"][0] | {"status": "unreachable", "optimum": 600.0} | changes
        run = {"figures": {"a": figure}, "missed": [], "violations": []}
        row = {"run": "munich", "figure": "a", "promise": promise, "unit": "%"}
        return claims._cells(row, {"munich": run})[2:5]

    assert cells() == ("500 %", "**499 %**", "600 %")
    assert cells(asked=700) == ("700 %", "499 %", "600 %")
    assert cells(reached=-3.25, asked=None, is_met=None) == ("-", "it rises by 3.25 %", "600 %")
    assert cells("charge", reached=-3.25, asked=None, is_met=None)[1] == "-3.25 %"
    assert cells(reached=499.99, status="measured")[1] == "**499.99 %**", "not 500 of 500"
    assert claims._cells(dict(run="x", figure="a", promise="", unit="%"), {})[3] == "-"


def test_results_of_several_files_and_none_of_another_kind(tmp_path, capsys):
    paths = [str(tmp_path / name) for name in ("a", "b")]
    for path, run in zip(paths, (document(), document(variant="x"))):
        with open(path, "w", encoding="utf-8") as file:
            json.dump([run], file)
    hil.main(["claims", "--results", *paths, "--commit", "abc", "--table"])
    assert "| 512 |" not in capsys.readouterr().out  # the table asks for other figures
    for content in ("{}", "[1]", "{", '[{"system": "munich"}]'):
        (tmp_path / "a").write_text(content)
        line = refused(capsys, "claims --results", paths[0])
        assert line.startswith("claims: --results") and line.endswith("`hil run all --json`")


NAMES = st.sampled_from(["a", "A.b", "_c", "A.__init__"])
EVIDENCE = st.fixed_dictionaries(
    {
        "functions": st.dictionaries(
            st.sampled_from(["hil", "hil.plant.pcs", "safety.gas"]),
            st.none() | st.lists(NAMES, unique=True).map(lambda names: " ".join(sorted(names))),
        ),
        "files": st.lists(st.sampled_from(["a.toml", "b/c.csv"]), unique=True).map(sorted),
    }
)


@hypothesis.given(st.lists(EVIDENCE, max_size=9))
def test_the_evidence_of_all_runs_is_in_one_table(every):
    table = json.loads(json.dumps(proofs.packed(every)))
    for place, one in enumerate(every):
        read = proofs._evidence(table, place)
        names = {
            module: text and " ".join(sorted(text.split()))
            for module, text in read["functions"].items()
        }
        assert {"functions": names, "files": sorted(read["files"])} == one


def test_stale_and_missing_runs_are_played_and_the_others_stay(tmp_path, monkeypatch, capsys):
    """The stored runs: berlin, whose code is another now, and munich. All others are missing."""
    of_code = {"functions": {"hil": "x"}, "files": []}
    monkeypatch.setattr(
        proofs.evidence, "digest_of", lambda kept: f"of {sorted(kept['functions'])}"
    )
    made = [document(code=of_code | {"digest": "of ['hil']"})]
    made.append(document(system="berlin", code=of_code | {"digest": "before"}))
    before = proofs.kept(made, {}, "abc")
    assert proofs.stale(before) == ["berlin"]
    played = []

    def documents_of(jobs):
        played.extend(jobs)
        return [
            document(system=name, variant=variant, code=of_code | {"digest": "of ['hil']"})
            for name, variant in jobs
        ]

    monkeypatch.setattr(command, "documents_of", documents_of)
    after = claims._played(before, "def")
    assert [proofs.run_of(*job) for job in played] == [run for run in RUNS if run != "munich"]
    assert proofs.stale(after) == [] and set(after["runs"]) == set(RUNS)
    assert after["runs"]["munich"] == before["runs"]["munich"] and after["commit"] == "def"
    assert claims._played(after, "ghi") == after and len(played) == len(RUNS) - 1
    assert "claims: 1 of 36 runs are valid" in capsys.readouterr().err
