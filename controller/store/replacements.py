"""Finds replaced devices in the records of the proof-test ledger, by the kinds of its records.

    REPLACING  the exchange has begun; it is open until REPLACED
    DUE        a proof test that depends on the device is due again
    REPLACED   the exchange has ended, or was given up
    SERIAL     the serial number that the device reported

The ledger keeps an interrupted exchange. Meanwhile the stored lock-out keeps the contactors open.
"""

from collections.abc import Sequence

from controller.store.proof_lines import DUE, REPLACED, REPLACING, SERIAL, SIGN, Record

SERIAL_WORD = "serial "  # the serial number follows, at the end of the remark
UNKNOWN = "unknown"
WAS_REPLACED, OTHER_SERIAL = "was replaced", "has another serial number"
SERIAL_CHARACTERS_MAX = 32  # of SunSpec model 1


def open_of(records: Sequence[Record]) -> dict[str, Record]:
    """{device: its record REPLACING} of every exchange that has not ended."""
    newest = {record.row: record for record in records if record.kind in (REPLACING, REPLACED)}
    return {device: record for device, record in newest.items() if record.kind == REPLACING}


def serial_of(records: Sequence[Record], device: str) -> str | None:
    """The last serial number of a device in the ledger, or None."""
    serials = [
        record.remark.rpartition(SERIAL_WORD)[2]
        for record in records
        if record.row == device and record.kind in (SERIAL, REPLACING, REPLACED)
    ]
    known = [serial for serial in serials if serial != UNKNOWN]
    return known[-1] if known else None


def identity(profile: str, serial: str | None) -> str:
    """A device in words, for a remark."""
    return f"{profile}, {SERIAL_WORD}{serial or UNKNOWN}"


def words(record: Record) -> str:
    """An open exchange in one sentence."""
    return f"replacement of {record.row} open since {record.recorded_utc} by {record.tester}"


def due_remark(device: str, reason: str = WAS_REPLACED) -> str:
    """The reason why a test is due again, for a remark."""
    return f"{device} {reason}"


def tests_of(keys: Sequence[str]) -> list[tuple[str, str]]:
    """[(kind of the record that makes a test due again, its row)]. "u1": sign test of unit 1."""
    return [(SIGN if key.startswith("u") else DUE, key) for key in keys]
