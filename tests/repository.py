"""Where the repository is, its files, and the data folder beside it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
SKIPPED = {".git", ".venv", "__pycache__", ".pytest_cache", ".hypothesis", "build"}


def tree():
    """The files of the project. Skipped folders are not entered: the environment holds 10 000."""
    for folder, folders, names in os.walk(ROOT):
        kept = {name for name in folders if not name.endswith(".egg-info")}
        folders[:] = sorted(kept - SKIPPED)
        yield from [Path(folder, name) for name in sorted(names)]
