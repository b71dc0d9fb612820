"""What is said of a controller that does not answer, in one place for commands, pages and doors."""

from typing import Any

from controller.core.base import hint_codes as h


def problem(code: int, detail: str = "") -> dict[str, Any]:
    """An answer that the loop did not give: one of its codes, with the words of the code."""
    name, sentence, remedy = h.text(code)
    return {
        "granted": False,
        "code": code,
        "label": h.label(code),
        "name": name,
        "sentence": detail or sentence,
        "remedy": remedy,
    }


def code_of(error: OSError | None) -> int:
    """The code of a message that did not reach the loop; None: it did, and no answer came."""
    if error is None:
        return h.NO_ANSWER
    return h.BUSY if isinstance(error, BlockingIOError) else h.NO_CONTROLLER
