"""The installer without a box. `flash.sh vm-test` runs the installation on a real system."""

import configparser
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from shlex import quote

import parts
import pytest
from slow import slow

from controller.console import doors, planner
from controller.documents import locked
from controller.doors import settings as door_file
from controller.doors.local import form
from controller.journal import journal_header
from controller.planner import site_file
from controller.run import loop
from controller.sites import EXAMPLE
from controller.state import plan_file
from controller.system import paths, realtime
from tests.repository import ROOT
from tests.tables import cases
from tests.transcript import each_part, printed

FOLDER = ROOT / "controller" / "systemd"
DOORS = ROOT / "controller" / "doors" / "example" / "doors.toml"
SCRIPT = FOLDER / "install.sh"
BENCH = Path(__file__).with_name("install_bench.sh")
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
EXPOSURE_MAX = {
    "firebreak.service": 21,  # 0.2 of it: adjtimex, which it calls each second
    "firebreak-can@.service": 20,
    "firebreak-record.service": 10,
    "firebreak-upstream.service": 15,  # tenths, as systemd-analyze takes a threshold
    "firebreak-console@.service": 15,
    "firebreak-planner.service": 15,
    "firebreak-doors@.service": 15,
    "firebreak-trial.service": 20,  # it installs files of root and asks as another user
}
INSTALLS = {"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"}


def bash(script, tree, **more):
    """The end of lines of bash behind install_bench.sh. A file: /proc shows what is in `-c`."""
    tree.mkdir(exist_ok=True)
    path = tree.with_name(f"{tree.name}-script")
    path.write_text(f"source {quote(str(BENCH))}\n{script}\n")
    own = {"ROOT": str(ROOT), "PYTHON": sys.executable, **more}
    line, every = ["bash", str(path)], {**os.environ, **own}
    return subprocess.run(
        line, cwd=tree, env=every, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


@each_part(__file__, "install.txt")
def test_install(part, tmp_path, installed):
    tree = tmp_path / "box"

    def do(line):
        done = bash(line.removeprefix("$ "), tree, INSTALLED=installed)
        names = {"TREE": tree, "ROOT": ROOT}
        return printed(done.returncode, done.stdout, done.stderr, names)

    part.play(do)


def make_script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_a_set_up_reports_that_another_one_runs(tmp_path):
    copy = small_clone(tmp_path / "clone")
    shutil.copy(ROOT / "flash.sh", copy)
    make_script(tmp_path / "flock", f'echo "$*" >>{tmp_path}/asked\nexit 1')
    line, path = [copy / "flash.sh", "check", "file"], f"{tmp_path}:{os.environ['PATH']}"
    every = {**os.environ, "PATH": path}
    done = subprocess.run(line, capture_output=True, text=True, env=every)
    asked, err = (tmp_path / "asked").read_text(), done.stderr.splitlines()
    assert done.returncode == 3 and asked == "--nonblock 9\n--timeout 900 9\n"
    assert len(err) == 2 and all("another one" in line and f"{copy}/.venv" in line for line in err)


UNITS = "etc/systemd/system"
CAN_DROP_INS = f"{UNITS}/firebreak-can@.service.d"


def test_an_upgrade_of_the_system_restarts_no_service():
    """needrestart matches service names with these expressions. 0: never restarted by itself."""
    text = (FOLDER / "firebreak.needrestart.conf").read_text()
    (rule,) = re.findall(r"^\$nrconf\{override_rc\}\{qr\((.*)\)\} = 0;$", text, re.MULTILINE)
    assert all(re.search(rule, name) for name in SERVICES) and not re.search(rule, "ssh.service")


ALL_AT_ONCE = '-n a[b $HOME 100%d a#b&c\nit\'s "so" [1]'
AWKWARD = ("a b", "a[b", "clone[1]", "$HOME", "100%d", "a#b&c", "two\nlines", 'it\'s "so"', "-n")


def small_clone(copy):
    for name in ("safety", "controller", "drivers"):
        (copy / name).mkdir(parents=True)
        (copy / name / "a.py").write_text("1")
    (copy / "hil").mkdir()
    for name in ("setup.cfg", "pyproject.toml", "requirements.lock", "hil/pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def named(copy, tree, python="echo 3.11"):
    return ended(f"tree={quote(str(copy))}; target_python() {{ {python}; }}; release_name", tree)


def ended(script, tree):
    done = bash(script, tree)
    return done.returncode, (done.stdout + done.stderr).splitlines()


@pytest.mark.parametrize("folder", [ALL_AT_ONCE, *slow(*AWKWARD)])
def test_the_name_of_a_release_follows_its_sources(folder, tmp_path):
    copy = small_clone(tmp_path / folder)
    first = named(copy, tmp_path)
    assert first[0] == 0 and re.fullmatch(r"\d+\.\d+\.\d+-[0-9a-f]{12}", first[1][0])
    elsewhere = small_clone(tmp_path / "elsewhere")
    assert first == named(elsewhere, tmp_path), "the place of the sources does not matter"
    assert first != named(copy, tmp_path, "echo 3.12")
    (copy / "safety" / "a.pyc").write_text("compiled")
    (copy / "hil" / "a.py").write_text("the rig is not installed")
    assert named(copy, tmp_path) == first
    (copy / "safety" / "a.py").write_text("2")
    assert named(copy, tmp_path) != first


def test_unreadable_sources_have_no_name(tmp_path):
    copy = small_clone(tmp_path / "clone")
    assert named(copy, tmp_path, "false")[0] == 3
    (copy / "requirements.lock").unlink()
    code, lines = named(copy, tmp_path)
    assert code == 3 and lines[-1] == f"flash.sh: {copy}: cannot be read as a whole"


@pytest.mark.parametrize("folder", [ALL_AT_ONCE, *slow(*AWKWARD)])
def test_a_clone_sets_itself_up_in_any_folder(folder, tmp_path):
    """pip reads "[1]" at the end of a path as an extra."""
    copy = small_clone(tmp_path / folder)
    shutil.copy(ROOT / "flash.sh", copy)
    python = copy / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s|" "$PWD" "$@" >>"$(dirname "$0")/asked"\n')
    python.chmod(0o755)
    digest = hashlib.sha256((copy / "requirements.lock").read_bytes()).hexdigest()
    (copy / ".venv/packages.stamp").write_text(f"{copy} {digest}\n")
    line = ["bash", str(copy / "flash.sh"), "check", "a file"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    noted = (python.parent / "asked").read_text()
    assert f"{copy}|-m|pip|" in noted and "--editable|.|" in noted
    assert noted.endswith(f"{tmp_path}|-m|hil|keys|covers|a file|")
    assert f"{tmp_path}|-m|controller|check|a file|" in noted


@pytest.mark.parametrize("folder", [ALL_AT_ONCE, *slow(*AWKWARD)])
def test_a_tree_may_be_in_any_folder(folder, tmp_path):
    """Installed twice without root and network: the second changes nothing. Then uninstalled."""
    tree = tmp_path / folder
    tree.mkdir()
    stubs = (
        "id() { echo 0; }; check_target() { :; }; target_python() { echo 3.11; }; "
        'has_command() { true; }; make_release() { mkdir -p "$root/$opt/releases/$1"; '
        'touch "$root/$opt/releases/$1/complete"; }; as_service() { echo key; }; '
    )

    def done(*words):
        line = f"{stubs} main {words[0]} --root {quote(str(tree))} {words[1]}"
        code, lines = ended(line, tmp_path)
        assert code == 0, lines
        return {line.split()[0] for line in lines}, left(tree)

    firsts, before = done("install", "")
    assert "switched" in firsts and len(before) > 15
    firsts, after = done("install", "")
    assert not firsts & {"installed", "switched", "warning"} and after == before
    assert done("uninstall", "--purge")[1] == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A box on which all is installed."""
    tree = tmp_path_factory.mktemp("installed") / "tree"
    steps = "switch_to one; install_configuration; install_services; install_completion"
    enabled = f"{UNITS}/multi-user.target.wants"  # a rollback took the unit away
    done = bash(
        f"""all; as_service() {{ echo key; }}; add one; {steps}; install_user
        mkdir -p var/lib/firebreak "{CAN_DROP_INS}" {enabled}
        touch var/lib/firebreak/store.a "{CAN_DROP_INS}/my own.conf"
        ln -s ../firebreak-newer.service {enabled}; rm asked""",
        tree,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return str(tree)


def left(tree):
    return sorted(
        str(path.relative_to(tree))
        for path in tree.rglob("*")
        if (path.is_symlink() or path.is_file()) and path.name != "asked"
    )


def unit(name):
    found = {}
    for line in (FOLDER / name).read_text().replace("\\\n    ", "").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@cases("""name  key  value
    "firebreak.service"  "LimitMEMLOCK"  "infinity"
    "firebreak.service"  "RestartPreventExitStatus"  paths.WRONG_INPUT
    "firebreak.service"  "Restart"  "always" | "firebreak.service"  "Type"  "notify"
    "firebreak.service"  "StartLimitIntervalSec"  0
    "firebreak.service"  "RuntimeDirectory"  paths.RUN_DIRECTORY.removeprefix("/run/")
    "firebreak.service"  "StateDirectory"  paths.STATE_DIRECTORY.removeprefix("/var/lib/")
    "run-firebreak.mount"  "Where"  paths.RUN_DIRECTORY
    "firebreak-upstream.service"  "Group"  paths.SENDERS
    "firebreak-upstream.service"  "PrivateDevices"  "yes"
    "firebreak-console@.service"  "DeviceAllow"  "/dev/%I rw"
    "firebreak.service"  "RuntimeDirectoryMode"  "0751"
""")
def test_a_unit_says_what_the_program_takes(name, key, value):
    assert unit(name)[key] == [str(value)]


def test_the_unit_of_the_controller_grants_the_limits_that_the_program_takes():
    found = unit("firebreak.service")
    assert found["LimitRTPRIO"] == [str(realtime.FIFO_PRIORITY)]
    assert int(found["TimeoutStopSec"][0]) * 1_000_000 > loop.OPEN_US_MAX > loop.STOP_US_MAX
    assert "CPUQuota" not in found and "RestrictRealtime" not in found  # both would stop the loop


def test_the_units_use_the_paths_of_the_program():
    run, state = paths.RUN_DIRECTORY, paths.STATE_DIRECTORY
    recorder = unit("firebreak-record.service")["ExecStart"][0]
    assert recorder.endswith(f"record run --run-dir {run} --state-dir {state}")
    gateway = unit("firebreak-upstream.service")
    assert gateway["ExecStart"][0].endswith(f"doors local --run-dir {run} --listen {form.LISTEN}")
    assert form.LISTEN.startswith(f"/run/{gateway['RuntimeDirectory'][0]}/")
    own = unit("firebreak-planner.service")
    assert own["ExecStart"][0].endswith(
        f"planner {planner.SITE} --run-dir {run} --state-dir {planner.STATE_DIRECTORY} "
        f"--plan-dir {plan_file.RUN_DIRECTORY}"
    )
    assert f"/run/{own['RuntimeDirectory'][0]}" == plan_file.RUN_DIRECTORY
    assert f"/var/lib/{own['StateDirectory'][0]}" == planner.STATE_DIRECTORY


def test_the_doors_reach_no_address_and_no_key_until_a_person_allows_it():
    own = unit("firebreak-doors@.service")
    assert own["IPAddressDeny"] == ["any"] and "IPAddressAllow" not in own
    assert own["InaccessiblePaths"] == [f"-{paths.STATE_DIRECTORY}/keys"]
    assert own["ExecStart"][0].endswith(
        f"doors %I {door_file.FILE} --run-dir {paths.RUN_DIRECTORY} "
        f"--state-dir {paths.STATE_DIRECTORY} --own-dir {doors.OWN_DIRECTORY}"
    )
    assert f"/var/lib/{own['StateDirectory'][0]}" == doors.OWN_DIRECTORY
    assert door_file.load(str(DOORS)).doors == door_file.load(str(DOORS)).sources == {}


def test_the_planner_reaches_no_address_and_no_state_until_a_person_allows_it():
    own = unit("firebreak-planner.service")
    assert own["IPAddressDeny"] == ["any"] and "IPAddressAllow" not in own
    assert own["InaccessiblePaths"] == [f"-{paths.STATE_DIRECTORY}"]
    assert "ReadWritePaths" not in own and own["UMask"] == ["0022"]


def test_an_installation_makes_the_planners_file_and_key(installed, tmp_path):
    folder = Path(installed, "etc/firebreak/planner")
    text = (folder / "planner.toml").read_text()
    assert stat.S_IMODE((folder / "planner.key").stat().st_mode) == 0o600
    assert (folder / "prices").is_dir() and not (folder / "prices.csv").exists()
    cabinet = quote(str(EXAMPLE)).strip("'")
    (tmp_path / "planner.toml").write_text(text.replace("../cabinet/cabinet.toml", cabinet))
    site = site_file.load(str(tmp_path / "planner.toml")).site
    assert (site.full_J / 3600, site.store.charge_W, site.import_W) == (645e3, 250e3, 500e3)


def test_the_doors_have_their_own_libraries_and_a_release_of_their_own(tmp_path):
    lock, setup = ((ROOT / name).read_text() for name in ("requirements.lock", "setup.cfg"))
    box = locked.needed(locked.blocks(lock), locked.run_roots(setup))
    more = locked.needed(locked.blocks(lock), locked.run_roots(setup, ["doors"]))
    assert {*more} - {*box} == {"h11", "paho-mqtt"}
    one, two = (ended(f"doors={word}; release_name", tmp_path)[1][0] for word in ("no", "yes"))
    assert two == one.replace("0.4.0", "0.4.0-doors")


def test_the_gateway_has_no_device_and_does_not_write_in_the_run_directory():
    """A gateway once wrote a coil frame on a bus in use, and a link over a copy of the store."""
    gateway = unit("firebreak-upstream.service")
    assert not {"DeviceAllow", "ReadWritePaths"} & set(gateway) and "dialout" not in str(gateway)
    assert "mode=0751" in unit("run-firebreak.mount")["Options"][0]


def test_the_groups_are_those_of_the_program():
    made = (FOLDER / "firebreak.sysusers.conf").read_text()
    groups = {paths.SERVICE, paths.SENDERS, paths.OPERATORS}
    assert set(re.findall(r"^g (\S+)", made, re.MULTILINE)) == groups
    own = set(unit("firebreak.service")["SupplementaryGroups"][0].split())
    assert own >= groups - {paths.SERVICE}


def test_two_journals_fit_the_run_directory():
    """A start makes a new ring beside the old one. /run of a box with 1 GB was too small."""
    megabytes = int(re.search(r"size=(\d+)M", unit("run-firebreak.mount")["Options"][0])[1])
    assert megabytes << 20 > 2 * journal_header.JOURNAL_BYTES + (16 << 20)
    assert int(unit("firebreak.service")["MemoryMax"][0].removesuffix("M")) > 2 * megabytes


@pytest.mark.parametrize("name", SERVICES)
def test_companions_cannot_take_time_from_the_loop(name):
    found, own = unit(name), unit("firebreak.service")
    if name == "firebreak-trial.service":
        assert {*found["CapabilityBoundingSet"][0].split()} == INSTALLS
    else:
        assert found["CapabilityBoundingSet"] in ([""], ["CAP_NET_ADMIN"])
    assert found["NoNewPrivileges"] == ["yes"]
    if name not in ("firebreak.service", "firebreak-can@.service"):
        assert found["RestrictRealtime"] == ["yes"] and "CPUQuota" in found and "MemoryMax" in found
        assert int(found["OOMScoreAdjust"][0]) > 0 > int(own["OOMScoreAdjust"][0])


def analysed(unit, *options):
    """The result of `systemd-analyze security`, of version 250 or newer."""
    analyse = parts.program("systemd")
    line = [analyse, "security", "--offline=true", "--no-pager", *options, str(FOLDER / unit)]
    return subprocess.run(line, capture_output=True, text=True)


@pytest.mark.parametrize("name", SERVICES)
def test_exposure(name):
    done = analysed(name, f"--threshold={EXPOSURE_MAX[name]}")
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_the_recorder_may_read_the_quality_of_the_clock():
    """systemd applies lines in order: `~@privileged` includes @clock and removes it."""
    filters = unit("firebreak-record.service")["SystemCallFilter"]
    clocks = ["adjtimex", "clock_adjtime", "clock_adjtime64"]
    assert filters[0] == "@system-service" and filters[-1].split() == clocks
    done = analysed("firebreak-record.service")
    assert re.search(r"~@clock .*adjtimex is allowed", done.stdout)


def test_shell_scripts_are_clean():
    found = [path for room in ("controller", "hil") for path in (ROOT / room).rglob("*.sh")]
    scripts = [ROOT / "flash.sh", *found]
    line = [parts.program("shellcheck"), *map(str, scripts)]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_unit_files_can_be_read():
    sections = {"Unit", "Service", "Mount", "Install"}
    for path in [*FOLDER.glob("*.service"), *FOLDER.glob("*.mount")]:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str
        parser.read(path)
        assert parser.sections()[0] == "Unit" and set(parser.sections()) <= sections
