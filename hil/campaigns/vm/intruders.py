"""Tries of each user of the box: it can do what it may, and no more. Root tries traps of others."""

import pathlib
import shlex
import string

from controller.system import toml_text
from controller.system.paths import RUN_DIRECTORY as RUN, STATE_DIRECTORY as STATE
from hil.campaigns.vm import machine
from hil.campaigns.vm.lab import UNIT, Lab
from hil.runner.report import CheckError

DATA = toml_text.read(pathlib.Path(__file__).with_suffix(".toml"))
TRAP, FAKE = f"{STATE}.trap", "/dev/shm/fake"
PLACES = {"RUN": RUN, "STATE": STATE, "TRAP": TRAP, "PORT": machine.port_name(1)}


def _commands(names: list[str]) -> list[str]:
    known = [each for name in names for each in DATA["commands"].get(name, [name])]
    return [string.Template(each).substitute(PLACES) for each in known]


PLANTED = _commands(DATA["planted"]["commands"])
# user: {command: it may}
TRIES = {
    user: dict.fromkeys(_commands(given["may"]), True)
    | dict.fromkeys(_commands(given["may_not"]), False)
    for user, given in DATA["user"].items()
}


def users(lab: Lab) -> str:
    """Each user can do what its groups are for, and nothing more."""
    for user, given in DATA["user"].items():
        if "groups" in given:
            lab.ask(f"useradd --groups {given['groups']} {user}")
    wrong = [
        f"{user}: {tried}: exit code {code}: {text[-80:]}"
        for user, tries in TRIES.items()
        for tried, is_allowed in tries.items()
        for code, text in [
            lab.machine.run(f"runuser -u {user} -- sh -c {shlex.quote(tried)} </dev/null")
        ]
        if (code == 0) != is_allowed
    ]
    if wrong:
        raise CheckError(f"{len(wrong)}: {wrong[0]}")
    return f"{sum(map(len, TRIES.values()))} tries of {len(TRIES)} users"


def traps(lab: Lab) -> str:
    """Root follows no link of the service's user, and uses no folder of another user."""
    lab.ask(f"mkdir {TRAP}; rm -rf {STATE}/console")
    lab.ask(f"runuser -u firebreak -- ln -s {TRAP} {STATE}/console")
    code, text = lab.machine.run("echo a-long-password-1 | firebreak console-user add anna")
    owner = lab.ask(f"stat -c %U {TRAP}; ls {TRAP}")
    if code == 0 or owner != "root":
        raise CheckError(f"root followed a link: exit code {code}: {owner}: {text}")
    lab.ask(f"runuser -u reader -- mkdir {FAKE}")
    code, text = lab.machine.run(f"firebreak stop --run-dir {FAKE}")
    if code != 3 or "root does not work there" not in text:
        raise CheckError(f"root worked in a folder of a reader: exit code {code}: {text}")
    lab.ask(f"rm {STATE}/console; rm -r {FAKE}")
    return "no link followed, no folder of others used"


def planted(lab: Lab) -> str:
    """The controller starts with strange files under its names, and reports which it removed."""
    lab.ask(f"systemctl stop {UNIT}; mkdir -p {TRAP}; date +%s > {TRAP}.since")
    for each in PLANTED:
        lab.ask(each)
    lab.ask(f"systemctl start {UNIT}")
    lab.until_active()
    log = f"journalctl -u {UNIT} --since @$(cat {TRAP}.since) -o cat --no-pager"
    output = lab.ask(f"{log} | grep -c 'no part of this; '")
    left = lab.ask(f"ls {TRAP}")
    if int(output) != len(PLANTED) or left:
        raise CheckError(f"{output} of {len(PLANTED)} removed; in {TRAP}: {left}")
    return f"{output} removed, {lab.until_powered()}"
