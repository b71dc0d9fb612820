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

from controller.console import doors, planner, upstream
from controller.documents import locked
from controller.doors import settings as door_file
from controller.journal import journal_header
from controller.planner import site_file
from controller.run import loop
from controller.sites import EXAMPLE
from controller.state import plan_file
from controller.system import paths, realtime
from tests.repository import ROOT
from tests.tables import cases

FOLDER = ROOT / "controller" / "systemd"
DOORS = ROOT / "controller" / "doors" / "example" / "doors.toml"
SCRIPT = FOLDER / "install.sh"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
EXPOSURE_MAX = {
    "firebreak.service": 21,  # 0.2 of it: adjtimex, which it calls each second
    "firebreak-can@.service": 20,
    "firebreak-record.service": 10,
    "firebreak-upstream.service": 15,  # tenths, as systemd-analyze takes a threshold
    "firebreak-console@.service": 15,
    "firebreak-planner.service": 15,
    "firebreak-doors@.service": 15,
}
USERS = ["firebreak-upstream", "firebreak-planner", "firebreak-doors", "firebreak"]


def bash(command, tree, **environment):
    """(exit code, lines) of functions of the script in a tree. The stub of on_target logs."""
    work = tree.with_name(f"{tree.name}-work")
    work.mkdir(exist_ok=True)
    stub = (
        f"source {quote(str(SCRIPT))}; root={quote(str(tree))}; work={quote(str(work))}; "
        f'on_target() {{ echo "$*" >>"$root/asked"; }}; {command}'
    )
    line, every = ["bash", "-c", stub], {**os.environ, **environment}
    done = subprocess.run(line, capture_output=True, text=True, env=every)
    assert not done.stderr or done.returncode, done.stderr
    return done.returncode, (done.stdout + done.stderr).splitlines()


def asked(tree):
    path = tree / "asked"
    return path.read_text().splitlines() if path.exists() else []


def flash(*arguments, path=None, program=ROOT / "flash.sh"):
    """(exit code, lines on stdout, lines on stderr) of flash.sh."""
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}"} if path else None
    line, none = [str(program), *map(str, arguments)], subprocess.DEVNULL
    done = subprocess.run(line, capture_output=True, text=True, env=environment, stdin=none)
    return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()


@cases("""arguments  words
    ("install", "--root")  "--root needs a directory"
    ("install", "--wheels")  "--wheels needs a directory"
    ("install", "--root", "/nowhere/at/all")  "/nowhere/at/all: there is no such directory"
    ("install", "--purge")  "--purge belongs to uninstall"
    ("install", "now")  "allowed: --root DIR, --wheels DIR"
    ("uninstall", "--wheels", "/usr")  "--wheels belongs to install"
    ("uninstall", "now")  "allowed: --root DIR, --purge"
""")
def test_a_wrong_command_line_is_refused_in_one_line(arguments, words):
    code, out, err = flash(*arguments)
    assert (code, out, len(err)) == (2, [], 1) and words in err[0], err


def test_a_mistyped_command_names_the_nearest():
    for word, near in (("intsall", ", did you mean 'install'"), ("qqq", "")):
        code, out, (line,) = flash(word)
        assert (code, out) == (2, []) and f"there is no '{word}' here{near}; there are: rig" in line
        assert line.endswith(", vm-test, advisories")


def make_script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_without_root_the_error_has_the_right_command(command, tmp_path):
    make_script(tmp_path / "id", "echo 1000")
    wanted = f"flash.sh: {command} needs root: sudo ./flash.sh {command}"
    assert flash(command, path=tmp_path) == (3, [], [wanted])


def test_a_tree_without_systemd_or_python_is_refused(tmp_path):
    code, lines = bash("check_target", tmp_path)
    assert code == 3 and len(lines) == 1 and "has no systemd" in lines[0]
    for name in ("lib/systemd/systemd", "usr/bin/systemd-sysusers", "sbin/ip", "usr/bin/flock"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    code, lines = bash("on_target() { return 1; }; check_target", tmp_path)
    assert code == 3 and len(lines) == 1 and "apt-get install python3 python3-venv" in lines[0]


def test_a_set_up_reports_that_another_one_runs(tmp_path):
    copy = small_clone(tmp_path / "clone")
    shutil.copy(ROOT / "flash.sh", copy)
    make_script(tmp_path / "flock", f'echo "$*" >>{tmp_path}/asked\nexit 1')
    code, _, err = flash("check", "file", path=tmp_path, program=copy / "flash.sh")
    assert code == 3 and asked(tmp_path) == ["--nonblock 9", "--timeout 900 9"]
    assert len(err) == 2 and all("another one" in line and f"{copy}/.venv" in line for line in err)


def test_the_stamp_of_a_bundle_is_in_its_release_before_current_leads_there(tmp_path):
    """A power cut at the switch must not leave a release that an older bundle may replace."""
    source, box = tmp_path / "source", tmp_path / "box"
    (box / "opt/firebreak/releases/new").mkdir(parents=True)
    source.mkdir()
    (source / "release.json").write_text("stamp")
    others = "check_target lock record_previous make_release install_user"
    command = f"tree={quote(str(source))}; release_name() {{ echo new; }}; "
    command += "".join([f"{name}() {{ :; }}; " for name in others.split()])
    command += 'switch_to() { cat "$root/$opt/releases/$1/release.json"; exit; }; do_install'
    assert bash(command, box) == (0, ["stamp"])
    assert os.listdir(box / "opt/firebreak/releases/new") == ["release.json"]


TYPE = "etc/firebreak/types/firebreak_645.toml"


def release(tree, text):
    folder = tree / "release/controller/sites"
    for name in ("types", "example"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "types/firebreak_645.toml").write_text(text)
    (folder / "example/site.toml").write_text("site")
    return f"tree={quote(str(tree / 'release'))}; install_configuration"


INSTALLED = (0, [f"installed   /{TYPE}"])


def test_a_file_that_is_unchanged_follows_the_release(tmp_path):
    """A cabinet needs the corrected type file of a new release, or that of an older one."""
    example = ["installed   /etc/firebreak/example/site.toml"]
    for text, more in (("1", example), ("2", []), ("3", []), ("2", [])):
        assert bash(release(tmp_path, text), tmp_path) == (0, INSTALLED[1] + more)
        assert (tmp_path / TYPE).read_text() == text and not Path(f"{tmp_path / TYPE}.new").exists()
    assert bash(release(tmp_path, "2"), tmp_path) == (0, [])


def test_a_changed_file_stays_until_the_owner_takes_the_new_one(tmp_path):
    bash(release(tmp_path, "1"), tmp_path)
    mine, new = tmp_path / TYPE, Path(f"{tmp_path / TYPE}.new")
    mine.write_text("mine")
    kept = (0, [f"kept        /{TYPE}; this release's is /{TYPE}.new"])
    for text in ("1", "2", "3", "3"):
        assert bash(release(tmp_path, text), tmp_path) == kept
        assert (mine.read_text(), new.read_text()) == ("mine", text)
    shutil.copy(new, mine)
    assert bash(release(tmp_path, "3"), tmp_path) == (0, []) and not new.exists()
    assert bash(release(tmp_path, "4"), tmp_path) == INSTALLED


def test_a_file_without_a_digest_or_a_link_is_kept(tmp_path):
    """A file without a digest belongs to the owner."""
    bash(release(tmp_path, "1"), tmp_path)
    (tmp_path / "etc/firebreak/.installed").unlink()
    assert bash(release(tmp_path, "2"), tmp_path)[1][0].startswith("kept")
    bash(release(tmp_path, "1"), tmp_path)
    (tmp_path / TYPE).rename(tmp_path / "elsewhere")
    (tmp_path / TYPE).symlink_to(tmp_path / "elsewhere")
    assert bash(release(tmp_path, "2"), tmp_path)[1][0].startswith("kept")
    assert (tmp_path / "elsewhere").read_text() == "1"


def test_an_interrupted_installation_leaves_the_old_file_and_the_next_one_completes_it(tmp_path):
    bash(release(tmp_path, "1"), tmp_path)
    for command in ("install", "sync", "mv"):
        code, _ = bash(f"{command}() {{ exit 9; }}; {release(tmp_path, '2')}", tmp_path)
        assert code == 9 and (tmp_path / TYPE).read_text() == "1", command
    assert bash(release(tmp_path, "2"), tmp_path) == INSTALLED
    names = (".installed", "example/site.toml", "types/firebreak_645.toml")
    assert left(tmp_path / "etc") == [f"firebreak/{name}" for name in names]
    bash(f"remember() {{ exit 9; }}; {release(tmp_path, '3')}", tmp_path)
    bash(release(tmp_path, "3"), tmp_path)
    assert bash(release(tmp_path, "4"), tmp_path) == INSTALLED


def test_a_copy_of_the_installed_example_loads(tmp_path):
    from controller.config import configuration

    bash("install_configuration", tmp_path)
    shutil.copytree(tmp_path / "etc/firebreak/example", tmp_path / "etc/firebreak/cabinet")
    assert configuration.load(str(tmp_path / "etc/firebreak/cabinet/cabinet.toml")).tick_ms == 20


SERVICE = "etc/systemd/system/firebreak.service"
CAN_DROP_INS = "etc/systemd/system/firebreak-can@.service.d"
# the controller is last
STOPPED = [f"firebreak{name}.service" for name in ("-planner", "-upstream", "-record", "")]
ENABLED = ["systemctl --quiet enable firebreak.service"]
ALONE = "has_command() { false; }; install_services"


def test_a_companion_is_installed_only_if_its_command_exists(tmp_path):
    bash('has_command() { [ "$1" = record ]; }; install_services', tmp_path)
    services = {f"firebreak{name}.service" for name in ("", "-can@", "-record")}
    units = {path.name for path in (tmp_path / SERVICE).parent.iterdir()}
    assert units == services | {"run-firebreak.mount"}
    assert asked(tmp_path) == ENABLED + ["systemctl --quiet enable firebreak-record.service"]


COMPLETED = (
    "usr/local/share/bash-completion/completions/firebreak",
    "etc/sysusers.d/firebreak.conf",
)
COMPLETIONS = ("bash-completion/completions/firebreak", "zsh/site-functions/_firebreak")


def test_completion_is_installed_if_the_release_has_it(tmp_path):
    assert bash("on_target() { return 2; }; install_completion", tmp_path) == (0, [])
    bash('on_target() { echo "$*"; }; install_completion', tmp_path)
    found = [(tmp_path / "usr/local/share" / name).read_text() for name in COMPLETIONS]
    words = "/opt/firebreak/current/bin/firebreak completion"
    assert found == [f"{words} bash\n", f"{words} zsh\n"]


def test_an_upgrade_of_the_system_restarts_no_service(tmp_path):
    """needrestart matches service names with these expressions. 0: never restarted by itself."""
    bash("has_command() { true; }; install_services", tmp_path)
    text = (tmp_path / "etc/needrestart/conf.d/firebreak.conf").read_text()
    (rule,) = re.findall(r"^\$nrconf\{override_rc\}\{qr\((.*)\)\} = 0;$", text, re.MULTILINE)
    assert all(re.search(rule, name) for name in SERVICES) and not re.search(rule, "ssh.service")


def test_a_service_is_enabled_once_also_after_an_interruption(tmp_path):
    """A service that an operator disabled stays disabled."""
    broken = "has_command() { false; }; on_target() { false; }; install_services"
    assert bash(broken, tmp_path)[0] != 0
    assert (tmp_path / SERVICE).exists() and asked(tmp_path) == []
    for _ in range(2):
        assert bash(ALONE, tmp_path)[0] == 0
        assert asked(tmp_path) == ENABLED
    assert bash(ALONE, tmp_path) == (0, [])


def test_the_service_can_read_all_files_under_a_strict_umask_of_root(tmp_path):
    command = (
        f"umask 077; source {quote(str(SCRIPT))}; root={quote(str(tmp_path))}; work=$root/w; mkdir "
        "$work; has_command() { true; }; on_target() { :; }; mkdir -p $root/$opt/releases/one; "
        "switch_to one; install_configuration; install_services"
    )
    subprocess.run(["bash", "-c", command], check=True, capture_output=True)
    paths = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in paths}
    assert modes == {(True, 0o755), (False, 0o644)}


def test_a_changed_unit_is_replaced_and_its_drop_ins_stay(tmp_path):
    bash(ALONE, tmp_path)
    unit, mine = tmp_path / SERVICE, tmp_path / f"{SERVICE}.d" / "mine.conf"
    unit.write_text("old")
    mine.parent.mkdir()
    mine.write_text("[Service]\n")
    assert bash(ALONE, tmp_path)[1] == [f"installed   /{SERVICE}"]
    assert unit.read_text() == (FOLDER / "firebreak.service").read_text() and mine.exists()


def test_the_installation_warns_of_a_configuration_that_the_release_refuses(tmp_path):
    answers = (
        "on_target() { echo \"$*\" >>$root/asked; echo 'report'; "
        "echo 'firebreak: cabinet.toml:name: is missing' >&2; return $code; }; check_cabinet"
    )
    assert bash(f"code=2; {answers}", tmp_path) == (0, []), "no cabinet yet"
    path = tmp_path / "etc/firebreak/cabinet/cabinet.toml"
    path.parent.mkdir(parents=True)
    path.touch()
    assert bash(f"code=0; {answers}", tmp_path) == (0, [])
    code, lines = bash(f"code=2; {answers}", tmp_path)
    refused, *remedy = lines
    where = "/etc/firebreak/cabinet/cabinet.toml: cabinet.toml:name: is missing"
    assert code == 0 and refused == f"warning     this release refuses {where}"
    restart = "correct it before: systemctl restart firebreak"
    more = "(all that is left to do: firebreak migrate;", "the way back: firebreak rollback)"
    assert remedy == [f"{'':12}{restart} {more[0]}", f"{'':12}{more[1]}"]
    # this user has to read the files
    assert all(line.startswith("runuser -u firebreak -- ") for line in asked(tmp_path))


ADDRESSES = "etc/systemd/system/firebreak.service.d/addresses.conf"


def test_the_unit_is_opened_for_the_configured_addresses_and_closed_again(tmp_path):
    """The drop-in follows the cabinet's file. A file that the release refuses changes nothing."""
    answers = 'on_target() { printf "$text"; return $code; }; open_addresses'
    assert bash(f"code=0; text=one; {answers}", tmp_path) == (0, []), "no cabinet yet"
    path, made = tmp_path / "etc/firebreak/cabinet/cabinet.toml", tmp_path / ADDRESSES
    path.parent.mkdir(parents=True)
    path.touch()
    for text, code, word, left in (
        ("one", 0, "installed", "one"),
        ("one", 0, None, "one"),
        ("two", 0, "installed", "two"),
        ("", 2, None, "two"),
        ("", 0, "removed", None),
        ("", 0, None, None),
    ):
        found = bash(f"code={code}; text='{text}'; {answers}", tmp_path)
        assert found == (0, [f"{word:11} /{ADDRESSES}"] if word else [])
        assert (made.read_text() if made.exists() else None) == left


def add_release(tree, name, *files):
    folder = tree / "opt/firebreak/releases" / name
    folder.mkdir(parents=True)
    for each in files:
        (folder / each).touch()


def releases(tree):
    folder = tree / "opt/firebreak"
    names = sorted(path.name for path in (folder / "releases").iterdir())
    return names, os.readlink(folder / "current")


def test_the_previous_release_is_kept_and_older_ones_are_removed(tmp_path):
    for name in ("one", "two", "three"):
        add_release(tmp_path, name)
        assert bash(f"switch_to {name}", tmp_path)[0] == 0
    kept = (["three", "two"], "releases/three")
    assert releases(tmp_path) == kept
    assert os.readlink(tmp_path / "opt/firebreak/previous") == "releases/two"
    program = os.readlink(tmp_path / "usr/local/bin/firebreak")
    assert program == "/opt/firebreak/current/bin/firebreak"
    bash("switch_to three", tmp_path)  # the same release again
    assert releases(tmp_path) == kept
    assert os.readlink(tmp_path / "opt/firebreak/previous") == "releases/two"


def test_each_release_keeps_the_files_that_it_has_put_and_not_what_follows_the_configuration(
    tmp_path,
):
    """A file that the owner has changed is among them as the release has it."""
    add_release(tmp_path, "one")
    own = (
        f"has_command() {{ true; }}; release=one; {release(tmp_path, '1')}; tree={quote(str(ROOT))}"
    )
    assert bash(f"{own}; install_services; end_record one", tmp_path)[0] == 0
    folder = tmp_path / "opt/firebreak/releases/one/files"
    kept = {name: (folder / name).read_bytes() for name in left(folder)}
    assert kept == {name: (tmp_path / name).read_bytes() for name in kept}
    assert {SERVICE, TYPE, "etc/udev/rules.d/70-firebreak.rules"} < {*kept} and len(kept) == 12
    (tmp_path / TYPE).write_text("mine")
    (tmp_path / "etc/firebreak/cabinet").mkdir()
    (tmp_path / "etc/firebreak/cabinet/cabinet.toml").touch()
    derived = "on_target() { echo x; }; open_addresses; end_record one"
    assert bash(f"{own}; {derived}", tmp_path)[0] == 0
    assert left(folder) == ["etc/firebreak/example/site.toml", TYPE], "as of the last installation"
    assert (folder / TYPE).read_text() == "1" and (tmp_path / ADDRESSES).exists()


def test_a_release_of_an_older_installer_gets_its_files_before_the_next_replaces_them(whole):
    (whole / SERVICE).write_text("old")
    (whole / TYPE).write_text("mine")
    (whole / "etc/firebreak/planner/planner.toml").write_text("mine")
    assert bash("record_previous two", whole) == (0, [])
    folder = whole / "opt/firebreak/releases/one/files"
    kept = left(folder)
    assert (folder / SERVICE).read_text() == "old" and {*COMPLETED} < {*kept}
    assert TYPE not in kept and not [name for name in kept if "planner.toml" in name]
    assert "etc/firebreak/types/pylontech_14.toml" in kept
    (whole / SERVICE).write_text("newer")
    assert bash("record_previous two", whole) == (0, [])
    assert (folder / SERVICE).read_text() == "old", "only once"
    assert bash("record_previous one", whole) == (0, [])


def test_a_release_that_still_runs_is_not_removed(tmp_path):
    """A running controller loads some modules late."""
    line = ["bash", "-c", "read line", f"{tmp_path}/opt/firebreak/releases/one/bin/x"]
    runs = subprocess.Popen(line, stdin=subprocess.PIPE)
    try:
        for name in ("one", "two", "three"):
            add_release(tmp_path, name)
            bash(f"switch_to {name}", tmp_path)
        assert releases(tmp_path)[0] == ["one", "three", "two"]
    finally:
        runs.communicate()


def test_an_older_release_can_be_installed(tmp_path):
    """The installation reports the switch, and each service without a command in that release."""
    steps = "make_release {0}; switch_to {0}; install_planner() {{ :; }}; install_services"
    for name in ("old", "new"):
        add_release(tmp_path, name, "complete")
        assert bash("has_command() { true; }; " + steps.format(name), tmp_path)[0] == 0
    code, lines = bash('has_command() { [ "$1" != upstream ]; }; ' + steps.format("old"), tmp_path)
    warning = "warning     this release has no 'firebreak upstream'"
    disable = "systemctl disable --now firebreak-upstream.service"
    done = ["unchanged   release old", "switched    to release old, from new"]
    assert (code, lines) == (0, [*done, f"{warning}: {disable}"])
    assert releases(tmp_path) == (["new", "old"], "releases/old")


def test_an_unfinished_release_is_made_again(tmp_path):
    """A power cut leaves a folder without its last file, `complete`."""
    add_release(tmp_path, "one")
    made = "make_wheels() { echo wheels; fail 'stopped here'; }; make_release one"
    assert bash(made, tmp_path)[0] == 3
    (tmp_path / "opt/firebreak/releases/one/complete").touch()
    assert bash(made, tmp_path) == (0, ["unchanged   release one"])


def test_a_partly_removed_release_does_not_count_as_complete(tmp_path):
    for name in ("one", "two", "three"):
        add_release(tmp_path, name, "complete")
        cut = 'rm() { case "$*" in "-rf "*) exit 9 ;; *) command rm "$@" ;; esac; }; '
        assert bash(cut + f"switch_to {name}", tmp_path)[0] == (9 if name == "three" else 0)
    assert (tmp_path / "opt/firebreak/releases/one").exists()
    assert not (tmp_path / "opt/firebreak/releases/one/complete").exists()


WHEELS = 'make_wheels() { mkdir "$work/wheels"; touch "$work/wheels/a.whl" "$work/run.lock"; }; '


def test_a_release_survives_an_upgrade_of_the_system(tmp_path):
    """A link to /usr/bin/python3 would lead to another Python, without the packages."""
    found = "target_python() { echo 3.11; }; lasting_python"
    assert bash(found, tmp_path) == (0, ["/usr/bin/python3"])
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/python3.11").touch()
    assert bash(found, tmp_path) == (0, ["/usr/bin/python3.11"])
    bash(WHEELS + "target_python() { echo 3.11; }; say() { :; }; make_release one", tmp_path)
    assert asked(tmp_path)[0] == "/usr/bin/python3.11 -m venv /opt/firebreak/releases/one"


def test_a_release_is_complete_only_when_it_is_on_disk(tmp_path):
    """A power cut after an early `complete` would leave a broken release for ever."""
    noted = (
        'on_target() { mkdir -p "$place"; }; '
        'sync() { if [ -e "$place/complete" ]; then echo marked; else echo files; fi; }; '
        "make_release one"
    )
    code, lines = bash(WHEELS + noted, tmp_path)
    assert code == 0 and lines[1:3] == ["files", "marked"], lines


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
    return bash(f"tree={quote(str(copy))}; target_python() {{ {python}; }}; release_name", tree)


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
    assert noted.endswith(f"{tmp_path}|-m|hil|covers|a file|")
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
        code, lines = bash(line, tmp_path)
        assert code == 0, lines
        return {line.split()[0] for line in lines}, left(tree)

    firsts, before = done("install", "")
    assert "switched" in firsts and len(before) > 15
    firsts, after = done("install", "")
    assert not firsts & {"installed", "switched", "warning"} and after == before
    assert done("uninstall", "--purge")[1] == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    tree = tmp_path_factory.mktemp("installed") / "tree"
    (tree / "opt/firebreak/releases/one").mkdir(parents=True)
    steps = (
        "switch_to one; install_configuration; install_services; install_completion; install_user"
    )
    assert bash(f"has_command() {{ true; }}; as_service() {{ echo key; }}; {steps}", tree)[0] == 0
    for name in ("var/lib/firebreak/store.a", f"{CAN_DROP_INS}/my own.conf"):
        (tree / name).parent.mkdir(parents=True)
        (tree / name).touch()
    wants = tree / "etc/systemd/system/multi-user.target.wants/firebreak-newer.service"
    wants.parent.mkdir()
    wants.symlink_to("../firebreak-newer.service")  # enabled; a rollback took the unit away
    (tree / "asked").unlink()
    return tree


@pytest.fixture
def whole(installed, tmp_path):
    return shutil.copytree(installed, tmp_path / "box", symlinks=True)


def left(tree):
    return sorted(
        str(path.relative_to(tree))
        for path in tree.rglob("*")
        if (path.is_symlink() or path.is_file()) and path.name != "asked"
    )


def test_uninstall_keeps_configuration_and_state(whole):
    code, lines = bash("do_uninstall", whole)
    kept = [line.split()[1] for line in lines if line.startswith("kept  ")]
    assert code == 0 and kept == ["/etc/firebreak", "/var/lib/firebreak", f"/{CAN_DROP_INS}", "the"]
    folders = {"/".join(name.split("/")[:2]) for name in left(whole)}
    assert folders == {"etc/firebreak", "etc/systemd", "var/lib"}
    assert [line.split()[-1] for line in asked(whole)] == STOPPED
    assert bash("do_uninstall", whole)[0] == 0  # a second run is not an error


LIVE = (
    "is_live() { true; }; udevadm() { :; }; "
    'systemctl() { echo "$*" >>"$root/asked"; case "$*" in *run-firebreak.mount*) return 5 ;; '
    "esac; }; "
)


def test_a_running_box_can_be_uninstalled_twice(whole):
    """systemctl fails for the name of a missing unit, but not for a pattern."""
    for _ in range(2):
        code, lines = bash(LIVE + "do_uninstall", whole)
        assert code == 0 and not any(line.startswith("warning") for line in lines), lines
    ended = [line for line in asked(whole) if "--now" in line]
    assert ended == [f"--quiet disable --now {name}" for name in STOPPED]


def removed_users(tree):
    return [line.split()[-1] for line in asked(tree) if line.startswith("userdel")]


def test_an_uninstallation_goes_on_if_the_run_directory_is_in_use(whole):
    busy = LIVE.replace("run-firebreak.mount", "run-firebreak")
    code, lines = bash(busy + "do_uninstall", whole)
    (warning,) = [line for line in lines if line.startswith("warning")]
    assert code == 0 and "/run/firebreak is in use" in warning and "next boot" in warning
    assert not (whole / "opt/firebreak").exists()
    busy = 'rm() { case "$*" in *run/firebreak) return 1 ;; *) command rm "$@" ;; esac; }; '
    live = LIVE.replace("run-firebreak", "no-such")
    assert bash(f"{live}{busy} purge=yes; do_uninstall", whole)[0] == 0
    assert removed_users(whole) == USERS


@pytest.mark.parametrize("place", ["opt", "etc/firebreak", "var/lib", "usr/local"])
def test_a_link_out_of_the_tree_is_refused(place, tmp_path):
    tree, target = tmp_path / "tree", tmp_path / "elsewhere"
    (tree / place).parent.mkdir(parents=True)
    target.mkdir()
    (tree / place).symlink_to(target)
    code, lines = bash("check_links", tree)
    assert code == 3 and "leads out of the tree, to " in lines[0] and str(target) in lines[0]
    (tree / place).unlink()
    (tree / "inside").mkdir()
    (tree / place).symlink_to(os.path.relpath(tree / "inside", (tree / place).parent))
    assert bash("check_links", tree) == (0, [])


@pytest.mark.parametrize("command", ["check_target() { :; }; do_install", "do_uninstall"])
def test_a_second_installer_or_uninstaller_ends_at_once(command, whole):
    code, lines = bash(f"exec 8<{whole}/opt/firebreak; flock 8; {command}", whole)
    assert code == 3 and lines == [f"flash.sh: another installation into {whole} is running"]
    assert (whole / SERVICE).exists()


def test_purge_removes_all_files_users_and_groups(whole):
    assert bash("purge=yes; do_uninstall", whole)[0] == 0
    assert (left(whole), removed_users(whole)) == ([], USERS)
    groups = {line.split()[-1] for line in asked(whole) if line.startswith("groupdel")}
    assert groups == {*USERS, "firebreak-hints", "firebreak-operators"}


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
    assert recorder.endswith(f"record --run-dir {run} --state-dir {state}")
    gateway = unit("firebreak-upstream.service")
    assert gateway["ExecStart"][0].endswith(f"upstream --run-dir {run} --listen {upstream.LISTEN}")
    assert upstream.LISTEN.startswith(f"/run/{gateway['RuntimeDirectory'][0]}/")
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
    folder = installed / "etc/firebreak/planner"
    text = (folder / "planner.toml").read_text()
    assert stat.S_IMODE((folder / "planner.key").stat().st_mode) == 0o600
    assert (folder / "prices").is_dir() and not (folder / "prices.csv").exists()
    cabinet = quote(str(EXAMPLE)).strip("'")
    (tmp_path / "planner.toml").write_text(text.replace("../cabinet/cabinet.toml", cabinet))
    site = site_file.load(str(tmp_path / "planner.toml")).site
    assert (site.full_J / 3600, site.store.charge_W, site.import_W) == (645e3, 250e3, 500e3)


def test_a_planners_file_and_key_stay_and_a_missing_key_is_a_warning(whole):
    folder = whole / "etc/firebreak/planner"
    for name in ("planner.toml", "planner.key"):
        (folder / name).write_text("mine")
    stub = "has_command() { true; }; as_service() { return 1; }; "
    assert bash(stub + "install_planner", whole) == (0, [])
    assert {(folder / name).read_text() for name in ("planner.toml", "planner.key")} == {"mine"}
    (folder / "planner.key").unlink()
    code, (line,) = bash(stub + "install_planner", whole)
    assert code == 0 and "firebreak key create planner" in line
    assert not (folder / "planner.key").exists()


OPEN = 'doors=yes; has_command() { true; }; on_target() { shift; doors_command "$@"; }; '
OPEN += f'doors_command() {{ {quote(sys.executable)} -m controller doors check "$root$3"'
OPEN += ' "${@:4}"; }; '


@pytest.mark.whole
def test_doors_bring_their_unit_their_file_and_the_addresses_that_it_needs(whole):
    """Nothing of them is there else; a kind that leaves the file loses its drop-in."""
    folder, file = whole / "etc/systemd/system", whole / "etc/firebreak/doors/doors.toml"
    assert bash("has_command() { true; }; install_doors", whole) == (0, [])
    assert not [*folder.glob("firebreak-doors*"), *file.parent.glob("*")]
    assert bash(OPEN + "install_doors", whole)[0] == 0
    assert [path.name for path in folder.glob("firebreak-doors*")] == ["firebreak-doors@.service"]
    file.write_text('[alarms.x]\nurl = "https://10.1.2.3/in"\n')
    assert bash(OPEN + "install_doors", whole)[0] == 0
    drop_in = folder / "firebreak-doors@alarms.service.d/addresses.conf"
    assert drop_in.read_text() == "[Service]\nIPAddressAllow=10.1.2.3\n"
    file.write_text("")
    assert bash(OPEN + "install_doors", whole)[0] == 0
    assert not drop_in.exists()
    file.write_text("wrong")  # what is there stays as it is
    code, (line,) = bash(OPEN + "install_doors", whole)
    assert code == 0 and "keep their addresses" in line and f"{file}" in line


def test_the_doors_have_their_own_libraries_and_a_release_of_their_own(tmp_path):
    lock, setup = ((ROOT / name).read_text() for name in ("requirements.lock", "setup.cfg"))
    box = locked.needed(locked.blocks(lock), locked.run_roots(setup))
    more = locked.needed(locked.blocks(lock), locked.run_roots(setup, ["doors"]))
    assert {*more} - {*box} == {"h11", "paho-mqtt"}
    one, two = (bash(f"doors={word}; release_name", tmp_path)[1][0] for word in ("no", "yes"))
    assert two == one.replace("0.3.0", "0.3.0-doors")


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
