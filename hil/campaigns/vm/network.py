"""Checks that systemd and the kernel limit the network of the controller's service.

A temporary service tries to connect, with the settings of `firebreak.service` and those that
`firebreak check --drop-in` prints. The running controller is not disturbed.
"""

from hil.campaigns.vm.lab import Lab
from hil.runner.report import CheckError

SITES = "/opt/firebreak/current/lib/python3*/site-packages/controller/sites"
DROP_IN = f"runuser -u firebreak -- firebreak check --drop-in {SITES}/pv_genset/cabinet.toml"
ALLOWED, OTHER, PORT = "192.168.1.20", "192.168.1.21", 502
UNIT = ("User=firebreak", "RestrictAddressFamilies=AF_UNIX AF_CAN", "IPAddressDeny=any")
LISTEN = (
    "import socket, time; found = [socket.create_server((each, {port})) for each in "
    "('{allowed}', '{other}')]; time.sleep(3600)"
)
CONNECT = "import socket; socket.create_connection(('{address}', {port}), 3)"


def opened(lab: Lab) -> str:
    """Check that only the configured address is reached with the drop-in, and none without it."""
    settings = [
        line for line in lab.ask(DROP_IN).splitlines() if "=" in line[:40] and line[0] != "#"
    ]
    for address in (ALLOWED, OTHER):
        lab.ask(f"ip address add {address}/32 dev lo")
    listen = LISTEN.format(allowed=ALLOWED, other=OTHER, port=PORT)
    lab.ask(f'systemd-run --quiet --unit bench-lan python3 -c "{listen}"')
    none: list[str] = []
    tries = ((ALLOWED, settings, True), (OTHER, settings, False), (ALLOWED, none, False))
    lab.until("listening", lambda: _connects(lab, ALLOWED, None), 60.0)
    for address, more, is_expected in tries:
        if _connects(lab, address, [*UNIT, *more]) != is_expected:
            result = "refused" if is_expected else "reached"
            raise CheckError(f"{address} is {result} with {', '.join(more) or 'the unit alone'}")
    lab.ask("systemctl stop bench-lan")
    return f"{ALLOWED} is reached with {', '.join(settings)}; {OTHER} is not"


def _connects(lab: Lab, address: str, settings: list[str] | None) -> bool:
    """True if a process with these settings of a unit reaches the address. None: no unit."""
    connect = f'python3 -c "{CONNECT.format(address=address, port=PORT)}"'
    if settings is not None:
        properties = " ".join(f"-p '{setting}'" for setting in settings)
        connect = f"systemd-run --quiet --wait --collect {properties} {connect}"
    return lab.machine.run(f"{connect} 2>/dev/null")[0] == 0
