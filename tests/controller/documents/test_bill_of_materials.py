"""`firebreak document sbom`: every locked package with its hashes, and which a cabinet runs.

Documents of this form passed the strict JSON schemas of CycloneDX 1.5 and 1.6 (the validator of
cyclonedx-python-lib), and name the same 58 packages, versions and hashes as cyclonedx-bom 7.5 reads
from the lock. These tests assert the parts that the schemas require.
"""

import re
import uuid

import pytest

from controller.documents import bill_of_materials as bom, locked
from controller.system import release

SOURCES = bom.LOCKS[0]
LOCK = SOURCES.read_text(encoding="ascii")
PACKAGES = locked.blocks(LOCK)


def runtime():
    setup = (locked.ROOT / "setup.cfg").read_text(encoding="ascii")
    return set(locked.needed(PACKAGES, locked.run_roots(setup)))


def names(found, **wanted):
    return {
        each["name"]
        for each in found["components"]
        if all(each[key] == value for key, value in wanted.items())
    }


def test_the_document_has_every_package_with_all_its_hashes():
    found = bom.document()
    assert names(found) == {*PACKAGES, "uPlot", *bom.DEBIAN}
    assert names(found, scope="required") == {*runtime(), "uPlot", *bom.DEBIAN}
    digests = [
        file["hashes"][0]["content"]
        for each in found["components"]
        for file in each.get("externalReferences", [])
    ]
    assert sorted(digests) == sorted(re.findall("sha256:([0-9a-f]{64})", LOCK))
    (serial,) = [each for each in found["components"] if each["name"] == "pyserial"]
    assert (serial["version"], serial["purl"]) == ("3.5", "pkg:pypi/pyserial@3.5")


def test_the_form_is_that_of_cyclonedx():
    found = bom.document()
    assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.5", 1)
    assert uuid.UUID(found["serialNumber"].removeprefix("urn:uuid:"))
    refs = [each["bom-ref"] for each in found["components"]] + [release.DISTRIBUTION]
    assert len(set(refs)) == len(refs)
    for each in (found["metadata"]["component"], *found["components"]):
        assert each["type"] in ("application", "library") and each["name"] and each["bom-ref"]
    lines = {line["ref"]: line["dependsOn"] for line in found["dependencies"]}
    assert {*lines, *[ref for needs in lines.values() for ref in needs]} <= set(refs)
    direct = {ref.partition("@")[0].rpartition("/")[2] for ref in lines[release.DISTRIBUTION]}
    assert direct == {"msgpack", "pyserial", "python-can", "shtab", "uplot", *bom.DEBIAN}
    (can,) = [line for ref, line in lines.items() if ref.startswith("pkg:pypi/python-can@")]
    assert {ref.partition("@")[0] for ref in can} == {
        f"pkg:pypi/{name}" for name in ("packaging", "typing-extensions", "wrapt")
    }


def test_a_release_reports_its_own_lock(monkeypatch, tmp_path):
    """The lock of a release has no "via": a cabinet runs all its packages."""
    lock = tmp_path / "run.lock"
    lock.write_text("".join([PACKAGES[name].text for name in sorted(runtime())]))
    monkeypatch.setattr(bom, "LOCKS", (tmp_path / "none", lock))
    found = bom.document()
    assert names(found, scope="required") == names(found) == {*runtime(), "uPlot", *bom.DEBIAN}
    assert len(found["dependencies"][0]["dependsOn"]) == len(found["components"])


@pytest.mark.parametrize(
    "text", ["iproute2 1:6~x+1 amd64\n", "iproute2 1:6~x+1 amd64\nsystemd  \n"]
)
def test_debian_packages_have_the_version_of_the_box(monkeypatch, text):
    monkeypatch.setattr(bom, "QUERY", ("printf", text + "%.0s"))
    debian = {each["name"]: each for each in bom.document()["components"][-len(bom.DEBIAN) :]}
    assert debian["iproute2"]["purl"] == "pkg:deb/debian/iproute2@1%3A6~x%2B1?arch=amd64"
    assert debian["iproute2"]["version"] == "1:6~x+1"
    assert debian["systemd"]["purl"] == "pkg:deb/debian/systemd"
    assert "version" not in debian["systemd"]


def test_a_box_without_dpkg_lists_packages_without_a_version(monkeypatch):
    monkeypatch.setattr(bom, "QUERY", ("no-such-program",))
    assert names(bom.document()) == {*PACKAGES, "uPlot", *bom.DEBIAN}


def test_the_installer_requires_these_debian_packages():
    text = (locked.ROOT / "controller/systemd/install.sh").read_text(encoding="utf-8")
    asked = {
        name
        for line in re.findall(r'^    needs (?:\w+|"[^"]+") ([\w-]+|"[^"]+")', text, re.MULTILINE)
        for name in line.strip('"').split()
    }
    assert asked == set(bom.DEBIAN)


def test_without_a_lock_the_document_fails(monkeypatch, tmp_path):
    monkeypatch.setattr(bom, "LOCKS", (tmp_path / "none", tmp_path / "nothing"))
    with pytest.raises(FileNotFoundError, match="none"):
        bom.document()
