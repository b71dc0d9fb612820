"""What an integrator reads (the codes' remedies, the page on sending hints) names what there is."""

from pathlib import Path

import controller.upstream
from controller import hint_codes as h

PAGE = (Path(controller.upstream.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_remedies_agree_with_the_page():
    assert h.text(h.NOT_UNDERSTOOD)[2] == "Read controller/upstream/README.md."
    assert "when a third of its validity has passed" in h.text(h.GRANTED)[2]
    assert "when a third of its validity has passed" in PAGE
