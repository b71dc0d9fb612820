"""Messages about a controller that does not answer, for commands, pages and network services.

They distinguish three cases: its files cannot be read (not found), its sockets do not answer, or
its files can be read, but no tick comes.
"""

import os
from typing import Any

from controller.core.base import hint_codes as h

NOTHING = "no answer"
NO_TICKS = "the controller has stopped ticking"
NO_TICK = "the controller makes no new tick: its outputs expire, and the power goes to zero"
LAST_STATE = "NOT TICKING"  # shown before the last state, which a page still has
SILENT = "the controller does not answer"
NEVER_RAN = "no controller has written a journal here yet"
NONE_FOUND, NONE_ANSWERS = "no controller found", "no controller answers"


def not_found(run_directory: str) -> str:
    """Message that no controller's files can be read here, for a command that has --run-dir."""
    return f"{NONE_FOUND} in {run_directory} (see --run-dir)"


def silent(run_directory: str) -> str:
    """Message that no controller's sockets answer here, for a command that has --run-dir."""
    return f"{NONE_ANSWERS} in {run_directory} (see --run-dir)"


def unanswered(run_directory: str, source: str, needs: str = "") -> str:
    """The likely cause of a hint without an answer, by the controller's counters of each source.
    needs: key that the table of the source must have.
    """
    from controller.hints import hint_statistics  # here, because it needs 6 MiB

    own = hint_statistics.of_source(run_directory, source)
    if own is not None and own["last_code"] in (h.NO_KEY, h.BAD_MAC):
        cause = coded(own["last_code"])
    elif own is not None:
        cause = (
            "the controller is busy, or another program sends as this source; the hint may be in "
            "effect all the same"
        )
    elif hint_statistics.read(os.path.join(run_directory, "hints.stats")) is None:
        cause = "firebreak sources shows what the controller received"
    else:
        more = f" with {needs}" if needs else ""
        cause = (
            f"the controller does not know this source: add [source.{source}]{more} to site.toml"
        )
    return f"{NOTHING} came: {cause}"


def coded(code: int) -> str:
    """A code with its sentence and its remedy."""
    return f"{h.label(code)} {' '.join(h.text(code)[1:])}" if code in h.TEXTS else h.label(code)


def problem(code: int, detail: str = "") -> dict[str, Any]:
    """Fields in place of the controller's answer: a code with its text."""
    name, sentence, remedy = h.text(code)
    return {
        "granted": False,
        "effect": h.NO,
        "code": code,
        "label": h.label(code),
        "name": name,
        "sentence": detail or sentence,
        "remedy": remedy,
    }


def code_of(error: OSError | None) -> int:
    """The code of a message without an answer. error None: the message did reach the loop."""
    if error is None:
        return h.NO_ANSWER
    return h.BUSY if isinstance(error, BlockingIOError) else h.NO_CONTROLLER
