"""`firebreak proof-test verify`: whether the chain of the ledger is whole."""

from controller.console.proof_list import recorded
from controller.console.proof_scope import ascii_of, has_folder
from controller.record import chain, proof_tests
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT, plain, say


def verify(arguments):
    """Print what is wrong with the chain; the exit code."""
    path = proof_tests.path_of(arguments.state_dir)
    if not has_folder(arguments):
        return WRONG_INPUT
    try:
        head = None if arguments.head is None else bytes.fromhex(arguments.head)
        if head is not None and len(head) != len(chain.START):
            raise ValueError
    except ValueError:
        say(
            ascii_of(
                f"--head {arguments.head or repr('')}: a hash is {2 * len(chain.START)} "
                f"hexadecimal digits"
            )
        )
        return WRONG_INPUT
    try:
        found = proof_tests.read(arguments.state_dir)
    except OSError as error:
        say(plain(error, path))
        return NO_START
    print(f"{path}: {recorded(found.tests, len(found.records))}; head {found.head}")
    missed = None if head is None else _missed(found, head)
    lines = [*found.lines, *([missed] if missed else [])]
    start = ": 64 zeros are the start of a ledger without records" if head == chain.START else ""
    print("\n".join(lines) or "the chain is whole" + start)
    return NOT_DONE if found.breaks or missed else DONE


def _missed(found, head):
    """What is wrong with a hash that was noted, "" when it is in the chain; the start is in one
    without records only, as it proves nothing of those that came.
    """
    if head == chain.START:
        return (
            ("64 zeros are the start of an empty ledger, and this one has records")
            if found.newest
            else ""
        )
    known = head.hex() in [record.hash for record in found.records]
    return (
        ""
        if known
        else (
            "the hash that was noted is in no record: what came before it was changed or taken away"
        )
    )
