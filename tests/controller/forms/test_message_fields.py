"""An unknown field is never the more permissive one.

The forms are found in the tree: every module that declares fields with `said`. Each field is read
absent, null, of other types, beyond its range, and as a later release may send it. What the box
then decides may be at most what it decides with any right value.
"""

import ast
import importlib
import json
import re

import pytest
from fleet_messages import NAMES, NOW_US, STATE_TOPIC, fleet, hear, heard, report, state

from controller.console import fleet as page
from controller.core.base import hint_codes as h
from controller.dispatch import report as messages, roll_out, site_ask, site_facts
from controller.dispatch.dispatcher import Dispatcher
from controller.forms import message
from controller.forms.field import Field
from controller.systemd import signed_bundle, trial_verdict as trial
from tests.repository import ROOT, tree

UNITS = re.compile(r"_(W|Wh|s|us|permille|ddegC)(_|$)|LimW$")
JOB = site_ask.Job(100_000, 600, 1200)
ABSENT = object()
# Values of another type, or of a later release; a field takes those that it does not allow.
ODD = [None, "", "yes", "later", 1, 0, -1, 1.5, 2**70, True, False, [], ["x"], {}, {"x": 1}]
MORE = ["\0", {"value_W": 1, "valid_s": "x"}, {"label": 7, "words": [], "remedy": {}}]


def declared():
    """{(module, name of the form): form} of every form whose fields say what unknown means."""
    found = {}
    for path in tree():
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("controller/") or path.suffix != ".py":
            continue
        calls = [each for each in ast.walk(ast.parse(path.read_text())) if is_said(each)]
        if not calls or name.startswith("controller/forms/"):
            continue
        module = importlib.import_module(name[:-3].replace("/", "."))
        forms = {key: each for key, each in vars(module).items() if is_form(each)}
        fields = sum(len(call.args[3].value.split()) for call in calls if is_listed(call))
        assert forms and fields, name
        found |= {(name, key): each for key, each in forms.items()}
    return found


def is_said(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "said"


def is_listed(call):
    return isinstance(call.args[3], ast.Constant)


def is_form(value):
    fields = value.values() if isinstance(value, dict) else []
    return bool(fields) and all(isinstance(each, Field) and each.unknown for each in fields)


FORMS = declared()
PLACES = [(form, field) for form in FORMS for field in FORMS[form]]


@pytest.mark.parametrize(("form", "name"), PLACES)
def test_each_field_has_a_range_a_unit_and_a_meaning_of_unknown(form, name):
    field = FORMS[form][name]
    assert len(field.unknown.split()) >= 2
    if field.kind in ("int", "number"):
        assert field.allowed[0] < field.allowed[1]
        assert field.unit or UNITS.search(name), "no unit"


def rights(field):
    """Right values of a field: its ends, and one between."""
    if field.kind in ("int", "number"):
        low, high = field.allowed
        return [low, high, (low + high) // 2]
    if field.kind == "bool":
        return [False, True]
    if field.kind == "table":
        return []
    return ["running", "9.9"] if field.kind == "as" else []


def wrongs(field):
    """Values that the field does not allow, and no value."""
    yield ABSENT
    if field.kind in ("int", "number"):
        yield from (field.allowed[0] - 1, field.allowed[1] + 1, 0.5 if field.kind == "int" else "1")
    for each in (*ODD, *MORE):
        if message.read({"x": field}, {"x": each})[0]["x"] is None:
            yield each


def put(found, name, value):
    changed = {**found, name: value}
    if value is ABSENT:
        del changed[name]
    return changed


# -- what decides: each gives a tuple, and larger is more permissive


def of_fleet(seen):
    """What the page, the answer to a job and the roll-out make of the cabinets."""
    found = site_facts.of(seen, NOW_US)
    one = found["cabinets"]["hall1"]
    out = roll_out.RollOut(["hall1"], "9.9")
    return (
        page._exit_code(found) == 0,
        site_ask.answer(found, JOB)["answer"] == site_ask.YES,
        site_ask.answer(found, JOB, "" if found["is_common"] else "hall1")["answer"]
        == site_ask.YES,
        out.state(one) == roll_out.KEPT,
        out.step({"hall1": one}, 0) == ["hall1"],
    )


def reports_of(name, value):
    for is_common in (False, True):
        good = {**report(), "release": "9.9", "on_trial": False, "pv_W": 0, "ready_permille": 1000}
        good |= {"trouble": "", "alarm": None}
        seen = heard(shared=state(), is_common=is_common)
        found = put(good, name, value)
        if name == "share" and value is not ABSENT:
            found["share"] = {"fleet": value}
        for each in NAMES if is_common and name == "load_W" else NAMES[:1]:  # all see one meter
            hear(seen, f"firebreak/{each}/report", found)
        yield from of_fleet(seen)
    yield discharge_W(found)


def discharge_W(found):
    """What the dispatcher counts on from the battery."""
    own = Dispatcher(fleet(NAMES[:1]), 5, 0, False, (), 1)
    own.hear_report("hall1", messages.report_of(json.dumps(found).encode()), 0)
    own.members[0].exchange.is_known = True
    return own._view(0, 1000).discharge_W


def states_of(name, value, is_row=False):
    for is_silent in (False, True):
        made = state()
        if is_row:
            made["cabinets"]["hall1"] = put(made["cabinets"]["hall1"], name, value)
        else:
            made = put(made, name, value)
        seen = heard({"hall1": {}})
        if is_silent:
            hear(seen, "firebreak/hall1/online", b"offline")
        hear(seen, STATE_TOPIC, made)
        yield from of_fleet(seen)


GOOD = {name: False for name in trial.FIGURES if name.startswith("is_")}
GOOD |= {"is_controlling": True, "uptime_s": 100.0, "missed_permille": 0, "trips": 7, "links": 0}
GOOD |= {"late_us": 150, "apart_permille": 3.0}


def stays(now, before=GOOD):
    """True if a release with these figures is kept."""
    if not trial.is_whole(now):
        return False
    found = trial.Trial("new", "old", before, 7, True)
    for at in range(1, trial.TRIAL_MIN + 1):
        found, why = trial.judged(found, now, True, 60.0 * at)
    return trial.is_over(found) and not why


def notes_of(name, value):
    note = trial.Trial("new", "old", GOOD, 7, True)._asdict()
    yield trial.of_note(put(note, name, value)) is not None


def bundles_of(name, value):
    good = {"version": "1.0", "made_utc_s": 1, "python": "3.11", "machine": "x"}
    text = json.dumps(put(good, name, value)).encode()
    try:
        signed_bundle._release("x", {signed_bundle.RELEASE: text})
        yield True
    except signed_bundle.BundleError:
        yield False


DECIDERS = {
    ("controller/dispatch/report.py", "FORM"): reports_of,
    ("controller/dispatch/report.py", "OWN"): reports_of,
    ("controller/dispatch/report.py", "STATE"): states_of,
    ("controller/dispatch/report.py", "CABINET"): lambda *given: states_of(*given, is_row=True),
    ("controller/dispatch/report.py", "CONTROL"): lambda *given: [],  # shown, decides nothing
    ("controller/systemd/trial_verdict.py", "FIGURES"): lambda *given: [stays(put(GOOD, *given))],
    ("controller/systemd/trial_verdict.py", "_NOTE"): notes_of,
    ("controller/systemd/signed_bundle.py", "FORM"): bundles_of,
}


def test_every_form_is_decided_here():
    assert set(DECIDERS) == set(FORMS)


@pytest.mark.parametrize(("form", "name"), PLACES)
def test_an_unknown_value_is_never_more_permissive_than_a_right_one(form, name):
    field, decide = FORMS[form][name], DECIDERS[form]
    right = [list(decide(name, value)) for value in rights(field)]
    # A right value of another field's kind decides nothing here; an empty one gives no bound.
    least = [min(each) for each in zip(*right)]
    for value in wrongs(field):
        found = list(decide(name, value))
        worse = [at for at, (own, most) in enumerate(zip(found, least)) if own > most]
        assert not worse, (value, found, least)


@pytest.mark.parametrize("name", trial.FIGURES)
def test_a_figure_of_before_that_is_unknown_lets_no_worse_release_stay_than_its_other_figures(name):
    """The exemption: an unknown figure of before is not compared. The largest harm is a release
    that is worse in that figure alone; each other one still counts.
    """
    before = {**GOOD, name: None}
    for other, (_, times, plus) in trial.WORSE.items():
        if other != name:
            assert not stays({**GOOD, other: 9 * (times * GOOD[other] + plus) + 99}, before)


@pytest.mark.parametrize("code", range(0, 300))
def test_a_code_is_taken_only_if_it_is_known(code):
    assert not h.taken(code) or code in h.TEXTS
    assert h.text(code)[0]
