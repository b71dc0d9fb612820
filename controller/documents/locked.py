"""Prints the part of requirements.lock that is needed to run the controller, or to build it:
`locked.py run|build`.

One lock holds everything, tests and rig too; a cabinet gets what setup.cfg's install_requires leads
to. Which package needs which is in the lock's "via" comments. Run by the system's own Python:
nothing but its library here.
"""

import configparser
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD_ROOT = "firebreak (pyproject.toml::build-system.requires)"


def blocks(lock: str) -> dict[str, tuple]:
    """{name: (text, names it is needed by)} of every pinned package in the lock's text."""
    found = {}
    for text in re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]:
        hashes, _, via = text.partition("    # via")
        found[text.split("==")[0]] = (
            hashes,
            [line.lstrip(" #") for line in via.splitlines() if line.strip(" #")],
        )
    return found


def needed(packages: dict, roots: list) -> list[str]:
    """Names in `packages` that `roots` lead to, sorted. KeyError for a root that is not locked."""
    wanted = {name: packages[name] for name in roots}
    while more := {
        name: block
        for name, block in packages.items()
        if name not in wanted and wanted.keys() & set(block[1])
    }:
        wanted.update(more)
    return sorted(wanted)


def run_roots(setup: str) -> list[str]:
    """Names in install_requires of setup.cfg's text, as the lock writes them."""
    parser = configparser.ConfigParser()
    parser.read_string(setup)
    lines = parser["options"]["install_requires"].split()
    return [line.split("==")[0].lower().replace("_", "-") for line in lines]


def build_roots(packages: dict) -> list[str]:
    """Names that the build system needs."""
    return [name for name, (_, via) in packages.items() if BUILD_ROOT in via]


def main(argv: list) -> None:
    """argv: `run` or `build`."""
    packages = blocks((ROOT / "requirements.lock").read_text(encoding="ascii"))
    roots = (
        build_roots(packages)
        if argv == ["build"]
        else run_roots((ROOT / "setup.cfg").read_text(encoding="ascii"))
    )
    print("".join(packages[name][0] for name in needed(packages, roots)), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
