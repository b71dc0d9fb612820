"""The installed program under the restrictions of its systemd units.

There is no systemd here: unit_launch.py does what it does with users, mounts, network and system
calls. `./flash.sh vm-test` runs the units themselves.
"""

import json
import os
import shutil
import socket
from pathlib import Path

import parts
import pytest
import unit_box
import wheels
from whole_box import first, of_cabinets

from controller.doors.settings import KINDS
from controller.journal.ring import JournalReader
from controller.recorder import quarters, reading
from controller.run import link_statistics
from controller.sites import EXAMPLE, PV_GENSET
from controller.state import plan_file
from controller.system import clock, release

pytestmark = [pytest.mark.wire, pytest.mark.timeout(600)]  # a guard: a wheel, then processes
# The loop asks for both; a machine may not let its root grant them.
NOT_GRANTED = ("memory is not locked", "no real-time priority")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
QUARTER_S = quarters.QUARTER_S
KIB_MAX = 30_000  # of the planner: 20 MiB above bare Python


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return wheels.built(tmp_path_factory.mktemp("wheel"), release.DISTRIBUTION)[
        release.DISTRIBUTION
    ]


@pytest.fixture
def box(wheel, tmp_path):
    parts.needs("root", "iproute2", "systemd")
    made = []

    def make(cabinet, *extras):
        made.append(unit_box.Box(tmp_path / "root", wheel, cabinet, extras))
        return made[0]

    yield make
    for each in made:
        each.close()


def running(box, cabinet):
    """(box, its controller that ticks under its unit and the drop-in)."""
    made = box(cabinet)
    drop_in = made.drop_in()
    made.host(unit_box.settings(drop_in).get("IPAddressAllow", []))
    service = made.start("firebreak.service", drop_in)
    service.until_notified(b"READY=1")
    service.until_notified(b"WATCHDOG=1", 5)
    return made, service


def lines(service):
    return [each for each in service.said() if not any(word in each for word in NOT_GRANTED)]


@of_cabinets("cabinet", first(PV_GENSET))
def test_the_controller_runs_under_its_unit(cabinet, box):
    """It ticks, reaches its devices on the network, writes its journal; no call is refused."""
    made, service = running(box, cabinet)
    folder = made.root / "run/firebreak"
    networks = [bus.name for bus in made.config.buses if bus.kind == "tcp"]
    asked = [(each.bus, each.address) for each in made.config.devices if each.bus in networks]

    def heard():
        units = (link_statistics.read(str(folder / "links.stats")) or {"units": {}})["units"]
        return all(unit in units and units[unit]["ok"] for unit in asked)

    service.until(heard)
    assert JournalReader(str(folder / "journal")).newest() >= 4  # five ticks
    assert service.stop() == 0
    assert not service.refused
    store, approval, sign = "no store here yet", "is not approved", "waits for the sign test of"
    expected = [word for word in (store, "bus can0: CAN can0", approval, sign)]
    found = lines(service)
    if len(found) == 3:  # this kernel has CAN
        expected.pop(1)
    assert all(word in line for word, line in zip(expected, found, strict=True)), found


def test_an_address_family_that_is_missing_is_one_line_and_no_end(box):
    """The unit without its drop-in allows no IP: the devices there are silent."""
    made = box(PV_GENSET)
    made.host([])
    service = made.start("firebreak.service")
    service.until_notified(b"WATCHDOG=1", 5)
    assert service.stop() == 0
    (line,) = [each for each in service.said() if "bus lan" in each]
    assert line.startswith("firebreak: bus lan: Modbus TCP 192.168.1.20:502: this process may not")
    assert "./flash.sh install" in line
    assert {(call, family) for call, family, *_ in service.refused} == {("socket", 2)}


@pytest.mark.whole
def test_the_companions_run_under_their_units(box):
    """Each does its work beside the controller, and no call is refused."""
    made, controller = running(box, EXAMPLE)
    record = made.start("firebreak-record.service")
    record.until((made.root / "run/firebreak/record.head").exists)
    gateway = made.start("firebreak-upstream.service")
    path = made.root / "run/firebreak-upstream/upstream.sock"
    gateway.until(path.exists)
    assert asked(path, {"hello": made.config.sources[0].name})["sequence"] == 0
    assert "answer" in asked(path, {"ask": {"power_W": 1000, "for_s": 60}})
    master = made.add_line("/dev/ttyS9")
    console = made.start("firebreak-console@.service", instance="ttyS9")
    console.until(lambda: b"Cabinet 1" in unit_box.received(master))
    can = made.start("firebreak-can@.service", instance="can9")
    assert can.process.wait(unit_box.GUARD_S) in (0, 2), can.said()
    services = record, gateway, console, can
    assert [each.stop() for each in services[:3]] == [0, 0, 0]
    assert controller.stop() == 0
    # the unit has given the recorder its priority
    assert {call for call, *_ in record.refused} <= {"setpriority"}
    assert [each.refused for each in services[1:]] == [[], [], []]
    with reading.opened(str(made.root / "var/lib/firebreak/record.db")) as connection:
        (anchor,) = connection.execute("SELECT value FROM meta WHERE key = 'anchor'").fetchone()
    assert json.loads(anchor)["boot"] == BOOT_ID.read_text().strip()


def planner_files(made):
    """What an installation makes for the planner, and two days of quarters of an hour."""
    install, tree, work = unit_box.UNITS / "install.sh", made.root, made.root.parent / "work"
    work.mkdir()
    key = made.root / "key"
    stub = (
        f"source {install}; root={tree}; work={work}; has_command() {{ true; }}; "
        f"as_service() {{ cat {key}; }}; on_target() {{ :; }}; install_planner"
    )
    key.write_text("11" * 32 + "\n")
    (made.root / "var/lib/firebreak/keys").mkdir(mode=0o700)
    stored = made.root / "var/lib/firebreak/keys/planner.key"
    shutil.copy(key, stored)
    stored.chmod(0o600)
    for path in (stored, stored.parent):
        os.chown(path, unit_box.UIDS["firebreak"], unit_box.GIDS["firebreak"])
    assert unit_box.run("bash", "-c", stub).returncode == 0
    folder, user = tree / "etc/firebreak/planner", "firebreak-planner"
    os.chown(folder / "planner.key", unit_box.UIDS[user], unit_box.GIDS[user])
    now = int(clock.utc_us()) // (QUARTER_S * 1_000_000)
    rows = [f"{at * QUARTER_S},300000,0,300000,0,600" for at in range(now - 192, now)]
    prices = [f"{at * QUARTER_S},{80 + at % 96}" for at in range(now - 192, now + 96)]
    for path, lines in (
        (tree / "run/firebreak" / quarters.FILE, [quarters.HEADER, *rows]),
        (folder / "prices" / "today.csv", ["unix,EUR/MWh", *prices]),
    ):
        path.write_text("\n".join([*lines, ""]))
        os.chown(path, unit_box.UIDS["firebreak"], unit_box.GIDS["firebreak"])
        path.chmod(0o640 if path.name == quarters.FILE else 0o644)


@pytest.mark.whole
def test_the_planner_runs_under_its_unit(box):
    """The installed planner.toml is enough; the service cannot read state or keys."""
    made = box(EXAMPLE)
    planner_files(made)
    made.host([])
    controller = made.start("firebreak.service")
    controller.until_notified(b"WATCHDOG=1", 5)
    service = made.start("firebreak-planner.service")
    path = made.root / "run/firebreak-planner" / plan_file.FILE
    service.until(path.exists)
    service.until(lambda: plan_file.read(str(path))["slots"])
    found = plan_file.read(str(path))
    assert found["full_Wh"] == made.config.control["energy_Wh"]
    assert found["sent"] or "clock" in found["waits"][0], found["waits"]
    assert path.stat().st_mode & 0o777 == 0o644
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    assert "/opt/firebreak" in Path(f"/proc/{service.process.pid}/cmdline").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < KIB_MAX
    assert (service.stop(), controller.stop()) == (0, 0)
    assert service.refused == []


DOORS = """
[mqtt.plant]
host = "127.0.0.1"
cabinet = "c1"
tls = false
[modbus.scada]
[http.page]
[local.box]
listen = "/var/lib/firebreak-doors/local.sock"
[alarms.night]
url = "http://127.0.0.1:9/in"
"""
STATE_URL = "http://127.0.0.1:8080/api/v1/state"


@pytest.mark.whole
@pytest.mark.parametrize("kind", KINDS)
def test_a_door_runs_under_its_unit(kind, box):
    """It begins, no call is refused; the page's door answers with the state of the controller."""
    made = box(EXAMPLE, "doors")
    folder, user = made.root / "etc/firebreak/doors", "firebreak-doors"
    folder.mkdir()
    (folder / "doors.toml").write_text(DOORS)
    made.folder("var/lib/firebreak-doors", 0o750, user, user)
    made.folder("var/lib/firebreak/keys", 0o700)
    made.host([])
    controller = made.start("firebreak.service")
    controller.until_notified(b"WATCHDOG=1", 5)
    service = made.start("firebreak-doors@.service", instance=kind)
    service.until_notified(b"READY=1")
    if kind == "http":
        command = ["nsenter", f"--net=/proc/{made.network.pid}/ns/net", "curl", "-s", STATE_URL]
        answers = []

        def answered():
            answers.append(unit_box.run(*command).stdout)
            return answers[-1].startswith('{"') and json.loads(answers[-1]).get("is_live")

        service.until(answered)
        assert json.loads(answers[-1])["cabinet"] == "Cabinet 1, serial 0001"
    said = {"mqtt": ["onnection refused"], "local": ["listening on"]}
    expected = said.get(kind, [])
    service.until(lambda: len(lines(service)) == len(expected))
    assert (service.stop(), controller.stop()) == (0, 0)
    assert service.refused == []
    assert all(word in line for word, line in zip(expected, lines(service), strict=True))


def asked(path, message):
    """The gateway's answer to one message."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(unit_box.GUARD_S)
        folder = os.open(path.parent, os.O_PATH)
        client.connect(f"/proc/self/fd/{folder}/{path.name}")
        os.close(folder)
        client.sendall(json.dumps(message).encode() + b"\n")
        return json.loads(client.recv(65_536))
