"""Where a stage was read otherwise than its row says: printed in every format; the table itself:
test_transcription.
"""

import html
import json

import pytest

from controller import __main__
from controller.documents import matrix_page
from controller.rows import readings


@pytest.mark.parametrize("with_site", (False, True))
@pytest.mark.parametrize("form", matrix_page.FORMATS)
def test_every_reading_is_printed(files, capsys, form, with_site):
    given = ["--site", str(files.paths[2])] if with_site else []
    assert __main__.main(["matrix", *given, "--format", form]) == 0
    out = capsys.readouterr().out
    if form == "json":
        assert {
            (each["stage"], each["column_of_section_7"]): each["read_as"]
            for each in json.loads(out)["readings"]
        } == readings.READ_AS
        return
    section = out[out.index("Where a stage was read otherwise") :]
    for (stage, column), words in readings.READ_AS.items():
        if form == "md":
            assert f"| {stage} | {readings.COLUMNS[column]} | {words} |" in section
        else:
            assert html.escape(words) in section
    assert ("43a" in section) and "still feed the load" in section


def test_every_sentence_stands_by_itself():
    """A reader of one line need not look for another: none says "as 15a" and no more."""
    assert not [words for words in readings.READ_AS.values() if words.startswith("as ")]
