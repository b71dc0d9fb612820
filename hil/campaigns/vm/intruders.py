"""Tries of each user of the box: it can do what it may, and no more. Root tries traps of others."""

from controller.system.paths import (
    GATEWAY,
    OPERATORS,
    RUN_DIRECTORY as RUN,
    SERVICE,
    STATE_DIRECTORY as STATE,
)
from hil.campaigns.vm import machine
from hil.campaigns.vm.lab import UNIT, Lab
from hil.runner.report import CheckError

# user made for this: its groups
USERS = {"reader": SERVICE, "ops": f"{SERVICE},{OPERATORS}", "field": "dialout"}
WRITES: tuple[str, ...] = (
    f"touch {RUN}/x",
    f"mkdir {RUN}/x",
    f"ln -s /etc/shadow {RUN}/record.head.new",
)
WRITES += (f"mv {RUN}/command.sock {RUN}/x", f"rm -f {RUN}/journal", f"touch {STATE}/x")
SECRETS: tuple[str, ...] = (
    f"ls {STATE}/keys",
    f"cat {STATE}/store.a",
    f"flock -s {STATE}/store.lock true",
)
SECRETS += (f"cat {STATE}/record.db", f"flock -s {STATE}/record.db-shm true")
OPEN_PORT = (
    f"python3 -c \"import os; os.open('{machine.port_name(1)}', os.O_RDWR | os.O_NONBLOCK)\""
)
CONNECT = "python3 -c \"import socket as s; s.socket(s.AF_UNIX, s.SOCK_DGRAM).connect('{}')\""
COMMANDS, HINTS = (CONNECT.format(f"{RUN}/{name}.sock") for name in ("command", "hints"))
# user: (what it may do, what it may not)
TRIES: dict[str, tuple[list[str], list[str]]] = {
    "reader": (["firebreak status", "firebreak alarms"], [*WRITES, *SECRETS, COMMANDS, HINTS]),
    GATEWAY: ([HINTS, f"cat {RUN}/record.head"], [*WRITES, *SECRETS, COMMANDS, OPEN_PORT]),
    "field": ([], [*WRITES, *SECRETS, COMMANDS, HINTS, OPEN_PORT, "firebreak status"]),
    "ops": (
        ["firebreak status", "firebreak lamp-test"],
        [*WRITES, *SECRETS, HINTS, "firebreak lock-out anna", "firebreak approve anna 00000000"],
    ),
}
TRAP, FAKE = f"{STATE}.trap", "/dev/shm/fake"
PLANTED = (
    f"rm -f {RUN}/journal.previous && mkdir -p {RUN}/journal.previous/deep",
    f"rm -f {RUN}/command.sock && ln -s /nowhere {RUN}/command.sock",
    f"rm -f {RUN}/hints.sock && mkdir {RUN}/hints.sock",
    f"rm -f {RUN}/lock && ln -s {TRAP}/lock {RUN}/lock",
    f"rm -f {RUN}/store.failed && mkfifo {RUN}/store.failed",
    f"rm -rf {RUN}/console && ln -s {TRAP} {RUN}/console",
)


def users(lab: Lab) -> str:
    """Each user can do what its groups are for, and nothing more."""
    for name, groups in USERS.items():
        lab.ask(f"useradd --groups {groups} {name}")
    wrong = [
        f"{user}: {tried}: exit code {code}: {text[-80:]}"
        for user, (may, may_not) in TRIES.items()
        for is_allowed, tries in ((True, may), (False, may_not))
        for tried in tries
        for code, text in [
            lab.machine.run(f"runuser -u {user} -- sh -c '{_quoted(tried)}' </dev/null")
        ]
        if (code == 0) != is_allowed
    ]
    if wrong:
        raise CheckError(f"{len(wrong)}: {wrong[0]}")
    return (
        f"{sum(len(may) + len(not_) for may, not_ in TRIES.values())} tries of {len(TRIES)} users"
    )


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


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
