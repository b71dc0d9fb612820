"""The directory of a run in real time: the controller's files and the kept journals."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile

from controller.config import approval
from controller.config.configuration import Config
from controller.hints import keys
from controller.store import two_copies
from controller.store.stored_record import Record
from hil.results import files

CABINET_FILE = """schema = 1
layer = "cabinet"
extends = {site}
name = "Rig"
"""


def made(kept: str | None) -> contextlib.AbstractContextManager[str]:
    """Context that gives the directory: `kept` (made if missing), or a temporary one for None."""
    if kept is None:
        return tempfile.TemporaryDirectory(prefix="firebreak-rig-")
    os.makedirs(kept, mode=0o750, exist_ok=True)
    return contextlib.nullcontext(kept)


def write_cabinet_file(directory: str, order: dict, wires: dict[str, dict[str, str]]) -> None:
    """Write cabinet.toml. wires: {"ports": {bus: tty}, "cans": {bus: channel}}."""
    site = json.dumps(os.path.abspath(order["extends"]))
    lines = [CABINET_FILE.format(site=site)]
    for name, path in wires["ports"].items():
        key = "port" if path.startswith("/") else "address"
        lines.append(f'[bus.{name}]\n{key} = "{path}"\n')
    lines += [
        f'[bus.{name}]\ninterface = "socketcand"\nchannel = "{channel}"\n'
        for name, channel in wires["cans"].items()
    ]
    lines.append(order.get("cabinet_more", ""))
    pathlib.Path(directory, "cabinet.toml").write_text("".join(lines), encoding="ascii")


OTHER_IMAGE = approval.packed({"tick_ms": 20, "armed 29.rack1": 1})


def approved(config: Config) -> Record:
    """The stored record of a cabinet whose limit image is approved, so that it may run."""
    image = approval.packed(approval.of(config))
    return Record(approved=image, approved_by="rig")


def commission(directory: str, config: Config) -> dict[str, bytes]:
    """Save the approval in a new store; otherwise the first start needs a person with the key.

    Returns a new key for each source of hints, by name.
    """
    state = os.path.join(directory, "state")
    os.makedirs(state, 0o700, exist_ok=True)
    two_copies.Store(state).save(approved(config))
    return {source.name: keys.create(state, source.name) for source in config.sources}


def keep_journals(directory: str, path: str) -> None:
    """Copy the controller's journal to `path`; that of a killed controller to `path`.previous."""
    for name in ("journal", "journal.previous"):
        source, target = os.path.join(directory, name), path + name.removeprefix("journal")
        if os.path.exists(source):
            with files.naming(target):
                shutil.copyfile(source, target)
