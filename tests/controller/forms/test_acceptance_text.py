"""Texts that must name a paper or a person: empty ones, and those of an example."""

import json
from datetime import datetime

import pytest
from site_files import FIREBREAK, PYLONTECH, SiteFiles
from siting_sites import content, toml

from controller import __main__ as firebreak
from controller.forms import acceptance_text
from controller.forms.field import LINE
from controller.forms.refusal import ConfigError
from controller.siting import reading
from controller.system import clock
from tests.tables import cases

NOTHING = """
none|None.|NO|n/a|N.A.|tbd|to be supplied|To be supplied by us|x|ab|---|aaa|0000|nothing
not needed here|no report|not yet|unknown|N. N.|not accepted by anyone
Not accepted, 2026-03-01|not yet approved by J. Doe, 2026-03-01|TBD by J. Doe|tba 2026-04-01
refused by the fire marshal|Rejected, J. Doe, 2026-03-01|keine Angabe
not required by the analysis at all|no paper of anybody about this
to be supplied by 2026-04-01
"""
SOMETHING = """
HMA 12, 2026-03-01|report U-0645|No. 12|R-12|4711|Notified body 12|N. N., 2026|ed. 4
none of ours: HMA 12|\u5831\u544a\u66f8 1|example: wiring diagram|To Berta Lund|Tobias Lund
Not needed: J. Doe, 2026-03-01|Nothofer Rejec|4711, refused once
"""
NO_DAY = "names no date"
OTHER_DAY = "names no date from 2015-01-01 on and before 2200-01-01"
ONLY_DAY = "names only a date"
COMMANDS = [("check",), ("document", "matrix", "--site"), ("document", "checklist", "--site")]


@pytest.mark.parametrize("texts, is_nothing", [(NOTHING, True), (SOMETHING, False)])
def test_texts_that_name_nothing(texts, is_nothing):
    every = texts.strip().replace("\n", "|").split("|")
    assert [text for text in every if acceptance_text.names_nothing(text) != is_nothing] == []


@cases("""lacking  texts
    ""  "J. Doe, fire marshal, 2026-03-01: water only|2024-02-29 J. Doe|J. Doe, 2015-01-01"
    ""  "no gas detection: J. Doe, 2026-03-01|Not required, J. Doe, 2026-03-01"
    ""  "J. Doe, 2026-03-01, by the code of 2012-01-01|J. Doe, 2026-03-01, as of 2026-13-01"
    ""  "J. Doe, 2199-12-31"
    NO_DAY  "J. Doe, 2026|J. Doe, 2026-02-30|J. Doe, 01.03.2026|J. Doe, 12026-03-01"
    OTHER_DAY  "J. Doe, 2014-12-31|J. Doe, 2200-01-01|J. Doe, 9999-12-31 or 1999-01-01"
    ONLY_DAY  "2026-03-01|4711, 2026-03-01|N/A 2026-03-01|2026-03-01: refused by J. Doe"
""")
def test_acceptance_has_a_name_and_a_day(lacking, texts):
    for text in texts.split("|"):
        assert acceptance_text.lacks_of_acceptance(text) == lacking, text


@pytest.mark.parametrize(
    "text", ["a\nb", "\x1b[2J", "\u202eevil", "M\u00fcller", "\u2028", "\x7f", " ", "x" * 201, ""]
)
def test_text_is_one_line_of_ascii(text):
    assert not LINE.fullmatch(text) and LINE.fullmatch("x" * 200)


@pytest.mark.parametrize(
    "where", ["hazard_mitigation_analysis", "ul_9540a_report", "large_scale_fire_test"]
)
def test_siting_file_that_names_nothing(tmp_path, where):
    path, is_top = tmp_path / "site.toml", where.startswith("hazard")
    change = {where: "none"} if is_top else {"model": {"m": {where: "none"}}}
    path.write_text(toml(content(change)))
    with pytest.raises(ConfigError) as caught:
        reading.load(str(path))
    assert str(caught.value) == (
        f'{path}:{"" if is_top else "model.m."}{where}: "none" is not allowed, it names nothing; '
        "allowed a text of 3..60 printable characters that names it"
    )


def printed(capsys, argv, files):
    assert firebreak.main([*argv, str(files.paths[2])]) == 0
    return " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    "argv, files_of", [(COMMANDS[0], PYLONTECH), *[(argv, FIREBREAK) for argv in COMMANDS]]
)
def test_placeholders(tmp_path, capsys, argv, files_of):
    keys = "hma.report, hma.lfl_source, hma.hard_wired_accepted, hma.dc_fuse"
    files = SiteFiles(tmp_path, files_of)
    line = f"facts of the hazard analysis are placeholders ({keys}): do not energise"
    assert line in printed(capsys, argv, files)


def test_real_papers(tmp_path, capsys):
    files = SiteFiles(tmp_path).append(
        "site", '[hma]\nreport = "HMA 12"\nlfl_vol_ppm = 40000\nlfl_source = "UL 9540A report 77"'
    )
    files.without(["door"], "Example acceptance, 2026-03-01")
    keys = "(hma.hard_wired_accepted, hma.dc_fuse, not_fitted.door)"
    assert keys in printed(capsys, ("check",), files)
    files.replace("type", "example: manufacturer's wiring diagram", "wiring diagram 4")
    files.replace("site", "Example acceptance", "Nora Toft")
    sheet = "example, no data sheet: replace by type and data sheet"
    files.replace("type", sheet, "aR 690 V 200 A")
    assert "placeholder" not in printed(capsys, ("check",), files)


NAMES = "suppression door pcs_stored pcs_map bms_map meter_map io_map sensor_map"
EVERY = ", ".join(["hma.hard_wired_accepted", *[f"not_fitted.{name}" for name in NAMES.split()]])


@cases("""argv  day  keys
    COMMANDS[0]  "2026-03-01"  ""
    COMMANDS[0]  "2026-02-28"  "not_fitted.door"
    COMMANDS[1]  "2026-01-31"  "hma.hard_wired_accepted, not_fitted.door"
    COMMANDS[2]  "1970-01-01"  EVERY
""")
def test_acceptance_of_a_later_day(tmp_path, capsys, monkeypatch, argv, day, keys):
    """The earliest named day counts."""
    now_us = round(datetime.fromisoformat(f"{day}T23:59Z").timestamp() * 1e6)
    monkeypatch.setattr(clock, "utc_us", lambda: now_us)
    files = SiteFiles(tmp_path)
    files.say("site", "not_fitted.door", '"J. Doe, 2026-03-01, valid to 2027-01-01"')
    files.say("site", "not_fitted.suppression", '"J. Doe, 2026-01-31"')
    files.replace("type", "example: manufacturer's wiring diagram", "J. Doe, 2026-02-01")
    words = printed(capsys, argv, files)
    line = (
        f"acceptances are dated later than the clock of this box, {day} ({keys}): correct the date "
    )
    assert (line in words) == bool(keys) == ("later than the clock of this box" in words)


def test_configuration_reads_no_clock(tmp_path, monkeypatch):
    monkeypatch.setattr(clock, "utc_us", lambda: pytest.fail("no clock"))
    assert SiteFiles(tmp_path).without(["door"], "J. Doe, 2199-12-31").load()


def test_placeholders_of_a_plan(tmp_path, capsys):
    path, drawn, made = (tmp_path / name for name in ("site.toml", "plan.svg", "plan.json"))
    papers = {"plume_model": "example, no model", "model": {"m": {"ul_9540_listing": "Example 1"}}}
    path.write_text(toml(content(papers)))
    papers = "plume_model, model.m.ul_9540_listing"
    line = f"papers of the plan are placeholders ({papers}): do not energise"
    assert firebreak.main(["siting", str(path), "--svg", str(drawn), "--json", str(made)]) == 0
    assert line in " ".join(capsys.readouterr().out.split()) and line in drawn.read_text()
    assert json.loads(made.read_text())["placeholders"] == [line]
