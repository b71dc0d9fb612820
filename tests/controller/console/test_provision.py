"""`firebreak box provision`: a list becomes cabinets with keys of their own; no key is replaced."""

import csv
import errno
import hashlib
import os
import shutil

import pytest
from command_line import lines_of

from controller.config import configuration
from controller.console import provision
from controller.hints import keys
from controller.sites import FOLDER
from controller.store import durable, two_copies
from tests.tables import cases

PORTS = "bus.pcs.port bus.io.port bus.meter_grid.port bus.meter_load.port bus.gas.port".split()
SHARE, WAIT = "control.share_permille", "control.meter_code_wait_s"
HEAD = ["serial", "name", "bus.can0.interface", "bus.can0.channel", *PORTS, SHARE]


@pytest.fixture
def sites(tmp_path):
    """The path of a site file, with its type."""
    for name in ("types", "example"):
        shutil.copytree(FOLDER / name, tmp_path / "sites" / name)
    return tmp_path / "sites/example/site.toml"


def row(serial, name="", pcs="/dev/pcs", share="own"):
    return [serial, name, "socketcan", "can0", pcs, *[f"/dev/port{n}" for n in range(4)], share]


def written(path, *rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def run(capsys, *words):
    return lines_of(capsys, "box provision", *words)


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != provision.TABLE
    }


def test_each_cabinet_has_its_keys_and_a_configuration_that_is_accepted(sites, tmp_path, capsys):
    listed = written(tmp_path / "s.csv", HEAD, row("A-1"), row("A_2", "The second, of Munich"))
    code, lines = run(capsys, sites, listed, tmp_path / "out")
    wanted = ["made      A-1  Cabinet A-1", "made      A_2  The second, of Munich"]
    assert (code, lines) == (0, wanted)
    found = {}
    for serial, name in (("A-1", "Cabinet A-1"), ("A_2", "The second, of Munich")):
        folder = tmp_path / "out" / serial
        config = configuration.load(folder / "etc/cabinet/cabinet.toml")
        ports = {bus.name: bus.port for bus in config.buses}
        assert config.names[-1][1] == name and ports["pcs"] == "/dev/pcs"
        found[serial], lines = keys.load(str(folder / "state"), ["scheduler", "site_ems"], 1, 0)
        assert len(found[serial]) == 2 and not lines
        secret = [folder, folder / "state", folder / "state/keys", *folder.rglob("*.key")]
        secret += [folder / f"{serial}.tar"]
        assert not [path for path in secret if path.stat().st_mode & 0o077]
        # the box makes it, and it stays there
        assert not (folder / "state/keys/planner.key").exists()
    prints = [pair[0].fingerprint for each in found.values() for pair in each.values()]
    assert len({*prints}) == 4, "no key twice"
    with (tmp_path / "out" / provision.TABLE).open() as file:
        table = list(csv.DictReader(file))
    assert [each["serial"] for each in table] == ["A-1", "A_2"]
    words = " ".join(each["keys"] for each in table)
    assert all(f"{number:08x}" in words for number in prints)
    secrets = [path.read_text().strip() for path in tmp_path.rglob("*.key")]
    text = (tmp_path / "out" / provision.TABLE).read_text()
    assert len(secrets) == 4 and not [each for each in secrets if each in text]


def test_a_second_run_replaces_nothing(sites, tmp_path, capsys):
    """An interrupted one left no half cabinet; a changed line is named."""
    out, listed = tmp_path / "out", tmp_path / "s.csv"
    written(listed, HEAD, row("1"), row("2"))
    run(capsys, sites, listed, out)
    (out / ".3.part/state/keys").mkdir(parents=True)
    before = content(out)
    written(listed, HEAD, row("1"), row("2", pcs="/dev/other"), row("3"))
    code, lines = run(capsys, sites, listed, out)
    words = [line.split("  ")[0].strip() for line in lines]
    assert (code, words) == (1, ["is there", "differs", "made"])
    after = content(out)
    assert {name: after[name] for name in before} == before
    assert not (out / ".3.part").exists() and len(after) == len(before) // 2 * 3


@cases("""rows  words
    [["serial"], ["a/b"]]  's.csv:2: serial "a/b" is not allowed'
    [["serial"], ["../x"]]  's.csv:2: serial "../x" is not allowed'
    [["serial"], ["x"], [".."]]  's.csv:3: serial ".." is not allowed'
    [["serial", "name"], ["", "x"]]  's.csv:2: serial "" is not allowed'
    [["serial"], ["a"], ["b"], ["A"]]  's.csv:4: serial "A" is already in line 2'
    [["serial", "name"], ["a", "x"], ["b", "x"]]  's.csv:3: name "x" is already in line 2'
    [["serial", "x"], ["a", "b"]]  's.csv:1: column "x" is not allowed; allowed serial, name and'
    [["serial", "serial"], ["a", "b"]]  's.csv:1: column "serial" is not allowed'
    [["name"], ["a"]]  "s.csv: has no column serial"
    [["serial"]]  "s.csv: has no column serial with 1 to 10000 cabinets"
    [["serial", "name"], ["a"]]  "s.csv:2: has 1 values; allowed 2, as in line 1"
    [["serial", "bus.pcs.prot"], ["a", "b"]]  "s.csv:2: cabinet/cabinet.toml:bus.pcs.prot: is not"
    [["serial"], ["a"]]  "s.csv:2: cabinet/cabinet.toml:bus."
""")
def test_a_wrong_list_is_one_line_and_makes_no_key(rows, words, sites, tmp_path, capsys):
    listed = written(tmp_path / "s.csv", *rows)
    code, (line,) = run(capsys, sites, listed, tmp_path / "out")
    assert code == 2 and words in line
    assert not [*tmp_path.rglob("*.key")] and not [*tmp_path.glob("out/*")]


ALONE = [(1000, 0)]  # one cabinet needs no share


def dealt(capsys, sites, tmp_path, *said):
    """(exit code, lines) for cabinets of these (share, wait)."""
    rows = [[*row(str(at), share=str(share)), wait] for at, (share, wait) in enumerate(said)]
    listed = written(tmp_path / "s.csv", [*HEAD, WAIT], *rows)
    return run(capsys, sites, listed, tmp_path / "out")


def shares(folder):
    every = sorted(folder.glob("*/etc/cabinet/cabinet.toml"))
    found = [configuration.load(each).control for each in every]
    return [(each["share_permille"], each["meter_code_wait_s"]) for each in found]


@cases("""said  found
    [("equal", "")] * 3  [(334, 0), (333, 70), (333, 140)]
    [("own", "")] * 3  [(1000, 0), (1000, 0), (1000, 0)]
    [(500, 70), (250, 0), (250, 140)]  [(500, 70), (250, 0), (250, 140)]
    [(1000, 0)]  ALONE | [("own", "")]  ALONE | [("equal", "")]  ALONE | [("", "")]  ALONE
""")
def test_cabinets_share_the_whole_load_and_test_the_meters_in_turn(
    said, found, sites, tmp_path, capsys
):
    assert dealt(capsys, sites, tmp_path, *said)[0] == 0
    assert shares(tmp_path / "out") == found


@cases("""said
    [("", "")] * 2 | [("", 0), ("", 70)] | [(999, 0), ("", 70)] | [(500, "")] * 2
    [(500, 0), (499, 70)] | [(500, 0), (501, 70)] | [(1000, 0), (0, 70)] | [(1001, 0), (-1, 70)]
    [("-500", 0), ("1500", 70)] | [(500, -70), (500, 0)] | [(500, 70), (500, 70)]
    [(500, 0), (500, 69)] | [(500, 0), (500, "")] | [(500, 0), (500, 601)]
    [(500, 0), (500, "70.0")] | [(500, 0), (500, "7" * 5000)]
    [(500, 0), ("\u0665\u0660\u0660", 70)] | [("equal", ""), ("", "")]
    [("equal", ""), (500, "")] | [("equal", ""), ("own", "")] | [("EQUAL", ""), ("EQUAL", "")]
    [("equal", 0), ("equal", 70)] | [("equal", ""), ("equal", 5)] | [("own", 70), ("own", "")]
    [("equal", "")] * 10 | [("equal", "")] * 1001 | [(1, 0)] * 1000
""")
def test_a_list_that_does_not_share_the_load_is_refused(said, sites, tmp_path, capsys):
    """Each cabinet would answer what another one answers too."""
    code, (line,) = dealt(capsys, sites, tmp_path, *said)
    assert code == 2 and f"does not say how {len(said)} cabinets share the load; allowed" in line
    assert "s.csv" in line and not [*tmp_path.glob("out/*")]


def test_a_file_set_that_the_box_could_not_have_is_refused(sites, tmp_path, capsys):
    listed = written(tmp_path / "s.csv", HEAD, row("1"))
    cabinet = sites.with_name("cabinet.toml")
    assert "layer: is cabinet; allowed type" in run(capsys, cabinet, listed, tmp_path / "o")[1][0]
    deep = tmp_path / "deep/er/site.toml"
    deep.parent.mkdir(parents=True)
    deep.write_text(sites.read_text().replace("../types/", "../../sites/types/"))
    code, (line,) = run(capsys, deep, listed, tmp_path / "out")
    assert code == 2 and "allowed a layer in its folder or in ../types" in line
    assert "cannot be read" in run(capsys, tmp_path / "none", listed, tmp_path / "o")[1][0]
    assert "cannot be read" in run(capsys, sites, tmp_path / "none", tmp_path / "o")[1][0]


def test_profiles_beside_the_site_come_along(sites, tmp_path, capsys):
    profile = sites.with_name("mine.toml")
    shutil.copy(FOLDER.parents[1] / "drivers/profiles/firebreak_fast_meter.toml", profile)
    text = sites.read_text().replace('profile = "firebreak_fast_meter"', 'profile = "mine.toml"')
    sites.write_text(text)
    listed = written(tmp_path / "s.csv", HEAD, row("1"))
    assert run(capsys, sites, listed, tmp_path / "out")[0] == 0
    assert (tmp_path / "out/1/etc/cabinet/mine.toml").read_bytes() == profile.read_bytes()


def test_the_file_of_a_cabinet_makes_a_new_box_this_cabinet(sites, tmp_path, capsys):
    """The service's user can read the configuration; the start needs the key."""
    listed = written(tmp_path / "s.csv", HEAD, row("1"))
    run(capsys, sites, listed, tmp_path / "out")
    box = tmp_path / "box"
    (box / "etc").mkdir(parents=True)
    (box / "state").mkdir()
    words = "--etc-dir", box / "etc", "--state-dir", box / "state"
    assert lines_of(capsys, "box restore", tmp_path / "out/1/1.tar", *words)[0] == 0
    made = {name for name in content(box) if not name.startswith("state/store.")}
    assert made == {name for name in content(tmp_path / "out/1") if "/" in name}
    assert (box / "etc/cabinet/site.toml").stat().st_mode & 0o777 == 0o644
    assert configuration.load(box / "etc/cabinet/cabinet.toml").names[-1][1] == "Cabinet 1"
    assert "44d" in two_copies.Store(str(box / "state")).load().record.latches


@pytest.fixture
def two(tmp_path):
    return written(tmp_path / "s.csv", HEAD, row("A"), row("B"))


@pytest.mark.parametrize(
    ("place", "name", "error"),
    [
        (durable, "put", OSError(errno.ENOSPC, "No space left on device")),
        (durable, "put", KeyboardInterrupt()),
        (provision.os, "rename", OSError(errno.EROFS, "Read-only file system")),
        (provision.keys, "create", OSError(errno.ENOSPC, "No space left on device")),
    ],
)
@pytest.mark.parametrize("number", [0, 1, 4, 7])
def test_a_run_that_broke_off_leaves_no_half_cabinet_and_is_completed(
    number, place, name, error, sites, two, tmp_path, capsys, monkeypatch
):
    """Disk full, read-only, or a person's ^C, at this step."""
    out = tmp_path / "out"
    left, act = [number], getattr(place, name)

    def breaks(*given, **more):
        left[0] -= 1
        if left[0] == -1:
            raise error
        return act(*given, **more)

    with monkeypatch.context() as disk:
        disk.setattr(place, name, breaks)
        code, lines = run(capsys, sites, two, out)
    assert not [*out.glob(".*")]
    if left[0] >= 0:
        return  # the run has fewer such steps
    assert code in (3, 130)
    before = content(out)
    code, lines = run(capsys, sites, two, out)
    assert code == 0 and {*before} <= {*content(out)}
    assert {name: content(out)[name] for name in before} == before
    with (out / provision.TABLE).open() as file:
        table = list(csv.DictReader(file))
    digests = [hashlib.sha256((out / s / f"{s}.tar").read_bytes()).hexdigest() for s in "AB"]
    assert [each["sha256"] for each in table] == digests


@pytest.mark.parametrize("kind", ["missing", "cut", "empty", "folder", "pipe", "etc pipe"])
def test_a_folder_whose_file_is_not_whole_is_named_and_the_others_are_made(
    kind, sites, two, tmp_path, capsys
):
    """A power cut may have taken the file, and a person may have changed it."""
    out = tmp_path / "out"
    run(capsys, sites, two, out)
    shutil.rmtree(out / "B")
    tar = out / "A/A.tar"
    data = tar.read_bytes()
    tar = out / "A/etc/cabinet/site.toml" if kind == "etc pipe" else tar
    tar.unlink()
    if kind in ("cut", "empty"):
        tar.write_bytes(data[: len(data) // 2] if kind == "cut" else b"")
    elif kind == "folder":
        tar.mkdir()
    elif kind.endswith("pipe"):
        os.mkfifo(tar)
    code, lines = run(capsys, sites, two, out)
    assert (code, lines) == (1, ["differs   A  Cabinet A", "made      B  Cabinet B"])
