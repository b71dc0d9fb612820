"""What `firebreak reset` says: what stands, one line each, and the command that names all of it."""

import argparse

from controller.record.history import STAGES, scope_of
from controller.state import rows
from controller.state.reset_code import FORM, TURN_KEY, code_of, command_of
from controller.system.paths import quoted
from safety import matrix as m
from safety import signals as s

BY_ITSELF = "goes by itself with its cause"
IS_A_START = (
    "A reset is a start too: this cabinet is asked to run, and closes by itself once "
    "nothing stands and the "
    "key is in RUN. Where it must not: firebreak stop first."
)


def code_given(text):
    """CODE of a command line, for argparse: as FORM has it, whatever its case."""
    if not FORM.fullmatch(text.upper()):
        raise argparse.ArgumentTypeError(
            f"{quoted(text)}: a code is 8 characters of 0-9 and A-F, "
            f"as the last line of "
            "firebreak alarms shows it"
        )
    return text.upper()


def names(seen):
    """What stands in both channels, in short: ["44c", "40b.rack2", "1a in channel B"]. seen:
    snapshot.Snapshot.
    """
    in_b = rows.channel_b(seen)
    return [*seen.standing, *([f"{in_b['stage']} in channel B"] if in_b else [])]


def lines(seen):
    """What stands in both channels, one line each."""
    found = [
        f"row {name.partition('.')[0]} {rows.words_of(name)[0]}, {scope_of(name)}; "
        f"{_reset_of(name)} reset"
        for name in seen.standing
    ]
    in_b = rows.channel_b(seen)
    return found + (
        [f"row {in_b['stage']} {in_b['name']}, first out in channel B; {in_b['reset']} reset"]
        if in_b
        else []
    )


def typed(seen, with_key):
    """What is typed to reset what stands, or what comes before that; None where nothing waits for a
    reset.

    with_key: also where none is needed.
    """
    in_b = rows.channel_b(seen)
    needed = rows.needed([_reset_of(name) for name in seen.standing], in_b)
    if needed is None:
        return None
    return (
        command_of(code_of(seen.causes), with_key or needed == "key", rows.is_key_out(seen))
        or TURN_KEY
    )


def not_given(seen, with_key):
    """Lines of a reset that names no code: it has reset nothing."""
    words = typed(seen, with_key)
    if words:
        return [*lines(seen), *follows(seen), f"Nothing was reset. To reset what stands: {words}"]
    return (
        [*lines(seen), f"Nothing was reset: what stands {BY_ITSELF}."]
        if names(seen)
        else ["nothing stands: nothing to reset"]
    )


def follows(seen):
    """What a reset brings about, as lines: none where nobody asks the cabinet to run."""
    return [IS_A_START] if seen.inp[s.RUN_REQUEST] else []


def changed(code, seen, with_key):
    """One line of a reset whose code names something else than what stands."""
    words = typed(seen, with_key)
    end = f"; to reset that: {words}" if words else f", which {BY_ITSELF}" if names(seen) else ""
    return f"what stands has changed since {code}: now {', '.join(names(seen)) or 'nothing'}{end}"


def _reset_of(name):
    return rows.RESETS[STAGES[name.partition(".")[0]][m.S_LATCH]]
