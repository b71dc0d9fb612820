"""The README shows the pages as they are."""

from readme_pages import PLACE, README, filled, made


def test_the_readme_shows_the_pages_as_they_are():
    text = README.read_text(encoding="ascii")
    texts = made()
    assert [place[1] for place in PLACE.finditer(text)] == list(texts)
    assert filled(text, texts) == text, "run tests/controller/console/readme_pages.py"
