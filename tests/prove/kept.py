"""Kept in build/prove after a run: contexts and results of this tree, what any tree taught."""

import hashlib
import os
import pathlib
import pickle
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "prove"
FOLDERS = ("safety", "tests", "controller", "drivers", "hil")
KINDS = {".py", ".toml", ".dbc", ".md", ".cfg"}


# raised by a file that is missing or torn
TORN = (OSError, ValueError, TypeError, EOFError, AttributeError, ImportError, IndexError)
TORN += (pickle.PickleError,)


def digest(root=ROOT):
    """Digest of everything that the tests of safety/ may read, and of the interpreter."""
    found = hashlib.sha256(sys.version.encode())
    for folder in FOLDERS:
        for path in sorted(each for each in (root / folder).rglob("*") if each.suffix in KINDS):
            found.update(f"{path.relative_to(root)} {path.stat().st_size}\n".encode())
            found.update(path.read_bytes())
    return found.hexdigest()


def load(name, key, folder=FOLDER):
    try:
        found_key, found = pickle.loads((folder / f"{name}.pickle").read_bytes())
    except TORN:
        return None
    return found if found_key == key else None


def save(name, key, what, folder=FOLDER):
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f"{name}.{os.getpid()}.tmp"
    beside.write_bytes(pickle.dumps((key, what)))
    beside.replace(folder / f"{name}.pickle")
