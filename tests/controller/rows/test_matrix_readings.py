"""The matrix prints the stages that differ from their row of the fact table."""

from controller.documents import document, matrix_facts, matrix_page
from controller.rows import readings


def test_every_reading_is_printed():
    text = document.markdown(matrix_page.blocks(matrix_facts.facts()))
    section = text.partition("Stages that differ from their row")[2]
    for (stage, column), words in readings.READ_AS.items():
        assert f"| {stage} | {readings.COLUMNS[column]} | {words} |" in section
    assert "| 43a | " in section and "still supply the load" in section
