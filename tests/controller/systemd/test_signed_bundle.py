"""A signed bundle: what is checked before anything of it is written."""

import errno
import io
import json
import os
import platform
import subprocess
import tarfile

import parts
import pytest
from command_line import lines_of

from controller import __main__ as program
from controller.systemd import make_bundle, signed_bundle
from tests.tables import cases

SCRIPT = "tree/controller/systemd/install.sh"
INSTALLER = b"""printf '%s|' "$@" >"$5/asked"; ls "$3" >>"$5/asked"; echo "${PYTHONPATH-none}"
mkdir -p "$5/opt/firebreak/releases/0.4.0-x" && ln -sfn releases/0.4.0-x "$5/opt/firebreak/current"
[ -s "${0%/controller/*}/release.json" ] || exit 9  # the stamp, for the release
exit "$(cat "$5/code")"
"""


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    """A folder with the keys `own` and `other`, and a file that allows `own`."""
    parts.needs("openssh-client")
    place = tmp_path_factory.mktemp("signers")
    for name in ("own", "other"):
        line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
        subprocess.run(line, check=True)
    (place / "allowed").write_text(f"release@example {(place / 'own.pub').read_text()}")
    return place


def release(**more):
    made = {"version": "0.4.0", "made_utc_s": 1000, "machine": platform.machine()}
    return json.dumps({**made, "python": signed_bundle.python_version(), **more}).encode()


FILES = {"release.json": release(), SCRIPT: INSTALLER, "wheels/a+b-1.0-py3.whl": b"wheel"}


def head(signers, files, key="own"):
    listed = make_bundle.listed(files)
    signature = make_bundle.signed(listed, str(signers / key))
    return {signed_bundle.LIST: listed, signed_bundle.SIGNATURE: signature}


@pytest.fixture(scope="module")
def whole(signers):
    return head(signers, FILES) | FILES


@pytest.fixture
def box(tmp_path, monkeypatch):
    monkeypatch.setattr(signed_bundle.os, "geteuid", lambda: 0)
    monkeypatch.setenv("PYTHONPATH", "/of/the/tree")
    root = tmp_path / "box"
    root.mkdir()
    (root / "code").write_text("0")
    return root


def install(box, signers, data, capfd, *more):
    """(exit code, lines, whether nothing has changed)."""
    path = box.parent / "bundle.tar"
    path.write_bytes(data)
    before = sorted(box.rglob("*"))
    words = ["--bundle", str(path), "--signers", str(signers / "allowed"), "--root", str(box)]
    return *lines_of(capfd, "box install", *words, *more), sorted(box.rglob("*")) == before


def test_a_bundle_is_installed_by_its_own_installer_from_its_own_wheels(box, signers, whole, capfd):
    """Nothing of it is left but the release, which knows when it was made."""
    code, lines, _ = install(box, signers, make_bundle.packed(whole), capfd, "--doors")
    assert code == 0 and lines == ["signed by  release@example: release 0.4.0", "none"]
    words = (box / "asked").read_text().replace("\n", "").split("|")
    assert words[0:2] == ["install", "--wheels"] and words[3:5] == ["--root", str(box)]
    assert words[5:] == ["--doors", "a+b-1.0-py3.whl"] and not os.path.exists(words[2])
    assert (box / "opt/firebreak/current/release.json").read_bytes() == FILES["release.json"]
    (box / "code").write_text("3")
    assert install(box, signers, make_bundle.packed(whole), capfd)[0] == 3


def refused(box, signers, data, capfd, *more):
    code, (line,), same = install(box, signers, data, capfd, *more)
    assert code == 2 and same and line.startswith("firebreak: nothing changed: ")
    return line.removeprefix("firebreak: nothing changed: ").removeprefix(f"{box.parent}/")


def changed(files, name, content):
    return make_bundle.packed({**files, name: content})


def entry(name, kind, **more):
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in more.items():
        setattr(found, key, value)
    return found


def with_entry(data, made, content=b""):
    out = io.BytesIO(data)
    with tarfile.open(fileobj=out, mode="a") as archive:
        made.size = len(content)
        archive.addfile(made, io.BytesIO(content))
    return out.getvalue()


@cases("""name  words
    "release.json"  "bundle.tar: release.json is not the file of its SHA256SUMS"
    SCRIPT  "install.sh is not the file of its SHA256SUMS"
    "wheels/a+b-1.0-py3.whl"  "is not the file of its SHA256SUMS"
    "SHA256SUMS"  "its SHA256SUMS is not what release@example has signed"
    "SHA256SUMS.sig"  "has signed it"
""")
def test_a_changed_file_is_refused(name, words, box, signers, whole, capfd):
    data = changed(whole, name, whole[name][:-2] + b"x\n")
    assert words in refused(box, signers, data, capfd)


def test_a_foreign_key_another_purpose_and_no_signature_are_refused(
    box, signers, whole, capfd, monkeypatch
):
    data = make_bundle.packed(head(signers, FILES, "other") | FILES)
    assert "no key of" in refused(box, signers, data, capfd)
    monkeypatch.setattr(signed_bundle, "NAMESPACE", "git")
    other = make_bundle.packed(head(signers, FILES) | FILES)
    monkeypatch.undo()
    monkeypatch.setattr(signed_bundle.os, "geteuid", lambda: 0)
    assert "is not what release@example has signed" in refused(box, signers, other, capfd)
    unsigned = make_bundle.packed({signed_bundle.LIST: whole[signed_bundle.LIST], **FILES})
    assert "in the place of SHA256SUMS.sig" in refused(box, signers, unsigned, capfd)
    assert "no such file of allowed" in refused(box, box, make_bundle.packed(whole), capfd)


def test_a_bundle_that_is_cut_anywhere_is_refused(box, signers, whole, capfd):
    data = make_bundle.packed(whole)
    end = len(data.rstrip(b"\0"))
    for length in [0, 100, *range(512, end, 512), end - 1]:
        assert "is cut short" in refused(box, signers, data[:length], capfd), length


@pytest.mark.parametrize(
    "name", ["../../etc/evil", "/etc/evil", "tree/../evil", ".ssh/evil", "a\nb"]
)
def test_a_path_out_of_the_bundle_is_refused_even_with_a_good_signature(
    name, box, signers, whole, capfd
):
    """Also one that the owner of a key has signed."""
    data = with_entry(make_bundle.packed(whole), entry(name, tarfile.REGTYPE), b"evil")
    assert "which is not in its SHA256SUMS" in refused(box, signers, data, capfd)
    files = {**FILES, name: b"evil"}
    signed = make_bundle.packed(head(signers, files) | files)
    assert "lines that are no digest with a name" in refused(box, signers, signed, capfd)


@cases("""kind
    tarfile.SYMTYPE | tarfile.LNKTYPE | tarfile.CHRTYPE | tarfile.FIFOTYPE | tarfile.DIRTYPE
""")
def test_an_entry_that_is_no_plain_file_is_refused(kind, box, signers, whole, capfd):
    first = {name: each for name, each in whole.items() if name != SCRIPT}
    link = entry(SCRIPT, kind, linkname="/etc/passwd")
    data = with_entry(make_bundle.packed(first), link)
    assert "in the place of" in refused(box, signers, data, capfd)
    twice = with_entry(make_bundle.packed(whole), entry(SCRIPT, tarfile.REGTYPE), b"evil")
    assert "which is not in its SHA256SUMS" in refused(box, signers, twice, capfd)


@cases("""more  words
    {"python": "3.9"}  "is made for Python 3.9 on"
    {"machine": "vax"}  "on vax, but this is Python"
    {"version": "../x"}  "is of another version of the bundle"
    {"version": "9" * 5000}  "is of another version of the bundle"
    {"made_utc_s": "now"}  "is of another version of the bundle"
""")
def test_a_bundle_for_another_box_is_refused(more, words, box, signers, capfd):
    files = {**FILES, "release.json": release(**more)}
    data = make_bundle.packed(head(signers, files) | files)
    assert words in refused(box, signers, data, capfd)


def test_an_older_release_needs_a_word(box, signers, whole, capfd):
    """Its signature stays good, so an attacker could bring back what it lacks."""
    data = make_bundle.packed(whole)
    for name, made in (("0.5.0-x", None), ("0.10.0-doors-x", None), ("0.4.0-x", 1001)):
        folder = box / "opt/firebreak/releases" / name
        folder.mkdir(parents=True, exist_ok=True)
        current = box / "opt/firebreak/current"
        current.unlink(missing_ok=True)
        current.symlink_to(f"releases/{name}")
        if made:
            (folder / "release.json").write_bytes(release(made_utc_s=made))
        line = refused(box, signers, data, capfd)
        assert "release 0.4.0 is older than what is installed" in line and "--older" in line
    for damaged in (b"", b"[]", release(made_utc_s=None), release(made_utc_s="1"), b"{" * 99):
        (folder / "release.json").write_bytes(damaged)
        line = refused(box, signers, data, capfd)
        assert "of the installed release is damaged" in line and "--older" in line
    assert install(box, signers, data, capfd, "--older")[0] == 0
    assert install(box, signers, data, capfd)[0] == 0, "the same again"


def test_a_signed_bundle_that_cannot_be_laid_out_ends_in_one_line(box, signers, capfd, monkeypatch):
    for files, words in (
        ({**FILES, "wheels": b"file and folder"}, "lines that are no digest with a name"),
        ({"release.json": FILES["release.json"]}, f"has no {SCRIPT}"),
    ):
        data = make_bundle.packed(head(signers, files) | files)
        assert words in refused(box, signers, data, capfd)

    def full(**_):
        raise OSError(errno.ENOSPC, "No space left on device")

    data = make_bundle.packed(head(signers, FILES) | FILES)
    monkeypatch.setattr(signed_bundle, "_unpacked", lambda *_: full())
    code, lines, same = install(box, signers, data, capfd)
    assert (code, same, lines[1:]) == (
        3,
        True,
        [f"firebreak: {box.parent}/bundle.tar: No space left on device"],
    )


def test_a_pipe_in_place_of_a_bundle_is_refused_at_once(box, signers, capfd):
    os.mkfifo(box.parent / "pipe")
    words = ["--bundle", str(box.parent / "pipe"), "--signers", str(signers / "allowed")]
    assert program.main(["box", "install", *words, "--root", str(box)]) == 2
    assert "allowed a regular file" in capfd.readouterr().err


def test_an_installation_needs_root(signers, monkeypatch, capsys):
    monkeypatch.setattr(signed_bundle.os, "geteuid", lambda: 1000)
    assert program.main(["box", "install", "--bundle", "x", "--signers", "y"]) == 3
    assert capsys.readouterr().err == "firebreak: install needs root: sudo firebreak box install\n"


def test_a_bundle_is_made_of_what_the_installer_reads(signers, tmp_path, monkeypatch, capsys):
    """The same list by standard tools; an existing file is not replaced."""

    def wheels(line, **more):
        if line[0] == "bash":
            (tmp_path / "seen").write_text(line[1])
            with open(f"{line[3]}/firebreak_controller-0.4.0-py3-none-any.whl", "wb") as file:
                file.write(b"wheel")
        return done(line, **more) if line[0] != "bash" else subprocess.CompletedProcess(line, 0)

    done = subprocess.run
    monkeypatch.setattr(make_bundle.subprocess, "run", wheels)
    out = tmp_path / "out.tar"
    assert make_bundle.main(["--key", str(signers / "own"), str(out)]) == 0
    monkeypatch.undo()
    bundle = signed_bundle.checked(str(out), str(signers / "allowed"))
    names = {"tree/setup.cfg", "tree/flash.sh", SCRIPT, "tree/controller/__main__.py"}
    assert names < {*bundle.files} and not [name for name in bundle.files if "__pycache__" in name]
    with tarfile.open(out) as archive:
        archive.extractall(tmp_path / "by_hand")
    line = ["sha256sum", "--quiet", "--strict", "-c", "SHA256SUMS"]
    assert done(line, cwd=tmp_path / "by_hand", capture_output=True).returncode == 0
    assert make_bundle.main(["--key", str(signers / "own"), str(out)]) == 2
    assert make_bundle.main(["--key", "/nowhere", str(tmp_path / "new")]) == 2
    with pytest.raises(SystemExit):
        make_bundle.main([str(tmp_path / "new")])
    assert capsys.readouterr().err.count("\n") == 3


def test_a_box_without_ssh_keygen_is_told_its_package(box, signers, whole, capfd, monkeypatch):
    monkeypatch.setenv("PATH", str(box))
    line = refused(box, signers, make_bundle.packed(whole), capfd)
    assert line == "there is no ssh-keygen here: apt-get install openssh-client"
    with pytest.raises(signed_bundle.BundleError, match="there is no ssh-keygen here"):
        make_bundle.signed(b"", str(signers / "own"))
