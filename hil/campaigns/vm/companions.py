"""Checks that planner and doors (network servers) run as services of the box."""

import json

from hil.campaigns.vm.lab import START_S, Lab

PLANNER, DOOR = "firebreak-planner.service", "firebreak-doors@http.service"
ADDRESS = "http://127.0.0.1:8080/api/v1/state"
READ = f"import urllib.request as r; print(r.urlopen('{ADDRESS}', timeout=20).read().decode())"


def plans(lab: Lab) -> str:
    """Check that the planner runs with the file and the key that the installation made."""
    lab.ask(f"systemctl enable --now {PLANNER}")
    lab.until_active(PLANNER)
    return lab.shown("StatusText", unit=PLANNER)[0]


def opens_doors(lab: Lab) -> str:
    """Check that the door of kind http answers with the state of the controller."""
    lab.ask(f"systemctl enable --now {DOOR}")
    lab.until_active(DOOR)
    text = lab.until("answered: http", lambda: _state(lab), START_S)
    return f"{ADDRESS} gives the state {json.loads(text)['state']!r}"


def _state(lab: Lab) -> str:
    """The answer without the shell's own words, or "" while the door refuses."""
    code, text = lab.machine.run(f'python3 -c "{READ}" 2>/dev/null')
    return text.splitlines()[-1] if code == 0 else ""
