"""A doors.toml with the keys of a site whose loop answers."""

import contextlib
import os

from controller.doors import settings
from controller.doors.process import House
from tests.controller.hinted_site import KEYS, HintedSite

SOURCES = """
[source.site_ems]
key = "site_ems.key"
may = "grid_cap"
[source.scheduler]
key = "scheduler.key"
may = "request"
"""


def written(folder, text, sources=SOURCES):
    """The path of a doors.toml with the keys of its sources beside it."""
    folder.mkdir(exist_ok=True)
    for name in ("site_ems", "scheduler"):
        path = folder / f"{name}.key"
        path.write_text(KEYS[name].hex() + "\n")
        os.chmod(path, 0o600)
    (folder / "doors.toml").write_text(sources + text)
    return str(folder / "doors.toml")


@contextlib.contextmanager
def answering(folder, text=""):
    """(site, house): the loop of HintedSite answers in a thread, and a house of doors before it."""
    path = written(folder / "doors", text)
    site = HintedSite(folder)
    with site.pumped():
        yield (
            site,
            House(settings.load(path), str(site.run_dir), str(site.state_dir), str(folder / "own")),
        )
    site.close()
