"""The software bill of materials as a CycloneDX document: the packages of the lock, the Debian
packages that the installer needs, and what of it a cabinet runs.
"""

import importlib.metadata
import pathlib
import re
import subprocess
import sys
import urllib.parse
import uuid

from controller.documents import locked
from controller.documents.document import Heading, Table, Text

# a release has the lock of its own packages; the sources have that of everything
LOCKS = (locked.ROOT / "requirements.lock", pathlib.Path(sys.prefix) / "run.lock")
# what `install.sh` asks a box for
DEBIAN = ("python3", "python3-venv", "systemd", "iproute2", "util-linux")
QUERY = ("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\n")
OURS = "firebreak"
HEAD = (
    "required: runs on a cabinet; excluded: tests, rig, proofs and build. Not in here: the Linux "
    "kernel, MicroPython of channel B's board, and what runs inside BMS, converter, meters, "
    "detectors and I/O modules."
)


def document() -> dict:
    """CycloneDX 1.5, the same for the same lock and Debian packages. Raises OSError."""
    path = next((each for each in LOCKS if each.is_file()), LOCKS[0])
    packages = locked.blocks(path.read_text(encoding="ascii"))
    runs = _runs(path, packages)
    libraries = [_library(name, packages[name][0], name in runs) for name in sorted(packages)]
    components = [*libraries, *map(_of_debian, DEBIAN, _installed())]
    refs = {each["name"]: each["bom-ref"] for each in components}
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


def _runs(path, packages):
    """Names of what a cabinet runs: all of its own lock, or what setup.cfg leads to."""
    if path != LOCKS[0]:
        return set(packages)
    setup = (locked.ROOT / "setup.cfg").read_text(encoding="ascii")
    return set(locked.needed(packages, locked.run_roots(setup)))


def _own():
    version = importlib.metadata.version(OURS)
    licence = [{"license": {"id": "Apache-2.0"}}]
    own = {"type": "application", "bom-ref": OURS, "name": OURS, "version": version}
    return {**own, "licenses": licence}


def _library(name, block, is_run):
    """block: of the lock, from the name to the last hash."""
    version = re.match(r"\S+==(\S+)", block)[1]
    purl = f"pkg:pypi/{name}@{version}"
    files = [
        {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": digest}]}
        for digest in re.findall("sha256:([0-9a-f]{64})", block)
    ]
    scope = "required" if is_run else "excluded"
    return {**_component(name, version, purl, scope), "externalReferences": files}


def _component(name, version, purl, scope):
    own = {"type": "library", "bom-ref": purl, "name": name, "scope": scope, "purl": purl}
    return {**own, "version": version} if version else own


def _installed():
    """(version, architecture) of each Debian package here, ("", "") where it is not."""
    try:
        told = subprocess.run([*QUERY, *DEBIAN], capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        told = ""
    found = {name: words for name, *words in map(str.split, told.splitlines()) if len(words) == 2}
    return [found.get(name, ("", "")) for name in DEBIAN]


def _of_debian(name, installed):
    version, architecture = installed
    purl = f"pkg:deb/debian/{name}"
    if version:
        purl += f"@{urllib.parse.quote(version, safe='')}?arch={architecture}"
    return _component(name, version, purl, "required")


def _dependencies(packages, runs, refs):
    """Who needs what by the lock's "via"; without any, the program itself needs all."""
    vias = {name: via for name, (_, via) in packages.items()}
    own = [name for name in sorted(runs) if not vias[name] or OURS in " ".join(vias[name])]
    lines = [
        {
            "ref": refs[name],
            "dependsOn": [refs[each] for each in sorted(vias) if name in vias[each]],
        }
        for name in sorted(packages)
    ]
    return [{"ref": OURS, "dependsOn": [refs[name] for name in (*own, *DEBIAN)]}, *lines]


def blocks(found: dict) -> list:
    """The document as a table."""
    own = found["metadata"]["component"]
    rows = [
        (each["name"], each.get("version", "as the box has it"), each["scope"], each["purl"])
        for each in found["components"]
    ]
    title = f"Software bill of materials: {own['name']} {own['version']}"
    return [Heading(1, title), Text(HEAD), Table(("name", "version", "scope", "purl"), rows)]
