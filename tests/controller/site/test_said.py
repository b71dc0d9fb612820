"""Texts that have to name a paper or a person: those that name nothing are refused, those of an
example are told.
"""

import json
from datetime import datetime

import pytest
from site_files import FIREBREAK, PYLONTECH, SiteFiles
from siting_sites import content, toml

from controller import __main__ as firebreak
from controller.documents import check
from controller.site import acceptance_text
from controller.site.refusal import ConfigError
from controller.siting import reading
from controller.system import clock

NOTHING = (
    "none",
    "None.",
    "no",
    "NO",
    "n/a",
    "N.A.",
    "tbd",
    "to be supplied",
    "To be supplied by us",
    "x",
    "ab",
    "---",
    "aaa",
    "0000",
    "nothing",
    "not needed here",
    "no report",
    "not yet",
    "unknown",
    "pending",
    "N. N.",
    "not accepted by anyone",
    "Not accepted, 2026-03-01",
    "not yet approved by J. Doe, 2026-03-01",
    "TBD by J. Doe",
    "tba 2026-04-01",
    "refused by the fire marshal",
    "Rejected, J. Doe, 2026-03-01",
    "keine Angabe",
    "asdfgh",
    "not required by the analysis at all",
    "no paper of anybody about this",
    "to be supplied by 2026-04-01",
)
SOMETHING = (
    "HMA 12, 2026-03-01",
    "report U-0645",
    "No. 12",
    "R-12",
    "4711",
    "Notified body 12",
    "Nora Toft",
    "N. N., 2026",
    "none of ours: HMA 12",
    "ed. 4",
    "\u5831\u544a\u66f8 1",
    "example: wiring diagram",
    "To Berta Lund",
    "Tobias Lund",
    "Not needed: J. Doe, 2026-03-01",
    "Nothofer Rejec",
    "4711, refused once",
)


@pytest.mark.parametrize("text", NOTHING)
def test_what_names_nothing(text):
    assert acceptance_text.names_nothing(text)


@pytest.mark.parametrize("text", SOMETHING)
def test_what_names_something(text):
    assert not acceptance_text.names_nothing(text)


@pytest.mark.parametrize(
    "text",
    [
        "J. Doe, fire marshal, 2026-03-01: water only",
        "2024-02-29 J. Doe",
        "no gas detection: J. Doe, 2026-03-01",
        "J. Doe, 2015-01-01",
        "J. Doe, 2199-12-31",
        "J. Doe, 2026-03-01, by the code of 2012-01-01",
        "J. Doe, 2026-03-01, as of 2026-13-01",
        "Not required, J. Doe, 2026-03-01",
    ],
)
def test_what_was_accepted_on_a_day_is_taken(tmp_path, text):
    found = SiteFiles(tmp_path).append("site", f'[not_fitted]\ndoor = "{text}"').load()
    assert found.topology.not_fitted["door"] == text


@pytest.mark.parametrize(
    "where, change",
    [
        ("hazard_mitigation_analysis", lambda text: {"hazard_mitigation_analysis": text}),
        ("model.m.ul_9540a_report", lambda text: {"model": {"m": {"ul_9540a_report": text}}}),
        (
            "model.m.large_scale_fire_test",
            lambda text: {"model": {"m": {"large_scale_fire_test": text}}},
        ),
        ("model.m.ul_1973_listing", lambda text: {"model": {"m": {"ul_1973_listing": text}}}),
    ],
)
@pytest.mark.parametrize("text", ["none", "no", "n/a", "to be supplied"])
def test_a_siting_file_that_names_nothing_is_refused(tmp_path, where, change, text):
    path = tmp_path / "site.toml"
    path.write_text(toml(content(change(text))))
    with pytest.raises(ConfigError) as caught:
        reading.load(str(path))
    assert str(caught.value) == (
        f'{path}:{where}: "{text}" is not allowed, it names nothing; '
        f"allowed a text of 3..60 "
        "printable characters that names it"
    )


# -- placeholders


@pytest.mark.parametrize("argv", [("check",), ("matrix", "--site"), ("checklist", "--site")])
@pytest.mark.parametrize(
    "files_of, keys",
    [
        (FIREBREAK, "hma.report, hma.lfl_source, hma.hard_wired_accepted"),
        (PYLONTECH, "hma.report, hma.lfl_source, hma.hard_wired_accepted"),
    ],
)
def test_placeholders_of_an_example_are_told(tmp_path, capsys, argv, files_of, keys):
    files = SiteFiles(tmp_path, files_of)
    assert firebreak.main([*argv, str(files.paths[2])]) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert f"facts of the hazard analysis are placeholders ({keys}): do not energise" in words


def test_an_acceptance_of_an_example_is_a_placeholder_too(tmp_path, capsys):
    files = SiteFiles(tmp_path).append(
        "site", '[not_fitted]\ndoor = "Example acceptance, 2026-03-01"'
    )
    assert firebreak.main(["check", str(files.paths[2])]) == 0
    assert "hma.hard_wired_accepted, not_fitted.door)" in " ".join(capsys.readouterr().out.split())


def test_real_papers_are_no_placeholders(tmp_path, capsys):
    files = SiteFiles(tmp_path).append(
        "site", '[hma]\nreport = "HMA 12"\nlfl_vol_ppm = 40000\nlfl_source = "UL 9540A report 77"'
    )
    files.replace("type", "example: manufacturer's wiring diagram", "wiring diagram 4")
    assert firebreak.main(["check", str(files.paths[2])]) == 0
    assert "placeholder" not in capsys.readouterr().out


@pytest.mark.parametrize("argv", [("check",), ("matrix", "--site"), ("checklist", "--site")])
@pytest.mark.parametrize(
    "day, keys",
    [
        ("2026-03-01", ""),
        ("2026-02-28", "not_fitted.door"),
        ("2026-01-31", "hma.hard_wired_accepted, not_fitted.door"),
        ("1970-01-01", "hma.hard_wired_accepted, not_fitted.suppression, not_fitted.door"),
    ],
)
def test_an_acceptance_of_a_day_to_come_is_told(tmp_path, capsys, monkeypatch, argv, day, keys):
    monkeypatch.setattr(
        clock, "utc_us", lambda: round(datetime.fromisoformat(f"{day}T23:59Z").timestamp() * 1e6)
    )
    files = SiteFiles(tmp_path).append(
        "site",
        '[not_fitted]\ndoor = "J. Doe, 2026-03-01, valid '
        'to 2027-01-01"\n'
        'suppression = "J. Doe, 2026-01-31"',
    )
    files.replace("type", "example: manufacturer's wiring diagram", "J. Doe, 2026-02-01")
    assert firebreak.main([*argv, str(files.paths[2])]) == 0
    words = " ".join(capsys.readouterr().out.split())
    line = (
        f"acceptances are dated later than this box's clock, {day} ({keys}): one of the two is "
        f"wrong"
    )
    assert (line in words) == bool(keys) and ("later than this box" in words) == bool(keys)


def test_a_configuration_reads_no_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "utc_us", lambda: pytest.fail("no clock"))
    files = SiteFiles(tmp_path).append("site", '[not_fitted]\ndoor = "J. Doe, 2199-12-31"')
    assert "later than" not in check.report(files.load())


def test_placeholders_of_a_plan_are_told(tmp_path, capsys):
    path, drawn, made = (tmp_path / name for name in ("site.toml", "plan.svg", "plan.json"))
    papers = {"plume_model": "example, no model", "model": {"m": {"ul_9540_listing": "Example 1"}}}
    path.write_text(toml(content(papers)))
    line = (
        "papers of the plan are placeholders (plume_model, model.m.ul_9540_listing): do not "
        "energise"
    )
    assert firebreak.main(["siting", str(path), "--svg", str(drawn), "--json", str(made)]) == 0
    assert line in " ".join(capsys.readouterr().out.split()) and line in drawn.read_text()
    assert json.loads(made.read_text())["placeholders"] == [line]
