"""`firebreak hint schedule`: sends the schedule of a file to the controller, or shows the schedule
in force. A schedule is a table of time slots with limits for each slot.
"""

from argparse import Namespace

from controller.core.base import hint_codes as h
from controller.hints import no_answer, schedule_file, schedule_wire as sw
from controller.hints.client import HintClient
from controller.hints.schedule_words import answer_fields, answer_lines, held_fields, held_lines
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT


def plan_of(arguments: Namespace) -> schedule_file.Plan | None:
    """The schedule of the named file, or None if no file is named. Ends the command for a wrong
    file.
    """
    if arguments.file is None:
        return None
    with cli.ends(WRONG_INPUT, schedule_file.ScheduleFileError, OSError, at=arguments.file):
        return schedule_file.read(arguments.file)


def ask(
    client: HintClient, arguments: Namespace, key: bytes, plan: schedule_file.Plan | None
) -> sw.Answer | sw.Held | None:
    """Send the plan, or ask for the table in force."""
    if plan is None:
        return client.held(arguments.source, key)
    return client.schedule(arguments.source, key, *plan, arguments.purpose)


def show(arguments: Namespace, answer: sw.Answer | sw.Held | None) -> int:
    """Print the answer. Returns the exit code."""
    if answer is None:
        line = no_answer.unanswered(arguments.run_dir, arguments.source)
        raise cli.Ended(NO_START, line)
    if isinstance(answer, sw.Held):
        cli.show(arguments.json, held_fields(answer), lambda: held_lines(answer), None)
        return DONE
    cli.show(arguments.json, answer_fields(answer), lambda: answer_lines(answer), None)
    return DONE if h.taken(answer.code) else NOT_DONE
