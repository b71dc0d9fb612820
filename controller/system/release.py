"""Identifies the release that runs: its distribution, its version and a digest of its files."""

import hashlib
import importlib.metadata
import os
import pathlib
import sys

TRIAL = "/opt/firebreak/trial.json"  # is there while a release is on trial (systemd/trial.py)
CURRENT = "/opt/firebreak/current"  # the release that the next start takes
DISTRIBUTION = "firebreak-controller"
FOLDERS = ("safety", "controller", "drivers")
OFFICE = ("siting", "audit")  # firebreak-office puts these into the folder controller
# Without pages and the installer, which a wheel lacks, a clone and its wheel have the same digest.
KINDS = {".py", ".toml", ".dbc", ".json", ".csv", ".js", ".css", ".html"}
DIGITS = 12


def version() -> str:
    """Version of the installed distribution, such as "0.4.0"."""
    return importlib.metadata.version(DISTRIBUTION)


def digest(root: pathlib.Path) -> str:
    """First hexadecimal digits of the SHA-256 of all code and data that a box runs.

    root: the folder of the packages. The digest includes the names of the files.
    """
    sha256 = hashlib.sha256()
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*")):
        name = path.relative_to(root)
        if path.suffix in KINDS and name.parts[1] not in OFFICE:
            file_digest = hashlib.sha256(path.read_bytes()).hexdigest()
            sha256.update(f"{name.as_posix()} {file_digest}\n".encode())
    return sha256.hexdigest()[:DIGITS]


def may_change() -> bool:
    """True while this release may still go back, or another one is to replace it."""
    is_other = os.path.exists(CURRENT) and os.path.realpath(CURRENT) != os.path.realpath(sys.prefix)
    return is_other or os.path.exists(TRIAL)


def line(limit_schema: int) -> str:
    """One line that identifies this release."""
    tree = digest(pathlib.Path(__file__).parents[2])
    return f"{version()}, tree {tree}, limit schema {limit_schema}"
