"""The line that ends a campaign, and its exit code."""

from hil.campaigns.command import INTERRUPTED, MET, NOT_MET


def line(words):
    """The verdict as it is printed."""
    return f"verdict    {words}"


def counted(total, wrong, words):
    """Words of a verdict: how many of `total` are as `words` says, and the names of those that are
    not.
    """
    return f"{total - len(wrong)} of {total} {words}" + (
        f"; not: {', '.join(wrong)}" if wrong else ""
    )


def exit_code(ok, interrupted=False):
    """Of a campaign that came to its end, or was interrupted before."""
    if interrupted:
        return INTERRUPTED
    return MET if ok else NOT_MET
