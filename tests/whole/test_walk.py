"""Walk: every page and every `--json` of every command, for every shipped cabinet and pod, in each
state. Commands, options and pages come from the parsers, so a new one is walked too.
"""

import argparse
import json
import re
from functools import partial

import pytest
from command_line import run
from terminal_bench import FakeActions, FakeActor
from watched import Watched, action
from whole_box import CABINETS, PODS

from controller import __main__ as cli
from controller.config import configuration
from controller.console import pages, watch
from controller.console.terminal import words
from controller.console.terminal.login import Failures
from controller.console.terminal.session import SHOWN, Session
from controller.console.terminal.view import BODY_ROWS, View
from controller.core.site_devices.roles import ROLES
from controller.hints.hint_statistics import HintStatistics
from controller.run.link_statistics import LinkStatistics
from hil.engine import pod
from hil.loads import selection
from safety import signals as s

WIDTH, BOOTED_S, FAULT_S, SEEN_S = 79, 0.06, 5, 20  # a silent gas detector sets its row after 13 s
GIVEN = {"--power": "20kW", "--for": "10min", "--source": "site_ems", "name": "anna"}
SERVICES = (*cli.SERVICES, "reset")  # they run on, or need a code


def options(command):
    """{option or argument: its argparse action} of a command."""
    (commands,) = [each for each in cli._parser([command])._actions if each.dest == "command"]
    found = commands.choices[command]._actions
    assert isinstance(commands, argparse._SubParsersAction)
    return {(each.option_strings or [each.dest])[0]: each for each in found}


def argv(command, *more):
    """The command with a value for each required option."""
    needed = [name for name, each in options(command).items() if each.required]
    given = [text for name in needed for text in (*[name] * name.startswith("-"), GIVEN[name])]
    return command, *given, *more


WITH_RUN_DIR = [name for name in cli.COMMANDS if "--run-dir" in options(name)]
PAGES = [name for name in WITH_RUN_DIR if "--json" in options(name) and name != "hint"]


def configs():
    found = {path.parent.name: configuration.load(str(path)) for path in CABINETS}
    for path in PODS:
        for number, config in enumerate(pod.member_configs(str(path)), 1):
            found[f"{path.stem}_{number}"] = config
    return found


CONFIGS = configs()
SHIPPED = [path.parent.name for path in CABINETS]  # members of pods are the same cabinets


def silent(device):
    """The rig names a site device by its role."""
    name = f"{device.role}_{device.index + 1}" if device.role in ROLES else device.name
    return [action(FAULT_S, "device_fault", device=name, fault="silent")]


def frozen(device):
    return [action(FAULT_S, "device_fault", device=device.name, fault="frozen")]


STATES = {"running": (SEEN_S, []), "tripped": (SEEN_S, [action(FAULT_S, "estop_press")])}
SILENT = [
    (cabinet, f"{device.name} silent", (SEEN_S, silent(device)))
    for cabinet, config in CONFIGS.items()
    if cabinet in SHIPPED
    for device in config.devices
]
WALKS = [(cabinet, state, course) for cabinet in CONFIGS for state, course in STATES.items()]
WALKS += [(cabinet, "just started", (BOOTED_S, [])) for cabinet in CONFIGS]
FROZEN = [
    (cabinet, f"{device.name} frozen", (SEEN_S, frozen(device)))
    for cabinet, config in CONFIGS.items()
    if cabinet in SHIPPED
    for device in config.devices
    if device.role.startswith("meter_")
]
SHORT = (
    "example running",
    "pv_genset running",
    "pv_genset tripped",
    "pv_genset roof silent",
    "pylontech meter_grid frozen",
)


def walks():
    for each in WALKS + SILENT + FROZEN:
        name = " ".join(each[:2])
        yield pytest.param(*each, id=name, marks=[pytest.mark.whole] * (name not in SHORT))


def on_the_box(folder, config, course):
    """A rig in this state, with the counters that the loop writes."""
    until_s, actions = course
    load_W = selection.peak_W(config) / 2
    found = Watched(folder, lambda t_s: load_W, actions, settings=config).run(until_s)
    cabinet = found.rig.controller.cabinet
    links = LinkStatistics(f"{folder}/links.stats", cabinet.field)
    links.note(1)
    links.close()
    HintStatistics(f"{folder}/hints.stats", config.sources).close()
    return found


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
        codes = (0, 1, 3) if command == "ask" else (code,)
        assert result in codes and err == [] and isinstance(json.loads("\n".join(out)), dict)
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
    for key in (*words.PAGES, *SHOWN):
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
    view.close()
    return found


def seen_by_watch(watched):
    """As `opened`, without the commands: each device in turn would take long."""
    found = {}
    for page in watch.PAGES:
        facts = watched.facts(page)
        assert json.loads(json.dumps(facts))
        parts = range(1, pages.count(page, facts) + 1)
        found[page] = [line for part in parts for line in pages.lines(page, facts, part)]
        fits(found[page], page)
    return found


def check_names(config, pages):
    """Every device and bus in full."""
    site = [device.name for device in config.devices if device.role in ROLES]
    names = [each.name for each in (*config.devices, *config.buses)]
    for page, expected in (("links", names), ("devices", site)):
        text = " ".join(pages[page])
        assert [name for name in expected if not re.search(rf"\b{name}\b", text)] == [], page


def unknown_words(shadow, state):
    """Places of the inputs that are silent or frozen."""
    layout, found = shadow.layout, []
    tables = [(s.CABINET_INPUTS, lambda at: at, lambda group: group)]
    for unit in range(layout.units):
        places = partial(layout.unit_input, unit), partial(layout.unit_group, unit)
        tables.append((s.UNIT_INPUTS, *places))
    for rack in range(layout.racks):
        places = partial(layout.rack_input, rack), partial(layout.rack_group, rack)
        tables.append((s.RACK_INPUTS, *places))
    for table, place, group in tables:
        groups = [group(int(row[4])) for row in table]
        found += [place(at) for at, each in enumerate(groups) if is_unknown(shadow, each, state)]
    modules = {place for place in found if place in of_modules(layout)}
    found += [place + each for place in modules for each in range(1, layout.modules)]
    for view in shadow.core.site.devices:
        if not view.is_known:
            names = [f"{view.device.name}.{signal.name}" for signal in view.device.role.signals]
            found += [shadow.reader.header["input_names"].index(name) for name in names]
    return found


def is_unknown(shadow, group, state):
    is_frozen = state.endswith("frozen") and group in (s.G_METER_GRID, s.G_METER_LOAD)
    name = s.CABINET_GROUPS[group] if group < len(s.CABINET_GROUPS) else ""
    return not shadow.core.kernel.features.ages.known(group) or is_frozen and name in state


def of_modules(layout):
    return {layout.rack_input(at, s.MODULE_TEMPERATURE_DDEGC) for at in range(layout.racks)}


def facts_of(seen):
    """{page: its facts} of one moment, the ages of the console's own reading left out."""
    return {page: json.dumps(seen.facts(page), sort_keys=True) for page in watch.PAGES}


def check_alarm(watched, name):
    """A row that watches several devices names the one behind it, also in the events."""
    roles = {device["name"]: device["role"] for device in watched.shadow.reader.header["devices"]}
    if roles[name] in s.CABINET_GROUPS:
        rows = watched.facts("alarms")["standing"]
        assert {row["where"] for row in rows if name in row["devices"]} == {name}, rows
        assert name in watched.text("alarms") and f"{name}: " in watched.text("events")


def own_words(layout):
    """What was sent is the controller's own; the key's last place decides a reset's command."""
    sent = {layout.unit_input(unit, s.PCS_SENT_W) for unit in range(layout.units)}
    return {s.KEY_RUN_OK, *sent}


def check_truth(seen, state):
    """No page depends on the last value of a device that is silent or frozen."""
    before = facts_of(seen)
    places = set(unknown_words(seen.shadow, state)) - own_words(seen.shadow.layout)
    for inp in (seen.shadow.inp, seen.shadow.core.inp):
        for place in places:
            inp[place] ^= 1
    features = seen.shadow.core.kernel.features
    for place, known in enumerate(features.known):
        features.value[place] ^= not known
    after = facts_of(seen)
    assert [page for page in before if before[page] != after[page]] == []
    return len(places)


@pytest.mark.parametrize("cabinet, state, course", list(walks()))
def test_every_page_opens(tmp_path, capsys, monkeypatch, cabinet, state, course):
    config, folder = CONFIGS[cabinet], str(tmp_path)
    watched = on_the_box(tmp_path, config, course)
    step = watched.rig.step
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (step,))
    monkeypatch.setattr(watch, "wait", step)
    is_short = state.endswith(("silent", "frozen"))
    shown = seen_by_watch(watched) if is_short else opened(capsys, folder, 0)
    console = pressed(folder, step)
    assert set(watch.PAGES) <= set(shown) and set(watch.PAGES) <= set(console)
    for found in (shown, console):
        check_names(config, found)
    if is_short:
        check_alarm(watched, state.split()[0])
    assert check_truth(watched.watch(), state) or not is_short
    if state != "running":
        return
    # the controller ends: its journal stays
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (lambda: None,))
    monkeypatch.setattr(watch, "wait", lambda: None)
    assert all(
        "NOT TICKING" in lines[0]
        for page, lines in opened(capsys, folder, 1).items()
        if page in watch.PAGES
    )


DOCUMENTS = [name for name in cli.COMMANDS if "--format" in options(name)]


@pytest.mark.parametrize("cabinet", CABINETS, ids=lambda path: path.parent.name)
def test_every_document_of_every_cabinet_opens(capsys, cabinet):
    for command in DOCUMENTS:
        known = options(command)
        site = ("--site", str(cabinet)) if "--site" in known else ()
        kinds = [name for name, each in known.items() if each.dest == "show"] or [""]
        for form in known["--format"].choices:
            for kind in kinds:
                result, out, err = run(
                    capsys, command, *site, *filter(None, [kind]), "--format", form
                )
                assert result in (0, 1) and not err and all(line.isascii() for line in out)
                assert "Traceback" not in out[0] and (form != "json" or json.loads("\n".join(out)))
    assert run(capsys, "check", str(cabinet))[::2] == (0, [])


@pytest.mark.parametrize("place", ["none", "."])
def test_every_command_without_a_controller_ends_in_one_line(tmp_path, capsys, place):
    for command in WITH_RUN_DIR:
        if command not in SERVICES:
            result, out, err = run(capsys, *argv(command, "--run-dir", str(tmp_path / place)))
            lines = err or out
            assert (result, len(lines)) == (3, 1) or command in ("ask", "hint"), (command, lines)
            fits(["".join(lines).replace(str(tmp_path), "")[:WIDTH]], command)
