"""`firebreak audit`: what it reads, refuses in one line, and prints."""

import json
import math
import tracemalloc
import warnings
from datetime import UTC

import numpy as np
import pytest
from command_line import run
from hypothesis import HealthCheck, given, settings, strategies as st
from planted import Given

from controller.audit import judge, rules, samples, table as audit_table
from controller.series import table
from tests.tables import cases

COLUMNS = ["grid_MW", "battery_MW", "voltage_pu", "frequency_Hz", "commanded"]


def rows(count, step_s=0.02, MW_at=lambda t_s: 300.0, begin_s=0.0):
    times = [begin_s + at * step_s for at in range(count)]
    return [f"{t_s:.3f},{MW_at(t_s)}" for t_s in times]


@pytest.fixture
def audit(capsys, tmp_path):
    """The answer to a file of these lines."""
    path = tmp_path / "load.csv"

    def asked(lines, *more, head="t_s,load_MW"):
        path.write_text("\n".join([head, *lines]) + "\n")
        return run(capsys, "audit", path, *more)

    return asked


def test_a_step_is_judged_for_its_size(audit, tmp_path):
    step = rows(1000, MW_at=lambda t_s: 60.0 if t_s < 10 else 80.0)
    more = "--rules", "atc_spp", "--json", tmp_path / "a.json", "--html", tmp_path / "a.html"
    code, out, err = audit(step, *more, "--site-MW", "160")
    assert (code, err) == (1, [])
    assert "  load alone    NOT MET        40 MW of 25; at 10.000 s; largest site 100 MW" in out
    found = json.loads((tmp_path / "a.json").read_text())["verdicts"][1]
    assert (found["value"], found["at_s"], found["provenance"]) == (40, 10, "second-hand")
    assert found["readings"] == []
    page = (tmp_path / "a.html").read_text()
    assert page.count("<svg") == 1 and "src=" not in page and "href" not in page


@cases("""head  lines
    "t_s,load_MW,voltage_pu"  []
    "t_s,load_MW,Voltage_pu"  []
    "t_s,load_MW,Voltage [pu]"  []
    "t_s,load_MW,voltage_V"  ["columns that are not read: voltage_V"]
    "t_s,load_MW,voltage_pu_1"  ["columns that are not read: voltage_pu_1"]
""")
def test_a_column_is_read_or_named(audit, tmp_path, head, lines):
    sag = [f"{row},{0.6 if 400 <= at < 410 else 1}" for at, row in enumerate(rows(1000))]
    more = "--rules", "eirgrid", "--json", tmp_path / "a.json"
    out = audit(sag, *more, head=head)[1]
    found = json.loads((tmp_path / "a.json").read_text())
    assert [line for line in out if line.startswith("columns that")] == lines
    assert ("1 of 1 sags" in " ".join(out)) == (not lines)
    assert found["unread_columns"] == [each.rpartition(" ")[2] for each in lines]


def test_two_columns_of_the_voltage_are_refused(audit):
    lines = [f"{row},1,1" for row in rows(9)]
    code, out, err = audit(lines, head="t_s,load_MW,voltage_pu,Voltage (pu)")
    assert code == 2 and "several columns of voltage_pu: voltage_pu, Voltage (pu)" in err[0]


def test_both_readings_are_in_report_page_and_json(audit, tmp_path):
    """100 MW, then 108.8 MW: two poles swing back by exp(-pi / 2) of the step."""
    step = rows(1500, MW_at=lambda t_s: 100.0 if t_s < 15 else 108.8)
    more = "--rules", "ercot", "--json", tmp_path / "a.json", "--html", tmp_path / "a.html"
    out = audit(step, *more)[1]
    (line,) = [line for line in out if "two poles 10." in line]
    assert "the stricter reading decides: one pole 8.7" in line and "NOT MET" in line
    assert line.split("NOT MET")[1].strip() in (tmp_path / "a.html").read_text()
    found = json.loads((tmp_path / "a.json").read_text())["verdicts"][0]
    one, two = found["readings"]
    assert (one["reading"], one["verdict"], two["reading"]) == ("one pole", "met", "two poles")
    assert one["value"] == pytest.approx(8.8 * 0.994, rel=0.002)
    assert two["value"] == pytest.approx(8.8 * (0.991 + np.exp(-np.pi / 2)), rel=0.002)
    assert [two[key] for key in ("verdict", "value", "at_s")] == [
        found[key] for key in ("verdict", "value", "at_s")
    ]


@pytest.mark.parametrize("step_s, jitter", [(0.02, 0.2), (0.3, 0.0), (0.3, 0.2), (0.7, 0.0)])
def test_windows_end_between_samples_and_uneven_samples_are_exact(step_s, jitter):
    rng = np.random.default_rng(5)
    times_s = np.arange(round(120 / step_s)) * step_s
    times_s += jitter * step_s * rng.uniform(-1, 1, len(times_s))
    load_W = 1e6 * (60 + np.clip(times_s - 30, 0, 40))
    given = Given(times_s, {"load_W": load_W}, 977)
    rule = rules.load("ieso")[:2]
    window, slope = judge.audit(given, rule, None).verdicts
    assert window.value == pytest.approx(15, rel=0.005)
    assert slope.value == pytest.approx(40, rel=0.01)


@pytest.mark.parametrize("gap_s, slope, change", [(0.0, 40, 20), (3.0, 40, 20), (20.0, 40, None)])
def test_a_gap_inside_a_window_hides_no_change(gap_s, slope, change):
    every_s = np.arange(0, 400, 0.5)
    times_s = every_s[(every_s < 150) | (every_s >= 150 + gap_s)]
    ramp = np.clip(times_s - 120, 0, 80) * 40 / 60
    step = np.where(times_s < 150, 0.0, 20.0)
    for load, rule, value in ((ramp, 1, slope), (step, 0, change)):
        given = Given(times_s, {"load_W": 1e6 * (80 + load)}, 301)
        (found,) = judge.audit(given, [rules.load("ieso")[rule]], None).verdicts
        assert found.value == pytest.approx(value or 0, rel=0.01)


def test_commands_are_held_between_uneven_samples():
    times_s = np.arange(0, 2, 0.02)
    times_s[1::2] += 0.004
    found = {"load_W": times_s, "commanded": np.where(times_s < 0.5, 1.0, 4.0)}
    blocks = list(samples.Steady(Given(times_s, found, 1000)).blocks())
    assert {*np.concatenate([each.values["commanded"] for each in blocks])} == {1.0, 4.0}


@cases("""
begins             limit_is     size    word
"from_MW = 20"     "at most"    19.9    judge.BELOW
"from_MW = 20"     "at most"    20      judge.MET
"above_MW = 20"    "at most"    20      judge.BELOW
"above_MW = 20"    "at most"    20.1    judge.BROKEN
"above_MW = 10"    "at most"    20      judge.MET
"above_MW = 10"    "below"      20      judge.BROKEN
"above_MW = 10"    "below"      19.9    judge.MET
"above_MW = 20"    "at most"    20 + 1e-9  judge.BELOW
"from_MW = 20"     "at most"    20 - 1e-9  judge.MET
"from_MW = 20"     "at most"    20 + 1e-6  judge.BROKEN
"above_MW = 10"    "below"      20 - 1e-9  judge.BROKEN
"above_MW = 10"    "below"      20 - 1e-6  judge.MET
""")
def test_edges_of_size_and_limit(tmp_path, begins, limit_is, size, word):
    head = f'operator = "A"\ndocument = "B"\ndate = 2026-01-01\nprovenance = "read"\n{begins}\n'
    mine = f"[rule.a]\nquantity = 'range'\nwindow_s = 5.0\nlimit_MW = 10\nlimit_is = '{limit_is}'\n"
    (tmp_path / "mine.toml").write_text(head + mine)
    times_s = np.arange(0, 20, 0.1)
    given = Given(times_s, {"load_W": np.where(times_s < 10, 1e7, 2e7)}, 1000)
    (found,) = judge.audit(given, rules.load(str(tmp_path / "mine.toml")), size).verdicts
    assert found.word == word


@cases("""
peak_MW  rise_MW    word
37       20         judge.MET
41       20         judge.MET
41       20.00001   judge.BROKEN
90       20         judge.MET
""")
def test_a_ramp_of_exactly_the_limit_is_met(peak_MW, rise_MW, word):
    times_s = np.arange(4000) * 0.1
    load_W = 1e6 * (peak_MW - rise_MW + rise_MW * np.clip((times_s - 100) / 60, 0, 1))
    rule = [each for each in rules.load("ieso") if each.name == "ramp"]
    assert judge.audit(Given(times_s, {"load_W": load_W}, 997), rule, None).verdicts[0].word == word


@cases("""
words                             is_met
[judge.MET, judge.NOTHING]        True
[judge.MET, judge.BELOW]          True
[judge.BELOW]                     False
[judge.BELOW, judge.NOTHING]      False
[judge.NOTHING]                   False
[judge.MET, judge.BROKEN]         False
[judge.MET, judge.REFUSED]        False
[judge.BELOW, judge.REFUSED]      False
""")
def test_an_audit_is_met_when_a_rule_in_force_is_met_and_none_is_broken(words, is_met):
    in_force, proposal = rules.load("southern")[0], rules.load("caiso")[0]
    made = [judge.Verdict(in_force, "load alone", word) for word in words]
    assert judge.Findings(None, None, 1.0, 1.0, made).is_met == is_met
    made.append(judge.Verdict(proposal, "load alone", judge.BROKEN))
    assert judge.Findings(None, None, 1.0, 1.0, made).is_met == is_met
    proposals = [verdict._replace(rule=proposal) for verdict in made]
    assert not judge.Findings(None, None, 1.0, 1.0, proposals).is_met


@pytest.mark.parametrize("step_s", [0.02, 60])
def test_a_rule_for_larger_sites_does_not_apply_to_a_record_that_nobody_can_judge(step_s):
    times_s = np.arange(20) * step_s
    given = Given(times_s, {"load_W": np.full(20, 1e6)}, 1000)
    found = judge.audit(given, rules.load("southern"), 49)
    assert {each.word for each in found.verdicts} == {judge.BELOW} and not found.is_met


def test_a_segment_begins_after_a_gap_in_any_piece_and_a_double_sample_is_one():
    times_s = np.array([0.0, 0.02, 0.04, 0.06, 0.061, 0.08, 0.1, 5.0, 5.02, 5.08])
    pieces = Given(times_s, {"load_W": np.arange(10.0)}, 4)
    blocks = []
    with pytest.raises(samples.AuditError, match="are missing"):
        for each in samples.Steady(pieces).blocks():
            blocks.append(each)
    assert [each.is_begin for each in blocks] == [True, False, True, False]
    found = np.concatenate([each.values["load_W"] for each in blocks])
    assert found.tolist() == pytest.approx([0, 1, 2, 3, 5, 6, 7, 8, 8 + 1 / 3, 8 + 2 / 3, 9])


def test_a_bridge_over_more_samples_than_memory_holds_is_refused(monkeypatch, audit):
    monkeypatch.setattr(samples, "BRIDGED_MAX", 100)
    lines = [*rows(200, 0.005), *rows(3, 0.9, begin_s=1.9)]
    code, out, err = audit(lines, "--rules", "southern")
    assert code == 2 and not out and "more than 100 samples of 0.005 s are missing" in err[0]


def held(period_s, level_at, step_s=0.02, count=6000):
    """Samples of a power that changes once in a period."""
    return rows(count, step_s, lambda t_s: level_at(int((t_s + 1e-9) / period_s)))


def lasting(steps, level_at):
    """Samples of 20 ms of powers that last so many of them."""
    found = np.repeat(np.arange(len(steps)), steps)
    return rows(sum(steps), 0.02, lambda t_s: level_at(int(found[round(t_s / 0.02)])))


PHASES_s = np.cumsum([1.0, 3.0, 3.0, 3.0, 9.0] * 7)


def uneven(at):
    return 300 + 50 * math.sin(at * at)


@cases("""
lines                                               meter_ms
held(1.0, uneven)                                   1000
held(0.1, uneven)                                   100
held(1.0, uneven, 0.1)                              1000
held(1.0, lambda at: round(uneven(at), -1))         1000
held(1.0, lambda at: 300 + 50 * (at % 2))           20
held(0.1, lambda at: 300 + 50 * (at % 2))           20
held(0.5, lambda at: 300 + 10 * abs(at % 6 - 3))    20
held(200.0, uneven)                                 20
rows(6000, 0.02, lambda t_s: uneven(int(np.searchsorted(PHASES_s, t_s + 1e-9))))  3000
held(0.03, uneven)                                  30
lasting([50] * 15 + [1, 49] * 3 + [50] * 60, uneven)  1000
lasting([15, 90, 40, 70, 20, 55] * 20, uneven)  1050
held(1.0, lambda at: at % 2 if at < 20 else uneven(at))  1000
held(1.0, lambda at: at % 2 if at < 1400 else uneven(at), 0.02, 80_000)  1000
held(0.02, lambda at: 300 + at % 7 if at < 900 else uneven(at))  20
held(0.02, lambda at: round(uneven(at), -1))        20
held(0.02, lambda at: uneven(at) if at < 900 else 7)  20
""")
def test_repeated_values_show_how_often_the_meter_measures(audit, lines, meter_ms):
    """A square or a staircase between few levels is a load, and no slow meter. Torn readings, an
    uneven refresh and an idle begin hide none.
    """
    out = audit(lines, "--rules", "lipa")[1]
    assert out[1].endswith(f"a third of its rate: one value each {meter_ms} ms")
    assert len([line for line in out if " refused " in line]) == (meter_ms > 20) + (meter_ms > 400)
    stated = audit(lines, "--rules", "lipa", "--meter-ms", "20")[1]
    assert stated[1].endswith(f"one value each {100 if lines[1].startswith('0.100') else 20} ms")


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_record_with_holes_is_judged_or_refused_in_one_line(audit, data):
    """Lost rows and values, long gaps, blocks of any length: no traceback, no warning of numpy."""
    step_s = data.draw(st.sampled_from([0.001, 0.02, 0.5, 5.0, 900.0]))
    skips = data.draw(st.lists(st.sampled_from([1, 1, 1, 1, 2, 5, 80, 3000]), max_size=60))
    cell = st.sampled_from(["80", "80", "81.5", "0", "-5", "1", "0.5", "", "nan", "x"])
    head = ["t_s", "load_MW", *data.draw(st.sets(st.sampled_from(COLUMNS)))]
    at, lines = 0, []
    for skip in skips:
        at += skip
        lines.append(",".join([f"{at * step_s:.3f}", *[data.draw(cell) for _ in head[1:]]]))
    with pytest.MonkeyPatch.context() as patched, warnings.catch_warnings():
        patched.setattr(audit_table, "ROWS", data.draw(st.sampled_from([3, 20, 1 << 16])))
        warnings.simplefilter("error", RuntimeWarning)
        more = "--rules", *rules.names(), "--json", "/dev/null", "--html", "/dev/null"
        code, out, err = audit(lines, *more, head=",".join(head))
    assert (code in (0, 1) and out) or (code == 2 and len(err) == 1)


def test_every_shipped_rule_says_where_it_was_read():
    every = [rule for name in rules.names() for rule in rules.load(name)]
    assert {rule.operator for rule in every} == set(
        "ERCOT IESO CAISO LIPA Southern ATC ATC/SPP SPP AESO EirGrid AEMC template".split()
        + ["NVIDIA T4"]
    )
    assert all(rule.title.endswith(" (?)") for rule in every)
    assert not [name for name in rules.usual() if "template" in name]
    proposals = {rule.operator for rule in every if rule.is_proposal}
    assert proposals == {rule.operator for rule in every if "proposal" in rule.title}
    assert proposals == {"AEMC", "CAISO", "ERCOT"}
    heads = {(rule.provenance, rule.document[:9], rule.date) for rule in rules.load("ercot")[1:]}
    assert heads == {
        ("second-hand", "NPRR 1191", "2023-01-01"),
        ("list", "NOGRR 282", "2026-08-01"),
    }


class Sag(Given):
    """A minute with a sag of 0.4 s at 30 s to this value. acts: commanded from 30.2 s on."""

    def __init__(self, column, value, acts=0, length_s=0.4, slide_s=0.0):
        """slide_s: the way down and back."""
        all_s = np.arange(3000) * 0.02
        normal = {"voltage_pu": 1.0, "frequency_Hz": 60.0}[column]
        end_s = 29.99 + length_s
        times_s, values = [29.98 - slide_s, 29.99, end_s, end_s + 0.01 + slide_s], [0, 1, 1, 0]
        depth = np.interp(all_s, times_s, values)
        found = {
            "load_W": np.full(3000, 50e6),
            column: normal + depth * (value - normal),
            "commanded": np.where(all_s > 30.19, acts, 0.0),
        }
        super().__init__(all_s, found, 1400)


STOP, ISLAND = 1, 2
VOLTAGE, FREQUENCY = "voltage_pu", "frequency_Hz"
INSIDE, OUTSIDE = "1 of 1 sags inside the curve", "0 of 1 sags inside the curve"


@cases("""
name         sag                                verdict         why
"ercot"    (VOLTAGE, 0.6)                     judge.MET       INSIDE
"ercot"    (VOLTAGE, 0.6, STOP)               judge.BROKEN    "stop commanded 0.20 s into the sag"
"ercot"    (VOLTAGE, 0.6, ISLAND)             judge.BROKEN    "island commanded"
"ercot"    (VOLTAGE, 0.1, STOP)               judge.MET       OUTSIDE
"ercot"    (VOLTAGE, 0.85, STOP, 3.0)         judge.BROKEN    "stop commanded"
"ercot"    (VOLTAGE, 0.85, 0, 3.0)            judge.MET       OUTSIDE
"ercot"    (VOLTAGE, 1.15, STOP)              judge.BROKEN    "stop commanded"
"ercot"    (VOLTAGE, 1.25, STOP)              judge.MET       OUTSIDE
"ercot"    (VOLTAGE, 0.95, STOP)              judge.NOTHING   "no sag in this record"
"caiso"    (VOLTAGE, 0.85, 0, 3.0)            judge.MET       INSIDE
"caiso"    (VOLTAGE, 1.3, STOP)               judge.BROKEN    "stop commanded"
"caiso"    (VOLTAGE, 1.15, STOP, 3.0)         judge.BROKEN    "0 of 1 sags inside"
"caiso"    (FREQUENCY, 58.5, STOP, 20.0)      judge.BROKEN    "stop commanded"
"eirgrid"  (VOLTAGE, 1.3, STOP)               judge.NOTHING   "no sag in this record"
"eirgrid"  (VOLTAGE, 0.1, STOP)               judge.MET       INSIDE
"ercot"    (VOLTAGE, 0.6, 0, 60.0)            judge.MET       OUTSIDE
"ercot"    (FREQUENCY, 58.5, STOP, 20.0)      judge.BROKEN    "stop commanded"
"ercot"    (FREQUENCY, 56.9, STOP)            judge.MET       OUTSIDE
"eirgrid"  (FREQUENCY, 59.5, STOP, 0.4, 0.6)  judge.BROKEN    "no voltage"
"eirgrid"  (FREQUENCY, 59.3, STOP, 3.0, 0.1)  judge.MET       "0 of 2 sags inside"
"ieso"     (FREQUENCY, 59.3, STOP, 0.4, 0.1)  judge.BROKEN    "stop commanded"
"spp"      (VOLTAGE, 0.6, STOP)               judge.BROKEN    "stop commanded 0.20 s"
"spp"      (VOLTAGE, 0.45, STOP)              judge.MET       OUTSIDE
"spp"      (VOLTAGE, 1.15, STOP)              judge.MET       OUTSIDE
"spp"      (FREQUENCY, 58.7, STOP)            judge.MET       OUTSIDE
"spp"      (FREQUENCY, 58.9, STOP)            judge.NOTHING   "no sag in this record"
""")
def test_a_sag_is_judged_by_the_curve(name, sag, verdict, why):
    rule = [each for each in rules.load(name) if each.quantity == "ride_through"]
    (found,) = judge.audit(Sag(*sag), rule, 100.0).verdicts
    assert (found.word, why in found.why) == (verdict, True), found


@cases("""
name     column     value  most_s
"caiso"  VOLTAGE    1.15     2.0
"caiso"  VOLTAGE    0.2      0.16  # 0.15 s, in samples of 20 ms
"caiso"  FREQUENCY  58.7     299
"caiso"  FREQUENCY  61.3     299
"ercot"  VOLTAGE    1.15     2.0
"ercot"  FREQUENCY  61.7     299
"spp"    VOLTAGE    0.6      0.5
""")
def test_a_stop_in_the_last_sample_of_the_curve_and_in_the_next_one(name, column, value, most_s):
    last, begin = round(most_s / 0.02), 500
    times_s = np.arange(last + 2000) * 0.02
    is_sag = (times_s > 9.99) & (times_s < 12 + most_s)
    normal = {VOLTAGE: 1.0, FREQUENCY: 60.0}[column]
    rule = [each for each in rules.load(name) if each.quantity == "ride_through"]
    for sample, word in ((last - 1, judge.BROKEN), (last, judge.BROKEN), (last + 1, judge.MET)):
        columns = {column: np.where(is_sag, value, normal), "load_W": np.full(len(times_s), 1e8)}
        columns["commanded"] = np.where(np.arange(len(times_s)) >= begin + sample - 1, STOP, 0.0)
        (found,) = judge.audit(Given(times_s, columns, 7000), rule, 100.0).verdicts
        assert (found.word, sample) == (word, sample), found


def test_a_rule_without_a_time_for_the_power_judges_commands_alone():
    times_s = np.arange(3000) * 0.02
    columns = {"voltage_pu": in_span(times_s, 29.99, 30.29, 0.6, 1.0)}
    columns["load_W"] = in_span(times_s, 29.99, 99, 0.0, 1e8)
    silent = judge.audit(Given(times_s, columns, 1400), rules.load("spp"), 100.0).verdicts[0]
    assert (silent.word, silent.why) == (
        judge.NOTHING,
        "the record has no frequency and no commands",
    )
    columns["commanded"] = np.zeros(3000)
    (found,) = judge.audit(Given(times_s, columns, 1400), rules.load("spp"), 100.0).verdicts
    assert (found.word, found.value, found.limit) == (judge.MET, None, None)
    assert found.why.startswith(INSIDE)


@cases("""
name      why
"ercot"  "no frequency and no commands"
"aemc"   "no frequency"
""")
def test_a_record_without_commands_says_so_where_the_rule_judges_them(name, why):
    times_s = np.arange(3000) * 0.02
    columns = {"voltage_pu": in_span(times_s, 29.99, 30.29, 0.6, 1.0), "load_W": np.full(3000, 1e8)}
    rule = [each for each in rules.load(name) if each.quantity == "ride_through"]
    (found,) = judge.audit(Given(times_s, columns, 1400), rule, 100.0).verdicts
    assert (found.word, found.why) == (judge.MET, f"{INSIDE}; the record has {why}")


def sagged(sags_s=(300,), length_s=0.3, late_s=0.5, level=1.0, piece=1400):
    """80 MW; in each sag 16 MW, and late_s after it the level again."""
    times_s = np.arange(35_000) * 0.02
    load_W, voltage_pu = np.full(35_000, 80e6), np.ones(35_000)
    for begin_s in sags_s:
        at, end = round(begin_s / 0.02), round((begin_s + length_s) / 0.02)
        voltage_pu[at:end] = 0.6
        back = end + round(late_s / 0.02)
        load_W[at:back] = 16e6
        load_W[back:] *= level
    given = Given(times_s, {"load_W": load_W, "voltage_pu": voltage_pu}, piece)
    chosen = [each for each in rules.load("ieso") if each.quantity != "ride_through"]
    return [each.word for each in judge.audit(given, chosen, None).verdicts]


MET3, BROKEN3 = [judge.MET] * 3, [judge.BROKEN] * 3


@cases("""
how                                                 words
{}                                       MET3
dict(piece=7)                             MET3
dict(piece=15_010)                         MET3
dict(sags_s=[200, 300, 301, 302])                        MET3
dict(late_s=1.5)                           BROKEN3
dict(length_s=6.9)                         BROKEN3
dict(level=0.2)                            BROKEN3
dict(sags_s=[300 + 0.6 * at for at in range(600)])       BROKEN3
""")
def test_the_recovery_after_a_sag_is_free_but_no_more(how, words):
    """A power that comes back too late, or stays away, is judged; so is a voltage that is always
    low, or low again and again.
    """
    assert sagged(**how) == words


def ridden(times_s, voltage_pu, load_W, commanded=0.0, piece=1400):
    columns = {"load_W": load_W, "voltage_pu": voltage_pu}
    columns["commanded"] = np.broadcast_to(commanded, times_s.shape).astype(float)
    rule = [each for each in rules.load("ercot") if each.quantity == "ride_through"]
    return judge.audit(Given(times_s, columns, piece), rule, 100.0).verdicts[0]


def in_span(times_s, from_s, to_s, inside, outside):
    return np.where((times_s > from_s) & (times_s < to_s), inside, outside)


def test_a_power_that_is_not_back_is_late_or_unknown():
    times_s = np.arange(3000) * 0.02
    sag = in_span(times_s, 29.99, 30.29, 0.6, 1.0)
    gone = in_span(times_s, 29.99, 99, 2e7, 1e8)
    late = ridden(times_s, sag, gone)
    assert (late.word, late.value > 2) == (judge.BROKEN, True)
    cut = ridden(times_s[:1550], sag[:1550], gone[:1550])
    assert (cut.word, "the record ends in 2 s" in cut.why) == (judge.NOTHING, True)
    # a second sag before the power is back, at the end of a piece
    twice = np.where((times_s > 31.49) & (times_s < 31.69), 0.6, sag)
    again = ridden(times_s, twice, gone, piece=1580)
    assert (again.word, "2 of 2 sags" in again.why) == (judge.BROKEN, True)


@cases("""
spans                                              word           back_s
[]                                                 judge.MET      0
[(30.05, 30.69)]                                   judge.MET      0.4
[(30.05, 30.33), (30.37, 45)]                      judge.BROKEN   10
[(30.39, 60)]                                      judge.BROKEN   10
[(30.05, 30.33), (32.25, 32.29)]                   judge.MET      2
[(30.05, 30.33), (32.25, 32.31)]                   judge.BROKEN   2.02
[(39.99, 40.25), (30.05, 30.33)]                   judge.BROKEN   9.96
[(25.05, 26.01), (33.05, 34.01)]                   judge.MET      0
[(25.05, 26.01), (33.05, 34.03)]                   judge.BROKEN   3.74
[(25.05, 26.01), (30.05, 31.01)]                   judge.MET      0.72
[(18.05, 19.81), (33.05, 34.01)]                   judge.BROKEN   3.72
""")
def test_a_power_is_back_when_it_stays(spans, word, back_s):
    """Later dips that are no longer than those of 10 s before the sag are the load's own."""
    times_s = np.arange(3000) * 0.02
    sag, load_W = in_span(times_s, 29.99, 30.29, 0.6, 1.0), np.full(3000, 1e8)
    for from_s, to_s in spans:
        load_W[in_span(times_s, from_s, to_s, True, False)] = 0
    found = ridden(times_s, sag, load_W)
    assert (found.word, found.value) == (word, pytest.approx(back_s, abs=0.03))


def test_the_next_sag_ends_what_a_power_has_to_hold():
    """The power is away for 0.4 s behind each of two sags, then from the first one on."""
    times_s = np.arange(3000) * 0.02
    sag = np.where((times_s > 31.49) & (times_s < 31.69), 0.6, 1.0)
    sag = in_span(times_s, 29.99, 30.29, 0.6, sag)
    held_W = np.where(
        (times_s > 31.49) & (times_s < 32.09), 0, in_span(times_s, 29.99, 30.69, 0, 1e8)
    )
    found = ridden(times_s, sag, held_W)
    assert (found.word, found.value) == (judge.MET, pytest.approx(0.4, abs=0.03))
    away = ridden(times_s, sag, in_span(times_s, 29.99, 32.79, 0.0, 1e8))
    assert (away.word, away.value) == (judge.BROKEN, pytest.approx(2.5, abs=0.03))


def test_a_stop_that_was_there_before_is_no_command_in_the_sag():
    times_s = np.arange(3000) * 0.02
    first = ridden(times_s, in_span(times_s, -1, 0.4, 0.6, 1.0), np.full(3000, 1e8), STOP)
    assert first.word == judge.NOTHING
    sag = in_span(times_s, 29.99, 30.29, 0.6, 1.0)
    at_once = ridden(times_s, sag, np.full(3000, 1e8), in_span(times_s, 29.99, 31, STOP, 0))
    assert (at_once.word, "stop commanded 0.00 s" in at_once.why) == (judge.BROKEN, True)
    # judged for 600 s of a longer sag, once
    longer_s = np.arange(40_000) * 0.02
    load_W, acts = np.full(40_000, 1e8), in_span(longer_s, 30, 9999, STOP, 0)
    long = ridden(longer_s, in_span(longer_s, 20, 750, 0.85, 1.0), load_W, acts)
    assert (long.word, OUTSIDE in long.why) == (judge.MET, True)


@cases("""
unknown_s  why
0.05       OUTSIDE
0.4        "stop commanded 0.08 s into the sag"
""")
def test_a_voltage_that_is_unknown_for_a_moment_ends_no_sag(unknown_s, why):
    times_s = np.arange(3000) * 0.02
    sag = in_span(times_s, 29.99, 30.69, 0.6, 1.0)
    sag[in_span(times_s, 30.15, 30.15 + unknown_s, True, False)] = np.nan
    stop = in_span(times_s, 30.63, 31, STOP, 0)
    assert why in ridden(times_s, sag, np.full(3000, 1e8), stop).why


def test_a_cell_is_read_as_by_the_reader_of_series():
    """Numpy alone would cut a long cell and its exponent, and read 1_0 as 10."""
    long = "0." + "0" * 30 + "5e31", "9" * 33
    for cell in ("1_0", "5\0", *long, "nan", "inf", "\uff15", "x", "1e5"):
        found = audit_table.numbers(["1", cell], False)
        np.testing.assert_equal(found[1], table.number(cell, False))


def test_a_file_of_many_columns_takes_no_more_memory(tmp_path):
    """Rows of a piece would have 4 GB of cells in 1000 columns."""
    path, wide = tmp_path / "wide.csv", ",".join(["12345.6"] * 900)
    names = ",".join(f"c{at}" for at in range(900))
    path.write_text("\n".join([f"t_s,load_W,{names}", *[f"{at},5,{wide}" for at in range(3000)]]))
    source = audit_table.CsvSource(str(path), None, 0.0, UTC)
    tracemalloc.start()
    assert sum(len(each.times_s) for each in source.pieces()) == 3000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 << 20
