"""`firebreak approve`: shows what has changed in the limit image since its last approval. The limit
image has all safety limits of the cabinet.

With a name and a code, a person at the cabinet approves the image. The key switch must be out of
RUN.
"""

import re
from argparse import Namespace

from controller.config import approval
from controller.console.operator import newest, prove, sent
from controller.run import answer_words, operator_client, operator_commands
from controller.state.base import Facts
from controller.system import cli
from controller.system.paths import DONE, NO_START, NOT_DONE, WRONG_INPUT
from safety import signals as s

CODE = re.compile(r"[0-9A-Fa-f]{8}")
NEVER_APPROVED = "no limits were approved here yet; different from the matrix and the defaults"
UNCHANGED = "approved: no change since then"
NEXT_STEP = "turn the key to RUN, then `firebreak start`"


@cli.command(
    "approve",
    cli.option(
        "name",
        nargs="?",
        help="your name: 1 .. 16 of a-z, 0-9 and _, a letter first; without it: only show",
    ),
    cli.option("code", nargs="?", help="as shown; it approves exactly these changes"),
    cli.RUN_DIR,
    cli.STATE_DIR,
)
def _approve(arguments: Namespace) -> int:
    if arguments.name:
        return _send_approval(arguments)
    seen = newest(arguments)
    # The command ends here if the journal has outlived its controller.
    sent(arguments, operator_client.reach)
    if seen.inp[s.IMAGE_APPROVED_OK]:
        print(UNCHANGED)
        return DONE
    with cli.ends(NO_START, ValueError, KeyError, before="of another version of this program: "):
        changes, code = changed(seen.reader.header)
    for line in changes:
        print(line)
    print(f"turn the key out of RUN, then: firebreak approve NAME {code:08X}")
    return NOT_DONE


def changed(header: Facts) -> tuple[list[str], int]:
    """(the changes as lines, the code that approves them). header: header of the journal. Raises
    ValueError, KeyError for another version.
    """
    new = approval.named(header["safety_image"], header["device_crcs"])
    old = approval.unpacked(header["approved"])
    changes = approval.differences(old or approval.shipped(new), new)
    title = f"{len(changes)} changes since it was approved" if old else NEVER_APPROVED
    return [f"{title}:", *[f"  {line}" for line in changes]], approval.code(old, new)


def _send_approval(arguments: Namespace) -> int:
    if not arguments.code or not CODE.fullmatch(arguments.code):
        problem = "CODE is 8 characters of 0-9 and A-F, from `firebreak approve`"
        raise cli.Ended(WRONG_INPUT, problem)
    prove(arguments, arguments.name)
    answer = sent(arguments, operator_client.approve, arguments.name, int(arguments.code, 16))
    is_done = answer == operator_commands.ACCEPTED
    print(f"approval: {answer_words.text(answer)}{f'; {NEXT_STEP}' if is_done else ''}")
    return DONE if is_done else NOT_DONE
