"""What each answer to an operator command means, in words for a person."""

from controller.hints import no_answer
from controller.run import operator_commands as commands, tool_read
from safety import latches


def text(answer: int | None) -> str:
    """An answer code, or None, in words."""
    if answer is None:
        return no_answer.NOTHING
    texts = {
        **dict(enumerate(latches.RESULTS)),
        **tool_read.WORDS,
        commands.ACCEPTED: "accepted",
        commands.REFUSED_FORM: "not understood: is it the same version?",
        commands.BUSY: "somebody else's command is not done yet",
        commands.NOT_STORED: "the store does not take it: see the controller's messages",
        commands.NO_SOURCE: "its configuration has no such source",
        commands.LOCKED: "it is locked out already",
        commands.NOT_LOCKED: "it is not locked out",
        commands.KEY_IN_RUN: "turn the key out of RUN first",
        commands.IN_TEST: "a test is under way: ask again when its minute is over",
        commands.RESET_FIRST: "a row keeps it open: reset it, key to RUN, door shut, then start",
        commands.STAYS_LOCKED: "it is locked out, and that has to end first",
        commands.OVERRULED: "somebody has stopped it meanwhile",
        commands.UNCONFIRMED: "in effect; not known to be stored: another command is not done yet",
        commands.UNSTORED: "in effect, but a restart may lose it: see the controller's messages",
        commands.IS_APPROVED: "it is approved already",
        commands.OTHER_IMAGE: "another configuration runs: look at what has changed again",
        commands.NOT_IN_TEST: "it is not in TEST mode: firebreak test power, then the key to RUN",
        commands.SIGN_HELD: "the sign test of a unit is due: firebreak test sign, in TEST mode",
        commands.FAILED: "this command has failed in the controller: see its messages",
        commands.OTHERS_LOCK: "somebody else has locked it out: only they may end that, or the key "
        "out of RUN",
        commands.OTHERS_NAME: "an operator locks out in the own login name; for all else put "
        "sudo -u firebreak before it",
    }
    return texts.get(answer, f"answer {answer}, which this version does not know")
