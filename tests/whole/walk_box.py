"""Pieces of a walk: commands and options from the parsers, cabinets, states, the console."""

import json
import os
import pathlib
import re
from datetime import datetime

import pytest
import sample_plan
from command_line import facts_in, leaves, run
from terminal_bench import FakeActions, FakeActor
from watched import Watched, action, check_state
from whole_box import CABINETS, PODS

from controller import __main__ as cli
from controller.config import configuration
from controller.console import pages
from controller.console.login import Failures
from controller.console.replace_steps import KINDS
from controller.console.terminal import words
from controller.console.terminal.session import PAGE_KEYS, Session
from controller.console.terminal.view import BODY_ROWS, View
from controller.core.site_devices.roles import ROLES
from controller.hints.hint_statistics import HintStatistics
from controller.run.link_statistics import LinkStatistics
from controller.state import plan_file, watch
from hil.engine import pod
from hil.engine.simulate import VirtualRig
from hil.loads import selection
from tests.exemptions import Exempt, same

WIDTH, BOOTED_S, FAULT_S = 79, 0.06, 5
SEEN_S = 20.1  # behind a keyframe, from which each command reads on
SOON_S = 12  # a frozen meter and a silent PCS set their last row after 5 s
LATE_ROLES = ("gas_", "offgas_", "toxic", "climate", "ups")  # after 10 s; a gas detector: 13 s
GIVEN = {
    "--power": "20kW",
    "--for": "10min",
    "--source": "site_ems",
    "name": "anna",
    "bus": "/dev/null",  # no serial port
    "kind": "meter",
}
SERVICES = (*cli.SERVICES, "reset")  # they run on, or need a code


LEAVES = dict(leaves())


def options(command):
    """{option or argument: its argparse action} of a command."""
    found = LEAVES[command]._actions
    return {(each.option_strings or [each.dest])[0]: each for each in found}


def argv(command, *more):
    """The command with a value for each required option."""
    needed = [name for name, each in options(command).items() if each.required]
    given = [text for name in needed for text in (*[name] * name.startswith("-"), GIVEN[name])]
    return *command.split(), *given, *more


# Keys and the ledger are there without a controller.
WITH_RUN_DIR = [
    name
    for name in LEAVES
    if "--run-dir" in options(name) and not name.startswith(("key ", "test proof "))
]
NO_PAGES = same(
    Exempt(
        "its JSON is of a form that no walk has seen; each sends, or needs a file",
        "tests/controller/console/test_json_of_commands.py::test_every_command_that_prints_has_json",
    ),
    "hint",
    "bus probe",
    "replace",
    "test sign",
    "test step",
    "doors",
)
PAGES = [name for name in WITH_RUN_DIR if "--json" in options(name) and name not in NO_PAGES]


def configs(tick_ms=None):
    """Each shipped cabinet and member of a pod. tick_ms: of all, None: as shipped."""
    found = {path.parent.name: configuration.load(path, tick_ms=tick_ms) for path in CABINETS}
    for path in PODS:
        for number, config in enumerate(pod.member_configs(str(path), tick_ms=tick_ms), 1):
            found[f"{path.stem}_{number}"] = config
    return found


CONFIGS, AT_100_MS = configs(), configs(100)
SHIPPED = [path.parent.name for path in CABINETS]  # members of pods are the same cabinets


def faulty(fault, beginning):
    """(cabinet, state, course) of each device of a shipped cabinet whose role begins so."""
    for cabinet in SHIPPED:
        for device in CONFIGS[cabinet].devices:
            if device.role.startswith(beginning):
                # the rig names a site device by its role
                own = f"{device.role}_{device.index + 1}" if device.role in ROLES else device.name
                seen_s = SEEN_S if device.role.startswith(LATE_ROLES) else SOON_S
                actions = [action(FAULT_S, "device_fault", device=own, fault=fault)]
                yield cabinet, f"{device.name} {fault}", (seen_s, actions)


STATES = {
    "just started": (BOOTED_S, []),
    "running": (SEEN_S, []),
    "tripped": (SEEN_S, [action(FAULT_S, "estop_press")]),
    "off the grid": (SEEN_S, [action(FAULT_S, "island", unit=1, on=True)]),
}
WALKS = [(cabinet, state, course) for cabinet in CONFIGS for state, course in STATES.items()]
WALKS += [*faulty("silent", ""), *faulty("frozen", "meter_")]
SHORT = (
    "pv_genset running",
    "pylontech tripped",
    "pv_genset roof silent",
    "pylontech meter_grid frozen",
)


def walks():
    """Cabinet, state and course of each walk; most run with `--whole` only."""
    for each in WALKS:
        name = " ".join(each[:2])
        yield pytest.param(*each, id=name, marks=[pytest.mark.whole] * (name not in SHORT))


def config(cabinet, state):
    """The cabinet starts and runs with its own tick; at 100 ms a trouble has the same pages."""
    return (CONFIGS if state in ("just started", "running") else AT_100_MS)[cabinet]


def on_the_box(folder, config, course):
    """A rig in this state, with the counters that the loop writes."""
    until_s, actions = course
    load_W = selection.peak_W(config) / 2
    found = Watched(folder, lambda t_s: load_W, actions, settings=config, rig=VirtualRig)
    found.run(until_s)
    cabinet = found.rig.controller.cabinet
    can_ports = {name: bus.port for name, bus in cabinet.field.can.items()}
    counters = LinkStatistics(f"{folder}/links.stats", cabinet.field.ports, can_ports, {}, {})
    counters.note(1)
    counters.close()
    HintStatistics(f"{folder}/hints.stats", config.sources).close()
    write_plan(folder)
    return found


def check_replaced(capsys, config, places):
    """`replace` shows each device that it can exchange."""
    kinds = [
        (kind, each.name)
        for kind in KINDS
        for each in config.devices
        if each.role in KINDS[kind].roles
    ]
    for kind, device in kinds:
        command = "replace", kind, device, *places
        result, out, err = run(capsys, *command, "--json")
        assert (result, err, facts_in(out)["device"]) == (0, [], device)
        result, out, err = run(capsys, *command)
        assert (result, err) == (0, []) and device in " ".join(fits(out, command))


def fits(lines, page):
    assert lines, page
    for line in lines:
        assert line.isascii() and len(line) <= WIDTH, (page, line)
        assert not re.search(r"\b(None|nan|Traceback)\b", line), (page, line)
    return lines


def opened(capsys, folder, code):
    """{page: all its lines, of each part}; each command also as JSON."""
    found = {}
    places = "--run-dir", folder, "--state-dir", folder
    for command in PAGES:
        of_it = places if "--state-dir" in options(command) else places[:2]
        result, out, err = run(capsys, *argv(command, *of_it, "--json"))
        # join and plan need no controller
        codes = {"ask": (0, 1, 3), "join": (0, 1), "plan": (0, 1)}.get(command, (code,))
        facts = facts_in(out)
        assert result in codes and err == [] and isinstance(facts, dict)
        if command == "status":
            check_state(facts)
        found[command], part = [], 0
        while part == 0 or ("--page" in options(command) and result != 2):
            part += 1
            more = ("--page", str(part)) if "--page" in options(command) else ()
            result, out, err = run(capsys, *argv(command, *of_it, *more))
            assert result in (*codes, *[2] * (part > 1)), (command, err)
            found[command] += fits(out, command) if result != 2 else []
    return found


def pressed(folder, pause):
    """{page of the serial console: all its lines}."""
    view = View(folder, folder, pause)
    actions = FakeActions()
    actions.exported = lambda: []
    session = Session(view, actions, FakeActor(), Failures(folder), folder, "here", 1)
    found = {}
    for key in (*words.PAGE_OF_KEY, *PAGE_KEYS):
        session.press(key, 1)
        if session.page in found:
            continue
        view.update()
        assert view.trouble is None
        parts = [view.page(session.page, 0, session.extra())]
        parts += [view.page(session.page, part) for part in range(1, parts[0].parts)]
        found[session.page] = []
        for page in parts:
            assert len(page.body) <= BODY_ROWS, session.page
            found[session.page] += fits([*page.head, *page.body], session.page)
        assert "has an error" not in " ".join(found[session.page])
    check_plans(folder, view)
    view.close()
    return found


def check_plans(folder, view):
    """The page `plan` with an old, a damaged, a foreign and no plan.json."""
    path = plan_file.beside(folder)
    old = json.dumps(sample_plan.plan(datetime(2020, 1, 2, tzinfo=sample_plan.ZONE)))
    cases = {"nothing since": old, "is not JSON": old[:-9], "not a table": "[]", "no plan yet": ""}
    for words_of_it, text in cases.items():
        os.remove(path)
        if text:
            pathlib.Path(path).write_text(text)
        page = view.page("plan", 0)
        body = fits([*page.head, *page.body], "plan")
        assert len(page.body) <= BODY_ROWS and words_of_it in re.sub(r"\s+", " ", " ".join(body))
    write_plan(folder)


def write_plan(folder):
    os.makedirs(os.path.dirname(plan_file.beside(str(folder))), exist_ok=True)
    plan_file.written(plan_file.beside(str(folder)), sample_plan.plan())


def seen_by_watch(watched):
    """Same as `opened`, without the commands: each device in turn would take long."""
    found = {}
    for page in watch.PAGE_NAMES:
        facts = watched.facts(page)
        facts = json.loads(json.dumps(facts))
        if page == "status":
            check_state(facts)
        found[page] = [line for part in pages.parts(page, facts) for line in part]
        fits(found[page], page)
    return found
