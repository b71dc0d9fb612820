"""Finds the rights of each process in its systemd unit, and checks them on an installed box.

The tables of SECURITY.md are made from this module. `agrees` is a check of vm-test.
"""

import re
from collections.abc import Iterator

from controller.system.paths import (
    GATEWAY,
    OPERATORS,
    RUN_DIRECTORY,
    SENDERS,
    SERVICE,
    STATE_DIRECTORY,
)
from hil.campaigns.vm.lab import Lab
from hil.engine.processes import ROOT
from hil.runner.report import CheckError, table

Settings = dict[str, list[str]]  # {key: values} of a unit
Columns = dict[str, list[str]]  # {column of COLUMNS: words}
UNITS = ROOT / "controller" / "systemd"
USERS = UNITS / "firebreak.sysusers.conf"
# access modes, which are written beside devices, and the clock that ProtectClock= allows to read
NO_DEVICES = {"r", "rw", "char-rtc"}
SYSTEM_FOLDERS = "/ /etc /etc/firebreak /opt /run /var /var/lib /usr/local/bin /home /root".split()
COLUMNS = (
    "process",
    "user",
    "groups",
    "writes in",
    "devices",
    "capabilities",
    "families of sockets",
)
# the instance of each systemd template that the installed box runs
INSTANCES = {
    "firebreak-can@.service": "can0",
    "firebreak-console@.service": "ttyS9",
    "firebreak-doors@.service": "http",
}
PLANNER, DOORS = ("firebreak-planner",) * 2, ("firebreak-doors",) * 2  # user and group
# place: (user, group, mode, kind as find(1) names it, who needs the place)
PLACES = {
    RUN_DIRECTORY: (SERVICE, SERVICE, "751", "d", "the controller; readers list it"),
    f"{RUN_DIRECTORY}/journal": (SERVICE, SERVICE, "640", "f", "readers"),
    f"{RUN_DIRECTORY}/command.sock": (SERVICE, OPERATORS, "660", "s", "operators"),
    f"{RUN_DIRECTORY}/hints.sock": (SERVICE, SENDERS, "660", "s", "senders of hints"),
    f"/run/{GATEWAY}": (GATEWAY, SENDERS, "750", "d", "the gateway"),
    f"/run/{GATEWAY}/upstream.sock": (GATEWAY, SENDERS, "660", "s", "senders of hints"),
    "/run/firebreak-planner": (*PLANNER, "755", "d", "the planner"),
    "/etc/firebreak/planner/planner.key": (*PLANNER, "600", "f", "the planner: its key"),
    "/var/lib/firebreak-planner": (*PLANNER, "750", "d", "the planner"),
    "/var/lib/firebreak-doors": (*DOORS, "750", "d", "the doors"),
    STATE_DIRECTORY: (SERVICE, SERVICE, "750", "d", "the controller"),
    f"{STATE_DIRECTORY}/store.lock": (SERVICE, SERVICE, "600", "f", "the controller: its lock"),
    f"{STATE_DIRECTORY}/record.db": (SERVICE, SERVICE, "600", "f", "the recorder, the console"),
    f"{STATE_DIRECTORY}/keys": (SERVICE, SERVICE, "700", "d", "the controller: keys of senders"),
    "/opt/firebreak": ("root", "root", "755", "d", "root: the program"),
    "/etc/firebreak/cabinet": ("root", "root", "755", "d", "root: the configuration"),
}


def units() -> dict[str, Columns]:
    """{file name of a unit: {column: value}} of all services."""
    return {path.name: row(settings(path.read_text())) for path in sorted(UNITS.glob("*.service"))}


def settings(text: str) -> Settings:
    """{key: [values]} of a unit. A repeated key adds values, an empty value removes the
    earlier ones.
    """
    unit: Settings = {}
    for line in text.replace("\\\n", " ").splitlines():
        key, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            unit[key] = [*unit.get(key, ()), *value.split()] if value else []
    return unit


def row(unit: Settings) -> Columns:
    """The columns of one process, each a sorted list of words. unit: from `settings`."""
    folders = [f"/run/{name}" for name in unit.get("RuntimeDirectory", ())]
    folders += [f"/var/lib/{name}" for name in unit.get("StateDirectory", ())]
    folders += [name.lstrip("-+") for name in unit.get("ReadWritePaths", ())]
    (user,) = unit["User"]
    groups = {*unit["Group"], *unit.get("SupplementaryGroups", ()), *memberships(user)}
    devices = {*unit.get("DeviceAllow", ())} - NO_DEVICES
    capabilities = [word.upper() for word in unit.get("AmbientCapabilities", ())]
    values = [user], groups, folders, devices, capabilities, unit["RestrictAddressFamilies"]
    return dict(zip(COLUMNS[1:], map(sorted, values)))


def memberships(user: str) -> list[str]:
    """Groups in which the installer has put a user. The user's services are in them too."""
    return re.findall(rf"(?m)^m {user} (\S+)$", USERS.read_text())


def processes() -> list[str]:
    """The table of processes, as lines."""
    rows = [
        (f"`{name}`", *[" ".join(texts) or "none" for texts in unit.values()])
        for name, unit in units().items()
    ]
    return table(COLUMNS, rows)


def places() -> list[str]:
    """The table of places, as lines."""
    rows = [
        (f"`{path}`", f"{user}:{group}", mode, whom)
        for path, (user, group, mode, _, whom) in PLACES.items()
    ]
    return table(("place", "owner", "mode", "for"), rows)


def agrees(lab: Lab) -> str:
    """Check that each place and each process of the box is as the tables say."""
    wrong = [*_wrong_places(lab), *_wrong_processes(lab)]
    if wrong:
        raise CheckError(f"{len(wrong)}: {'; '.join(wrong)}")
    return f"{len(PLACES)} places and {len(units())} units are as SECURITY.md says"


def _wrong_places(lab: Lab) -> Iterator[str]:
    lab.ask(f"runuser -u {SERVICE} -- firebreak key create site_ems >/dev/null")
    shown = lab.ask(f"find {' '.join(PLACES)} -maxdepth 0 -printf '%p %u %g %m %y\\n'")
    actual = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    for path, asked in PLACES.items():
        if actual.get(path) != list(asked[:4]):
            yield f"{path}: {actual.get(path)}, asked {asked[:4]}"


def _wrong_processes(lab: Lab) -> Iterator[str]:
    keys = "User Group SupplementaryGroups RuntimeDirectory StateDirectory ReadWritePaths"
    keys += " DeviceAllow AmbientCapabilities RestrictAddressFamilies MainPID"
    for name, asked in units().items():
        unit = name.replace("@", f"@{INSTANCES.get(name, '')}")
        shown = settings(lab.ask(f"systemctl show {unit} -p {keys.replace(' ', ',')}"))
        (pid,) = shown.pop("MainPID")
        actual = row({key: value for key, value in shown.items() if value})
        actual = {
            column: [word.replace(f"/{INSTANCES.get(name)}", "/%I") for word in texts]
            for column, texts in actual.items()
        }
        for column in COLUMNS[1:]:
            if actual[column] != asked[column]:
                yield f"{unit}: {column}: {actual[column]}, asked {asked[column]}"
        if pid != "0":
            yield from _wrong_process(lab, unit, pid, asked)


def _wrong_process(lab: Lab, unit: str, pid: str, asked: Columns) -> Iterator[str]:
    """Differences between a running process, as the kernel reports it, and its unit."""
    status = lab.process_status(pid)
    user = lab.ask(f"id -nu {status['Uid'].split()[0]}")
    gids = " ".join({*status["Groups"].split(), status["Gid"].split()[0]})
    groups = [line.split(":")[0] for line in lab.ask(f"getent group {gids}").splitlines()]
    for column, actual, wanted in (
        ("user", [user], asked["user"]),
        ("groups", sorted(groups), asked["groups"]),
        ("capabilities", int(status["CapEff"], 16) != 0, bool(asked["capabilities"])),
        ("writes in", _writable(lab, pid, user), asked["writes in"]),
    ):
        if actual != wanted:
            yield f"{unit}, process {pid}: {column}: {actual}, asked {wanted}"


def _writable(lab: Lab, pid: str, user: str) -> list[str]:
    """Folders in which a user may write, as the process sees them."""
    own = [path for path, (*_, kind, _) in PLACES.items() if kind == "d"]
    tried = " ".join([*own, *SYSTEM_FOLDERS])
    script = f"for each in {tried}; do test -w $each && echo $each; done; true"
    as_user = f"setpriv --reuid {user} --regid {user} --init-groups"
    writable = lab.ask(f"nsenter -t {pid} -m {as_user} sh -c '{script}'").split()
    return sorted(path for path in writable if path not in _parts(writable))


def _parts(folders: list[str]) -> set[str]:
    """The folders that lie within others of the list."""
    return {path for path in folders for folder in folders if path.startswith(f"{folder}/")}
