"""Makes the software bill of materials in the form CycloneDX. It lists the packages of the lock
file and of Debian, and says which of them run on a cabinet.
"""

import pathlib
import re
import sys
import urllib.parse
import uuid

from controller.documents import locked
from controller.documents.document import Blocks, Columns, Facts, Heading, Text, table
from controller.documents.locked import Package
from controller.system import programs, release

# The lock file of the source tree has every package, also those of tests and rig. The lock file of
# a release has only the packages that run on a cabinet.
LOCKS = (locked.ROOT / "requirements.lock", pathlib.Path(sys.prefix) / "run.lock")
# packages that `install.sh` requires
DEBIAN = ("python3", "python3-venv", "systemd", "iproute2", "util-linux")
# Name, version and SHA-256 of a library whose file this program contains unchanged, in
# controller/doors/http/page.
CHARTS = ("uPlot", "1.6.32", "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f")
QUERY = ("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n")
HEAD = (
    "required: runs on a cabinet; excluded: tests, rig, proofs and build. This list leaves out the "
    "Linux kernel, MicroPython on channel B's board, and the programs inside BMS, converter, "
    "meters, detectors and I/O modules."
)


def document() -> Facts:
    """The document, CycloneDX 1.5. The same packages give the same document. Raises OSError."""
    path = next((lock for lock in LOCKS if lock.is_file()), LOCKS[0])
    packages = locked.blocks(path.read_text(encoding="ascii"))
    runs = _runs(path, packages)
    libraries = [_library(name, packages[name].text, name in runs) for name in sorted(packages)]
    components = [*libraries, _charts(), *_of_debian()]
    refs = {component["name"]: component["bom-ref"] for component in components}
    serial = uuid.uuid5(uuid.NAMESPACE_OID, " ".join(refs.values()))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": _own()},
        "components": components,
        "dependencies": _dependencies(packages, runs, refs),
    }


def _runs(path: pathlib.Path, packages: dict[str, Package]) -> set[str]:
    """Packages that run on a cabinet. In the lock file of a release, these are all packages. In the
    lock file of the source tree, these are the packages that setup.cfg needs.
    """
    if path != LOCKS[0]:
        return set(packages)
    setup = (locked.ROOT / "setup.cfg").read_text(encoding="ascii")
    return set(locked.needed(packages, locked.run_roots(setup)))


def _own() -> Facts:
    return {
        "type": "application",
        "bom-ref": release.DISTRIBUTION,
        "name": release.DISTRIBUTION,
        "version": release.version(),
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def _library(name: str, text: str, is_run: bool) -> Facts:
    """One package. text: the lines of the Package."""
    version = text.split()[0].split("==")[1]
    purl = f"pkg:pypi/{name}@{version}"
    files = [
        {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": digest}]}
        for digest in re.findall("sha256:([0-9a-f]{64})", text)
    ]
    scope = "required" if is_run else "excluded"
    return {**_component(name, version, purl, scope), "externalReferences": files}


def _charts() -> Facts:
    name, version, digest = CHARTS
    component = _component(name, version, f"pkg:npm/{name.lower()}@{version}", "required")
    return {**component, "hashes": [{"alg": "SHA-256", "content": digest}]}


def _component(name: str, version: str, purl: str, scope: str) -> Facts:
    component = {"type": "library", "bom-ref": purl, "name": name, "scope": scope, "purl": purl}
    return {**component, "version": version} if version else component


def _of_debian() -> list[Facts]:
    """The packages of DEBIAN, each with its version if it is installed on this machine."""
    printed = programs.ran([*QUERY, *DEBIAN], capture_output=True, text=True).stdout
    lines = map(str.split, printed.splitlines())
    installed = {name: fields for name, *fields in lines if len(fields) == 2}
    components = []
    for name in DEBIAN:
        version, architecture = installed.get(name, ("", ""))
        purl = f"pkg:deb/debian/{name}"
        if version:
            purl += f"@{urllib.parse.quote(version, safe='')}?arch={architecture}"
        components.append(_component(name, version, purl, "required"))
    return components


def _dependencies(
    packages: dict[str, Package], runs: set[str], refs: dict[str, str]
) -> list[Facts]:
    """The packages that each package needs, from the "via" lines of the lock. If a package has no
    such line, the program itself needs it.
    """
    vias = {name: package.via for name, package in packages.items()}
    direct = [
        name
        for name in sorted(runs)
        if not vias[name] or release.DISTRIBUTION in " ".join(vias[name])
    ]
    lines = [
        {"ref": refs[name], "dependsOn": [refs[via] for via in sorted(vias) if name in vias[via]]}
        for name in sorted(packages)
    ]
    return [
        {
            "ref": release.DISTRIBUTION,
            "dependsOn": [refs[name] for name in (*direct, CHARTS[0], *DEBIAN)],
        },
        *lines,
    ]


def blocks(facts: Facts) -> Blocks:
    """The document as a table."""
    program = facts["metadata"]["component"]
    columns: Columns = {
        "name": "name",
        "version": lambda component: component.get("version", "that of the box"),
        "scope": "scope",
        "purl": "purl",
    }
    title = f"Software bill of materials: {program['name']} {program['version']}"
    return [Heading(1, title), Text(HEAD), table(facts["components"], columns)]
