"""Two foreign items, one of them bad: the other one is served all the same.

A loop over items that somebody else has made must not end at the first bad one: a refused address
took the letter from the good one, and a refused profile ended a search of the bus. The syntax tree
finds each place that lists a folder, so the next one must say how a bad entry ends.
"""

import ast
import asyncio
import collections
import contextlib
import json
import os
import socket

import pytest
from feed_cases import NOW_S, feed, span, written
from hinted_site import KEYS, HintedSite

from controller.core.base import hint_codes as h
from controller.doors import process, sending
from controller.doors.mqtt import commands
from controller.doors.settings import Source
from controller.hints import keys, wire as w
from controller.mqtt import link
from controller.planner import inputs, site_file
from controller.planner.feeds import reading
from controller.store import spool
from controller.workbench import probe_words, profile_files
from tests.referred import named, places
from tests.repository import ROOT

LISTS = {"listdir", "scandir", "glob", "iglob", "rglob", "iterdir", "fwalk", "getmembers"}
OWNED = {"os.walk", "Path.walk", "path.walk", "folder.walk"}  # ast.walk reads no folder
PLACES = """
audit/rules.py names | names alone; each rule is loaded by its name
console/backup.py _files | a file that cannot be read ends the backup, which must be whole
console/backup_file.py unpacked | an archive is restored whole, or not at all
console/migrate.py _foreign_files | names and owners alone
console/provision.py _profiles_beside | a refusal: nothing is made of a part
console/users.py names | names alone
doors/http/pages.py _fixed | files of the release
hints/keys.py names | names alone; keys.load names each bad one
planner/feeds/reading.py _newest | tested here
recorder/capture.py kept | names alone
recorder/capture.py unfinished | names alone; adopt drops what is no capture
recorder/fast_ring.py files | names alone; blocks_of leaves out what is damaged
run/self_test.py _opened | a zone that does not open is left out
store/spool.py _names | tested here
system/own_names.py _names | names alone; each that cannot be removed is named
system/utc.py started_from_rtc | a file of the kernel
systemd/box_tree.py put_there | files of the installer
systemd/flash_mcu.py sources | files of the release
system/release.py digest | files of the release
systemd/make_bundle.py main | the workshop's own files
systemd/make_bundle.py sources | the workshop's own files
systemd/rollback.py _change_owner | files of the installer
systemd/rollback.py _releases | a release that is not whole is left out
workbench/probe_words.py by_path | tested here
workbench/profile_files.py of_folder | left out and named
"""


def lists(node):
    if not isinstance(node, ast.Call):
        return False
    whole = ast.unparse(node.func)
    return whole.rpartition(".")[2] in LISTS or whole in OWNED


def listing(folder=ROOT / "controller"):
    return places(folder, lambda tree: lists)


def test_every_place_that_lists_a_folder_says_how_a_bad_entry_ends():
    assert listing() == named(PLACES)


@pytest.mark.parametrize(
    "text",
    [
        "def reads(path):\n    return os.listdir(path)\n",
        "async def reads(path):\n    return [each for each in path.iterdir()]\n",
        "from os import scandir\ndef reads(path):\n    return lambda: scandir(path)\n",
        "def reads(path):\n    return [*os.walk(path)]\n",
        "def reads(path):\n    return glob.iglob(path)\n",
        "class A:\n    async def reads(self, path):\n        yield from path.walk()\n",
        "def reads(archive):\n    return archive.getmembers()\n",
    ],
)
def test_a_new_place_that_lists_a_folder_is_found(text, tmp_path):
    (tmp_path / "new.py").write_text(text)
    (tmp_path / "sound.py").write_text("def reads(path):\n    return open(path)\n")
    assert listing(tmp_path) == {"new.py reads"}


def of_targets(tmp_path, bad):
    """Two receivers of alarms, one of which cannot be served."""
    served = []

    class Door:
        def __init__(self, house, name, values):
            self.name = name

        async def run(self):
            if self.name == "bad":
                raise bad
            served.append(self.name)

    async def run():
        tasks = [
            asyncio.create_task(process._kept(f"alarms.{each}", Door, None, each, {}))
            for each in ("bad", "good")
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not any(each.done() for each in tasks)
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())
    return served == ["good"]


def of_topic(tmp_path, bad):
    """Two commands on a topic of MQTT."""
    taken, answers = [], []

    class Recorded(sending.Sender):
        async def _asked(self, hint, ahead_ms):
            if not taken:
                taken.append("bad")
                raise bad
            taken.append("good")
            return {"granted": True, "code": 0}

    async def run():
        sender = Recorded("", Source("a", "", "cap", 60))
        desk = commands.CommandServer("", sender, "hint", "t", collections.Counter())
        for name in ("one", "two"):
            hint = {"id": name, "quantity": "charge_W_max", "value_W": 1, "valid_s": 9}
            desk.take(link.Message("", json.dumps(hint).encode(), False, "", None, None))
        desk.take(link.Message("", b"{", False, "", None, None))
        running = asyncio.create_task(desk.run(lambda *answer: answers.append(answer)))
        for _ in range(100):  # turns of the loop
            await asyncio.sleep(0)
        running.cancel()

    asyncio.run(run())
    return taken == ["bad", "good"] and [each[1] for each in answers][:1] == ["t/reply/a/two"]


def of_feeds(tmp_path, bad, monkeypatch):
    """Two feeds of a plan."""
    plan = site_file.load(str(ROOT / "controller/planner/example/planner.toml"))
    text = "\n".join(["unix,load_kW", *[f"{NOW_S - 900 * at:.0f},5" for at in range(200, 0, -1)]])
    good = feed(written(tmp_path / "load.csv", text + "\n"), "load")
    own, read = plan._replace(feeds=(feed(tmp_path / "bad.csv"), good)), reading.read

    def broken(each, of):
        if each is good:
            return read(each, of)
        raise bad

    monkeypatch.setattr(reading, "read", broken)
    found = inputs.Inputs(own).read(NOW_S)
    return found.past_load_W[-1] == 5000.0 and len(found.doubts) >= 1


def of_folder(tmp_path, bad):
    """Two files of one feed."""
    text = "\n".join(["unix,load_kW", *[f"{NOW_S - 900 * at:.0f},5" for at in range(9, 0, -1)]])
    written(tmp_path / "good.csv", text + "\n")
    written(tmp_path / "torn.csv", "torn")
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    points = reading.read(feed(str(tmp_path), "load"), span())
    return len(points.doubts) == 1 and "torn.csv" in points.doubts[0]


def of_hints(tmp_path, bad, monkeypatch):
    """Two datagrams in one tick."""
    site, seen = HintedSite(tmp_path), []
    admission = site.listener.admission
    receive = admission.receive

    def broken(data, sender, now_ms):
        seen.append(data)
        if len(seen) == 1:
            raise bad
        return receive(data, sender, now_ms)

    monkeypatch.setattr(admission, "receive", broken)
    source = next(iter(KEYS))
    with contextlib.closing(site), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind("")
        one.setblocking(False)
        for sequence in (1, 2):
            now_ms, kind = site.bench.now_us // 1000, h.KIND_OF[h.IMPORT_W_MAX]
            run = source, admission.nonce, sequence, now_ms
            hint = w.Hint(*run, kind, h.IMPORT_W_MAX, 0, 100_000, 60_000)
            one.sendto(w.signed(hint, KEYS[source]), str(site.run_dir / "hints.sock"))
        site.step()
        site.step()
        return len(seen) == 2 and w.reply_of(one.recv(256), KEYS[source]) is not None


def of_acts(tmp_path, bad):
    """Two acts of persons that wait for the recorder."""
    spool.put(str(tmp_path), 1, "START", "anna")
    (tmp_path / spool.FOLDER / "0.event").write_text("{")
    (tmp_path / spool.FOLDER / "1.event").mkdir()
    return [each.text for each in spool.Inbox(str(tmp_path), []).take(9)] == ["anna"]


def of_ports(tmp_path, bad):
    """Two names of serial ports, one of a plug that has been pulled."""
    port, folder = tmp_path / "ttyUSB0", tmp_path / "by-path"
    port.touch()
    folder.mkdir()
    (folder / "usb-1.1").symlink_to(tmp_path / "ttyUSB7")
    (folder / "usb-1.2").symlink_to(port)
    return probe_words.by_path(str(port), str(folder)) == str(folder / "usb-1.2")


def of_keys(tmp_path, bad):
    """Two sources, one with a damaged key; and an old key that is damaged beside the new one."""
    new = [keys.create(str(tmp_path), name) for name in ("bad", "good")][1:]
    old = keys.rotate(str(tmp_path), "good")
    (tmp_path / "keys/bad.key").write_text("torn")
    (tmp_path / f"keys/good{keys.OLD_SUFFIX}").write_text("torn")
    made_s = int((tmp_path / "keys/good.key").stat().st_mtime)
    found, lines = keys.load(str(tmp_path), ["bad", "good"], made_s, 0)
    return [each.key for each in found["good"]] == [old] != new and "bad.key" in "".join(lines)


def of_profiles(tmp_path, bad, monkeypatch):
    """Two profiles of a folder, one of which this user may not read; and entries of other kinds."""
    good = ROOT / "drivers/profiles/firebreak_fast_meter.toml"
    for name in ("good.toml", "locked.toml"):
        (tmp_path / name).write_bytes(good.read_bytes())
    (tmp_path / "bad.toml").write_text("family = 3\n")
    (tmp_path / "torn.toml").write_bytes(b"family = \xff[")
    (tmp_path / "site.toml").write_bytes(b"\xff[")
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    with (tmp_path / "huge.toml").open("wb") as file:
        file.truncate(1 << 40)
    opened = os.open

    def refused(path, *given, **more):
        if str(path).endswith("locked.toml"):
            raise PermissionError(13, "Permission denied", path)
        return opened(path, *given, **more)

    monkeypatch.setattr(os, "open", refused)
    found, left_out = profile_files.usable(profile_files.of_folder(str(tmp_path)))
    words = " ".join(left_out)
    named = [name for name in ("bad", "locked", "torn") if f"{name}.toml" in words]
    return [*found] == [str(tmp_path / "good.toml")] and len(named) == len(left_out) == 3


LOOPS = (
    of_keys,
    of_profiles,
    of_targets,
    of_topic,
    of_feeds,
    of_folder,
    of_hints,
    of_acts,
    of_ports,
)
BAD = OSError(5, "broken"), RuntimeError("odd"), RecursionError(), ValueError("odd"), KeyError("a")


@pytest.mark.parametrize("bad", BAD, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("loop", LOOPS, ids=lambda each: each.__name__)
def test_a_bad_item_ends_only_itself(loop, bad, tmp_path, monkeypatch):
    more = (monkeypatch,) if loop in (of_feeds, of_hints, of_profiles) else ()
    assert loop(tmp_path, bad, *more)
