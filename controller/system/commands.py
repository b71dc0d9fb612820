"""Lists all commands: the groups of `firebreak --help`, actions, modules, and earlier names."""

# {heading of `firebreak --help`: {command: its help}}
GROUPS = {
    "look": {
        "status": "state, interlocks, power, hints, racks, links: one page",
        "why": "why the power is what it is: the chain from request to wire",
        "alarms": "what tripped first, what followed, what a reset needs",
        "events": "what happened, newest first",
        "trend": "the last minutes of power, charge, cells, temperature",
        "racks": "the values that each rack's BMS reports",
        "devices": "PV, generator, chiller, fan, heater: signals and requests",
        "links": "state of each device, counters of each bus",
        "map": "the plan of the site with heat, alarms, door and gas",
        "plan": "what the planner intends and has saved",
        "fleet": "all cabinets of one connection; may a job run on it",
    },
    "act": {
        "start": "start a cabinet in standby: it closes and runs",
        "stop": "ramp to zero, open the contactors, stay in standby",
        "reset": "reset the latched rows (remote, or with --key on site)",
        "lock-out": "stop the cabinet and forbid every start until you end it",
        "approve": "show changed limits since the last approval; approve them",
    },
    "service": {
        "join": "bring a new cabinet to its site step by step, or take it away",
        "replace": "replace a meter, converter, BMS or I/O module in a lock-out",
        "test": "lamps, power, signs, step response; the proof tests",
        "bus": "who answers on a bus; listen; decode a capture",
        "profile": "list the device profiles, check one, write a new one",
    },
    "integrate": {
        "hint": "send a hint as a source does: one power and its validity",
        "ask": "may a job that raises the load run, and with which margin",
        "sources": "the sources of hints, their counters, the hints in force",
        "key": "keys of the sources of hints",
        "doors": "serve the doors of one kind (http, mqtt ...), or check a file",
        "dispatch": "share one connection among the cabinets of a fleet",
    },
    "box": {
        "box": "install, try, roll back, back up, restore, prepare, migrate",
        "user": "the users who may log in at the console",
        "completion": "the script by which bash or zsh completes these commands",
    },
    "paper": {
        "check": "check a configuration and print what it means",
        "document": "matrix, checklist, commissioning, responder and others",
        "record": "verify or export what was recorded",
        "replay": "run a journal through the core again, compare every byte",
        "audit": "judge a load by grid operators' rules",
        "siting": "audit a site's plan: spacing, energies, heights",
    },
    "started by systemd": {
        "run": "the controller of one cabinet",
        "planner": "plan the battery's day by prices, load and sun",
        "console": "pages and actions on a terminal, or a serial line",
        "watch": "tell a cabinet what the queue of a cluster will do",
    },
}
COMMANDS = {name: summary for group in GROUPS.values() for name, summary in group.items()}
# {command with actions: {action: its help}}; the actions may be in several modules
ACTIONS = {
    "test": {
        "lamp": "flash both lamps for five seconds",
        "power": "in TEST mode: run for a minute with 5 % of rated power",
        "sign": "in TEST mode: compare converter, racks, meters",
        "step": "in TEST mode: delay, ramp, gain and overshoot of a converter",
        "proof": "the ledger of proof tests: record one, list what is due, verify",
    },
    "bus": {
        "probe": "read only: who answers, which profile fits it, and why",
        "sniff": "listen, decode live, save; sends nothing",
        "decode": "a saved capture of a device, by its profile, as named values",
        "can-up": "set up a CAN interface as configured (for the service)",
    },
    "box": {
        "install": "as root: a release from a signed bundle, without a network",
        "rollback": "as root: the release before; configuration and state stay",
        "trial": "whether the new release stays, or goes back by itself",
        "figures": "how the running release controls, as JSON for the trial",
        "backup": "configuration, keys, users and latches as one file",
        "restore": "put back what a box lacks; replaces nothing",
        "prepare": "write the first store of a new cabinet, in standby",
        "provision": "configuration and keys of each cabinet of a list",
        "migrate": "the files of an earlier version, and the steps to this one",
    },
    "fleet": {
        "show": "a line for each cabinet, the worst first; alarms, differences",
        "ask": "may a job that raises the load run, and with which margin",
        "roll-out": "a release on one cabinet, then a tenth, then the rest",
    },
    "record": {
        "run": "store events, history and captures of a running controller",
        "verify": "check the hash chain of the recorded events",
        "export": "write events, seconds (CSV) or captures to a directory",
    },
}
# {command whose action may be left out: the action that it then has}
USUAL_ACTION = {"fleet": "show"}
# {name in an earlier version: the command that does the same now}
RENAMED = {
    "lamp-test": "test lamp",
    "test-mode": "test power",
    "sign-test": "test sign",
    "step-test": "test step",
    "proof-test": "test proof",
    "console-user": "user",
    **{name: f"bus {name}" for name in ACTIONS["bus"]},
    **{name: f"box {name}" for name in ACTIONS["box"]},
    **{name: f"record {name}" for name in ("verify", "export")},
    **{
        name: f"document {name}"
        for name in ("matrix", "checklist", "commissioning", "responder", "wiring", "reasons")
    },
    "evidence": "document hazards`, `document faults` or `document sbom",
    "upstream": "doors local --listen PATH",
}
# {module in controller/: its commands}; any other command has a module of its name in console/
MODULES = {
    "run.command": ("run",),
    "audit.command": ("audit",),
    "dispatch.command": ("dispatch",),
    "console.roll_out": ("fleet roll-out",),
    "console.fleet": ("fleet show", "fleet ask"),
    "console.backup": ("box backup", "box restore"),
    "console.operator": ("start", "stop", "lock-out", "test lamp", "test power"),
    "console.record": ("record run", "record verify"),
    "console.show": (
        "status",
        "why",
        "alarms",
        "events",
        "trend",
        "racks",
        "map",
        "devices",
        "links",
    ),
    "console.step_test": ("test sign", "test step"),
    "console.proof_test": ("test proof",),
    "console.terminal.console": ("console", "user"),
    "documents.check": ("check",),
    "documents.command": ("document",),
    "siting.command": ("siting",),
    "systemd.rollback": ("box rollback",),
    "systemd.trial": ("box trial",),
    "systemd.trial_figures": ("box figures",),
    "systemd.signed_bundle": ("box install",),
    "workbench.profile": ("profile",),
    **{f"workbench.{name.replace('-', '_')}": (f"bus {name}",) for name in ACTIONS["bus"]},
}
