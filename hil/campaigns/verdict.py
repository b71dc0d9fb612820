"""The last line of a campaign, and its exit code."""

from hil.campaigns.command import INTERRUPTED, MET, NOT_MET


def line(words):
    """The printed verdict."""
    return f"verdict    {words}"


def counted(total, wrong, words):
    """Text of a verdict: count of the right ones of `total`, and names of the wrong ones."""
    return f"{total - len(wrong)} of {total} {words}" + (
        f"; not: {', '.join(wrong)}" if wrong else ""
    )


def exit_code(ok, interrupted=False):
    """Exit code of a campaign."""
    if interrupted:
        return INTERRUPTED
    return MET if ok else NOT_MET
