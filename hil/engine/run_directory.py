"""The directory of a run in real time: the controller's files and the kept journals."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from controller.config import approval
from controller.config.cabinet_config import Config
from controller.hints import keys
from controller.run import sign_hold
from controller.store import proof_tests, sign_tests, two_copies
from controller.store.stored_record import Record
from controller.system import clock
from hil.results import files


def kept_or_temporary(kept: str | None) -> contextlib.AbstractContextManager[str]:
    """Context that gives the directory: `kept` (made if missing), or a temporary one if None."""
    if kept is None:
        return tempfile.TemporaryDirectory(prefix="firebreak-rig-")
    os.makedirs(kept, mode=0o750, exist_ok=True)
    return contextlib.nullcontext(kept)


OTHER_IMAGE = approval.packed({"tick_ms": 20, "armed 29.rack1": 1})


def approved(config: Config) -> Record:
    """The stored record of a cabinet that may run, because its limit image is approved."""
    image = approval.packed(approval.of(config))
    return Record(approved=image, approved_by="rig")


def accept_signs(config: Config, state_directory: str) -> None:
    """Accept every unit without a test of its power's sign. Otherwise no unit would start."""
    ledger, moment = proof_tests.Ledger(state_directory), (clock.utc_us(), "rig")
    for unit, code in enumerate(sign_hold.codes_of(config), 1):
        remark = sign_tests.remark_of(code, "a simulated cabinet")
        ledger.accept(moment, sign_tests.row_of(unit), "rig", remark)


def commission(directory: str, config: Config) -> dict[str, bytes]:
    """Save the approval in a new store. Without it, the first start would need a person with the
    key. Returns {source of hints: its new key}.
    """
    state = os.path.join(directory, "state")
    os.makedirs(state, 0o700, exist_ok=True)
    two_copies.Store(state).save(approved(config))
    accept_signs(config, state)
    return {source.name: keys.create(state, source.name) for source in config.sources}


def messages(directory: str, name: str = "controller") -> list[str]:
    """Lines that the controller, or another process of the box, wrote to stderr."""
    text = Path(directory, f"{name}.log").read_text(encoding="utf-8", errors="replace")
    return [line.removeprefix("firebreak: ") for line in text.splitlines() if line.strip()]


def last_message(directory: str, name: str = "controller") -> str:
    """The last line of a process, which gives the reason for its end."""
    return (messages(directory, name) or ["without a message"])[-1]


def keep_journals(directory: str, path: str) -> None:
    """Copy the controller's journal to `path`, and a killed controller's to `path`.previous."""
    for name in ("journal", "journal.previous"):
        source, target = os.path.join(directory, name), path + name.removeprefix("journal")
        if os.path.exists(source):
            with files.naming(target):
                shutil.copyfile(source, target)
