"""`python -m hil long`: parts, resume, refusals, the mode beside each figure; its speeds."""

from unittest.mock import ANY

import pytest
from in_process import refused, written

from hil.__main__ import main
from hil.values import speeds
from tests.tables import cases


def long(*options):
    return main(["long", "--seed", "3", *options])


@cases("""text                              line
    "--for 3"                              "allowed is a whole number with s, min, h or d"
    "--for 30s"                            "from 1 minute to 400 days"
    "--for 500d"                           "from 1 minute to 400 days"
    "--column load_W"                      "--column describes a file"
    "--mode wire"                          "invalid choice"
""")
def test_a_wrong_option_is_refused_in_one_line(text, line, capsys):
    assert line in refused(capsys, f"long --seed 3 {text}")


@pytest.mark.whole
def test_a_chain_run_names_its_mode_beside_each_figure(tmp_path, capsys):
    document = written(tmp_path, "long --seed 3 --mode chain --for 30min")
    lines = capsys.readouterr().out.splitlines()
    assert lines and all(line.endswith("(chain only, 1 s)") for line in lines)
    assert document["mode"] == "chain only, 1 s"
    assert document["parts"][0]["time_s"] == pytest.approx(1800)
    assert document["import_Wh"] > 0


@pytest.mark.whole
def test_a_killed_run_goes_on_with_the_parts_that_are_missing(tmp_path, capsys):
    folder = tmp_path / "run"
    options = "--for", "2min", "--segments", "2", "--resume", str(folder)
    assert long(*options) == 0
    whole = capsys.readouterr().out.splitlines()[:-1]  # without the speed
    kept = folder / "results.jsonl"
    order, states, *parts = kept.read_text().splitlines()
    first, second = sorted(parts)
    first = first.replace('"degC_max"', '"kept": 1, "degC_max"')
    kept.write_text("\n".join([order, states, first, second[:40]]))
    assert long(*options) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == whole
    assert kept.read_text().splitlines() == [order, states, first, ANY] and '"kept": 1' in first
    assert [each.name for each in sorted(folder.glob("part_*"))] == ["part_0000", "part_0001"]
    assert "parts      " in whole[4] and "2 parts (value, 100 ms)" in whole[0]
    line = refused(capsys, "long --seed 3", *options, "--soc", "60")
    assert "was begun with other options" in line


def test_a_folder_of_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "letter.txt").write_text("dear")
    line = refused(capsys, "long --seed 3 --for 1min --resume", tmp_path)
    assert "allowed is a new folder, or one of a long run" in line


def test_the_table_of_speeds_compares_with_bytes_of_as_many_units():
    table = [
        {"mode": "value", "units": "1 unit", "speed": 250.0, "times_byte": 5.0, "quarter_h": 8.64}
    ]
    head, row, note = speeds.lines(table)
    assert row.split() == "value 1 unit 250 5.0 8.64".split()
    assert "x byte" in head and "CPU s" in note
