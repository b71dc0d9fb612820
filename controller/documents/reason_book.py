"""Makes the document `firebreak document reasons`. It lists every reason code with its meaning and
its remedy. A reason code says why the controller does or refuses something.
"""

from controller.core.base import reasons
from controller.documents.document import Blocks, Columns, Facts, Heading, Text, section, table
from controller.rows import danger, matrix_words, reason_words
from safety import matrix as m

TEXTS = ("name", "sentence", "remedy")
WORDS = {"name": "name", "what it says": "sentence", "what to do": "remedy"}
GROUPS = (
    ("Requests", 100, 200),
    ("Limits", 200, 300),
    ("Obligations", 300, 400),
    ("Caps", 400, 500),
    ("Ramp", 500, 600),
    ("Gate: a set-point frame that was not sent", 600, 700),
    ("What a start still waits for", 700, 800),
    ("Rows of the cause-and-effect matrix", 800, 900),
    ("Modes of the site", 900, 1000),
)


def facts() -> Facts:
    """Facts of all reason codes, and of all stages of the cause-and-effect matrix. The most
    dangerous stage comes first.
    """
    codes = [
        {"code": code, "label": reasons.label(code), **dict(zip(TEXTS, texts))}
        for code, texts in sorted(reason_words.TEXTS.items())
    ]
    stages = sorted(m.STAGES, key=lambda stage: (danger.order(stage), stage[m.S_ID]))
    return {"codes": codes, "stages": [_stage(stage) for stage in stages]}


def _stage(stage: tuple) -> Facts:
    _, sentence, remedy = reason_words.stage_text(stage)
    return {
        "stage": stage[m.S_ID],
        "code": reasons.ROW + stage[m.S_ROW],
        "danger": danger.NAMES[danger.level(stage)],
        "sentence": sentence,
        "remedy": remedy,
        "reset": matrix_words.RESETS[stage[m.S_LATCH]],
    }


def blocks(handbook: Facts) -> Blocks:
    """The handbook as a document."""
    page: Blocks = [
        Heading(1, "Reasons: what a code says and what to do"),
        Text(
            "A code never changes its name. `firebreak why` and `firebreak alarms` print these "
            "texts. This page is the output of `firebreak document reasons`."
        ),
    ]
    for title, first, end in GROUPS:
        codes = [code for code in handbook["codes"] if first <= code["code"] < end]
        page += section(title, table(codes, {"code": "label", **WORDS}))
    columns: Columns = {
        "stage": "stage",
        "code": lambda stage: reasons.label(stage["code"]),
        "what it says": "sentence",
        "what to do": "remedy",
        "danger": "danger",
        "reset": "reset",
    }
    return page + section(
        "Stages of the rows: what the pages say when one is active",
        table(handbook["stages"], columns),
        "The stage that is most dangerous to people is first, as on every page.",
    )
