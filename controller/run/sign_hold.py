"""Finds in the ledger of tests which units must not start before their sign test.

The loop reads no file. So a command that writes a record about a sign test also sends SIGN.
"""

from controller.config import approval
from controller.config.configuration import Config
from controller.store import proof_tests, sign_tests
from controller.store.proof_lines import Record
from controller.system.paths import plain


def codes_of(config: Config) -> list[str]:
    """The code of each unit's devices, as the ledger names it."""
    devices = [(each.name, each.role, each.index) for each in config.devices]
    return sign_tests.codes(config.safety_image, approval.devices(config), devices)


def of_ledger(config: Config, state_directory: str) -> tuple[set[int], list[str]]:
    """(units from 1, lines about a start that waits for them). Without a ledger every unit
    is held.
    """
    records: tuple[Record, ...] = ()
    lines = []
    try:
        records = proof_tests.read(state_directory).records
    except OSError as error:
        lines.append(plain(error, proof_tests.path_of(state_directory)))
    held = sign_tests.held(sign_tests.units(codes_of(config), records))
    if held:
        units = ", ".join(map(str, held))
        lines.append(f"a start waits for the sign test of unit {units}: `firebreak test sign`")
    return set(held), lines
