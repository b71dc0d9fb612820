"""Finds in the ledger of tests which units must not start before their sign test.

The loop reads no file. So a command that finds a test failed or due sends SIGN, and writes the
record after that. The store keeps a hold that was sent.
"""

from collections.abc import Collection

from controller.config import approval
from controller.config.cabinet_config import Config
from controller.store import proof_tests, sign_tests
from controller.store.proof_lines import Record
from controller.system.paths import plain


def codes_of(config: Config) -> list[str]:
    """The code of each unit's devices, as the ledger names it."""
    devices = [(device.name, device.role, device.index) for device in config.devices]
    return sign_tests.codes(config.safety_image, approval.devices(config), devices)


def of_ledger(
    config: Config, state_directory: str, stored: Collection[int] = ()
) -> tuple[set[int], list[str]]:
    """(units from 1, lines about a start that waits for them). Without a ledger every unit
    is held. stored: units that the store holds, because the ledger may lack the reason.
    """
    records: tuple[Record, ...] = ()
    lines = []
    try:
        records = proof_tests.read(state_directory).records
    except OSError as error:
        lines.append(plain(error, proof_tests.path_of(state_directory)))
    held = sorted({*sign_tests.held(sign_tests.units(codes_of(config), records)), *stored})
    if held:
        units = ", ".join(map(str, held))
        lines.append(f"a start waits for the sign test of unit {units}: `firebreak test sign`")
    return set(held), lines
