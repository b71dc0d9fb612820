"""Prints a part of requirements.lock. `locked.py run [EXTRA]` prints the packages that the
controller needs to run, `locked.py build` the packages that are needed to build it.

The lock file also has the packages of tests and rig. A cabinet gets only the packages that
setup.cfg names in install_requires, and the packages that these need. The "via" comments of the
lock file say which package needs which. The system's own Python runs this file, so it imports only
the standard library.
"""

import configparser
import pathlib
import re
import sys
from collections.abc import Iterable
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD_ROOT = "firebreak-controller (pyproject.toml::build-system.requires)"


class Package(NamedTuple):
    """A pinned package. text: its lines in the lock. via: packages that need it."""

    text: str
    via: list[str]


def blocks(lock: str) -> dict[str, Package]:
    """{name: Package} of the lock's text."""
    packages = {}
    for text in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]:
        hashes, _, via = text.partition("    # via")
        names = [line.lstrip(" #") for line in via.splitlines() if line.strip(" #")]
        packages[text.split("==")[0]] = Package(hashes, names)
    return packages


def needed(packages: dict[str, Package], roots: Iterable[str]) -> list[str]:
    """Sorted names of `roots` and of all packages that they need. Raises KeyError if a root is not
    in the lock.
    """
    chosen = {name: packages[name] for name in roots}
    while more := {
        name: package
        for name, package in packages.items()
        if name not in chosen and chosen.keys() & set(package.via)
    }:
        chosen.update(more)
    return sorted(chosen)


def run_roots(setup: str, extras: Iterable[str] = ()) -> list[str]:
    """Names in install_requires and in these extras of setup.cfg, in the spelling of the lock."""
    parser = configparser.ConfigParser()
    parser.read_string(setup)
    lines = parser["options"]["install_requires"].split()
    for extra in extras:
        lines += parser["options.extras_require"][extra].split()
    return [line.split("==")[0].lower().replace("_", "-") for line in lines]


def build_roots(packages: dict[str, Package]) -> list[str]:
    """Names of the packages that the build system needs."""
    return [name for name, package in packages.items() if BUILD_ROOT in package.via]


def main(argv: list[str]) -> None:
    """argv: `run` with extras, or `build`."""
    packages = blocks((ROOT / "requirements.lock").read_text(encoding="ascii"))
    roots = (
        build_roots(packages)
        if argv == ["build"]
        else run_roots((ROOT / "setup.cfg").read_text(encoding="ascii"), argv[1:])
    )
    print("".join(packages[name].text for name in needed(packages, roots)), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
