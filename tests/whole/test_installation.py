"""Two releases on a box: installed from signed bundles, and back again, with a changed store."""

import overlay_box
import pytest

pytestmark = [pytest.mark.whole, pytest.mark.wire, pytest.mark.timeout(900)]  # a guard
NEXT = (
    ("setup.cfg", "version = 0.", "version = 1."),
    ("controller/store/stored_record.py", "FORM = 1\n", "FORM = 2\n"),
    ("controller/store/stored_record.py", "magic != MAGIC", 'magic not in (MAGIC, KIND + b"\\1")'),
    ("controller/systemd/firebreak.service", "[Service]", "[Service]\n# of the next release"),
    ("controller/systemd/firebreak.rules", "#", "# of the next release\n#"),
    ("controller/sites/types/firebreak_645.toml", "#", "# of the next release\n#"),
)
LATCHED = """
from controller.store.two_copies import Store
from controller.store.stored_record import Record
store = Store("/var/lib/firebreak")
store.load()
store.save(Record(latches={"12a": 1, "29.rack1": 2}, locked_out="anna", rest=(1, "anna")))
"""
PROGRAM = "/opt/firebreak/current/bin/python3", "-P", "-c"
CABINET = "/etc/firebreak/cabinet/cabinet.toml"
STORE = "var/lib/firebreak/store.a", "var/lib/firebreak/store.b"
HELD = "latches {}12a, 29.rack1, locked out by anna"


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    """A box with this release, its cabinet, latches and a lock-out; then with the next release."""
    place = tmp_path_factory.mktemp("installation")
    made = overlay_box.Box(place / "box")
    key, signers = overlay_box.key(place)
    trees = [overlay_box.tree(place / "one"), overlay_box.tree(place / "two", *NEXT)]
    made.bundles = [overlay_box.bundle(tree, key, f"{tree}.tar") for tree in trees]
    made.signed = ["--signers", str(signers)]
    words = ["install", "--bundle", made.bundles[0], *made.signed]
    made.done("bash", trees[0] / "flash.sh", *words)
    made.done("cp", "-r", "/etc/firebreak/example", "/etc/firebreak/cabinet")
    made.of_service(*PROGRAM, LATCHED)
    made.first = made.files("etc", "usr/local")
    made.done("firebreak", "box", "install", "--bundle", made.bundles[1], *made.signed)
    made.second = made.files("etc", "usr/local")
    return made


def store(box):
    files = box.files("var/lib/firebreak")
    return [files[name] for name in STORE]


def carried(box):
    (line,) = [
        each for each in box.done("firebreak", "box", "migrate", code=1) if "store, " in each
    ]
    return line


def test_a_rollback_of_an_installed_release_and_back(box):
    assert "release" not in "".join(box.done("firebreak", "check", CABINET)[:1])
    names = {name for name in box.first if box.first[name] != box.second[name]}
    units = {"etc/systemd/system/firebreak.service", "etc/udev/rules.d/70-firebreak.rules"}
    types = {"etc/firebreak/types/firebreak_645.toml", "etc/firebreak/.installed"}
    page = {"usr/local/share/man/man1/firebreak.1"}  # names its version
    assert names == units | types | page and box.second.keys() == box.first.keys()
    for version, files in (("0.", box.first), ("1.", box.second)):
        box.done("firebreak", "box", "rollback")
        found = box.files("etc", "usr/local")
        ours = [name for name in found if "firebreak" in name and not name.endswith(".installed")]
        assert {name: found[name] for name in ours} == {name: files[name] for name in ours}
        assert box.done("firebreak", "--version")[0].startswith(version)
        assert HELD.format("") in carried(box)


def test_a_release_that_does_not_stay_up_goes_back_with_its_units(box):
    """The unit lets the release before count each start."""
    count = "/opt/firebreak/previous/bin/firebreak", "box", "trial", "count"
    box.done("firebreak", "box", "install", "--bundle", box.bundles[0], *box.signed, "--older")
    box.done("firebreak", "box", "install", "--bundle", box.bundles[1], *box.signed)
    (line,) = box.done("firebreak", "box", "trial", code=1)
    assert "is on trial: 0 of 30 minutes" in line
    for _ in "123":
        box.done(*count)
    assert box.done("firebreak", "--version")[0].startswith("1.")
    assert "3 starts without 60 s" in box.done(*count)[-1]
    assert box.done("firebreak", "--version")[0].startswith("0.")
    found = box.files("etc")["etc/systemd/system/firebreak.service"]
    assert found == box.first["etc/systemd/system/firebreak.service"]
    box.done("firebreak", "box", "rollback")


def test_a_bundle_that_is_older_or_cut_changes_nothing(box):
    before = box.files("etc", "usr/local", "var/lib/firebreak")
    words = ["firebreak", "box", "install", *box.signed, "--bundle"]
    (line,) = box.done(*words, box.bundles[0], code=2)
    assert "is older than what is installed" in line
    cut = box.place.parent / "cut.tar"
    cut.write_bytes(box.bundles[1].read_bytes()[:-1_000_000])
    (line,) = box.done(*words, cut, code=2)
    assert "is cut short" in line
    assert box.files("etc", "usr/local", "var/lib/firebreak") == before


def test_latches_and_lock_out_survive_a_rollback_over_a_changed_store(box):
    """The old release is never started with a store that it cannot read, whatever a person does."""
    box.of_service(*PROGRAM, LATCHED)
    before = store(box)
    assert {each[:8] for each in before} == {b"FBSTORE\2"} and HELD.format("") in carried(box)
    (line,) = box.done("firebreak", "box", "rollback", code=2)
    assert "nothing changed: release 0." in line and "a newer release has written" in line
    old = box.done("sh", "-c", "cd /opt/firebreak && readlink previous current")
    box.done("ln", "-sfn", old[0], "/opt/firebreak/current")
    box.done("install", "-d", "-o", "firebreak", "/srv/firebreak")
    run = ["firebreak", "run", CABINET, "--no-realtime", "--run-dir", "/srv/firebreak"]
    assert "a newer release has written the store" in box.of_service(*run, code=2)[-1]
    box.done("ln", "-sfn", old[1], "/opt/firebreak/current")
    assert store(box) == before

    box.done("firebreak", "box", "backup", "/srv/back.tar")
    box.done("sh", "-c", "mv /var/lib/firebreak/store.? /srv/")
    box.done("firebreak", "box", "rollback")
    assert HELD.format("") in "".join(
        box.done("firebreak", "box", "restore", "/srv/back.tar", code=1)
    )
    assert {each[:8] for each in store(box)} == {b"FBSTORE\1"}
    assert HELD.format("44d, ") in carried(box) and box.done("firebreak", "--version")[0] < "1"


def test_a_provisioned_cabinet_is_restored_onto_its_box(box):
    """The service's user reads its configuration and its keys; the start needs the key."""
    ports = "pcs io meter_grid meter_load gas".split()
    head = [
        "serial",
        "bus.can0.interface",
        "bus.can0.channel",
        *[f"bus.{name}.port" for name in ports],
    ]
    row = ["FB7", "socketcan", "can0", *[f"/dev/{name}" for name in ports]]
    listed = box.place.parent / "list.csv"
    listed.write_text(f"{','.join(head)}\n{','.join(row)}\n")
    box.done(
        "firebreak", "box", "provision", "/etc/firebreak/example/site.toml", listed, "/srv/out"
    )
    box.done("sh", "-c", "rm -r /etc/firebreak/cabinet /var/lib/firebreak/store.?")
    box.done("firebreak", "box", "restore", "/srv/out/FB7/FB7.tar")
    assert box.of_service("firebreak", "check", CABINET)
    listed = box.of_service("firebreak", "key", "list")
    assert [line.split()[0] for line in listed[1:]] == ["planner", "scheduler", "site_ems"]
    assert "latches 44d" in carried(box)
