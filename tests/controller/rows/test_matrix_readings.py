"""Every format prints the stages that differ from their row."""

import html
import json

import pytest

from controller import __main__
from controller.rows import readings


@pytest.mark.parametrize("form", ("md", "html", "json"))
def test_every_reading_is_printed(capsys, form):
    assert __main__.main(["matrix", "--format", form]) == 0
    out = capsys.readouterr().out
    if form == "json":
        assert {
            (each["stage"], each["column_of_section_7"]): each["read_as"]
            for each in json.loads(out)["readings"]
        } == readings.READ_AS
        return
    section = out[out.index("Stages that differ from their row") :]
    for (stage, column), words in readings.READ_AS.items():
        if form == "md":
            assert f"| {stage} | {readings.COLUMNS[column]} | {words} |" in section
        else:
            assert html.escape(words) in section
    assert ("43a" in section) and "still supply the load" in section
