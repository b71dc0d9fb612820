"""Walk: every page and every `--json` of every command, for every shipped cabinet and pod, in each
state. Commands, options and pages come from the parsers, so a new one is walked too.
"""

import json
import re
from functools import partial

import pytest
import walk_box
from command_line import facts_in, run
from whole_box import first, of_cabinets

from controller.config import schema
from controller.core.site_devices.roles import ROLES
from controller.sites import PV_GENSET
from controller.state import links, watch
from safety import signals as s


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
    found = {page: seen.facts(page) for page in watch.PAGE_NAMES}
    for of_plan in (found["plan"], found["status"]["plan"]):
        del of_plan["age_s"]
    return {page: json.dumps(each, sort_keys=True) for page, each in found.items()}


def check_alarm(watched, name):
    """A row that watches several devices names the one behind it, also in the events."""
    roles = {device["name"]: device["role"] for device in watched.shadow.reader.header["devices"]}
    if roles[name] in s.CABINET_GROUPS:
        rows = watched.facts("alarms")["standing"]
        assert {row["where"] for row in rows if name in row["devices"]} == {name}, rows
        assert name in watched.text("alarms") and f"{name}: " in watched.text("events")


def own_words(layout):
    """The controller's own words of what it sent, and the key's last place, which a reset needs."""
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


@pytest.mark.parametrize("cabinet, state, course", list(walk_box.walks()))
def test_every_page_opens(tmp_path, capsys, monkeypatch, cabinet, state, course):
    config, folder = walk_box.config(cabinet, state), str(tmp_path)
    watched = walk_box.on_the_box(tmp_path, config, course)
    step = watched.rig.step
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (step,))
    monkeypatch.setattr(watch, "wait", step)
    is_short = state.endswith(("silent", "frozen"))
    shown = walk_box.seen_by_watch(watched) if is_short else walk_box.opened(capsys, folder, 0)
    console = walk_box.pressed(folder, step)
    assert set(watch.PAGE_NAMES) <= set(shown) and set(watch.PAGE_NAMES) <= set(console)
    for found in (shown, console):
        check_names(config, found)
    if is_short:
        check_alarm(watched, state.split()[0])
    assert check_truth(watched.watch(), state) or not is_short
    if state != "running":
        return
    walk_box.check_replaced(capsys, config, ("--run-dir", folder, "--state-dir", folder))
    # the controller ends: its journal stays
    monkeypatch.setattr(watch.Watch.update, "__defaults__", (lambda: None,))
    monkeypatch.setattr(watch, "wait", lambda: None)
    assert all(
        "NOT TICKING" in lines[0]
        for page, lines in walk_box.opened(capsys, folder, 1).items()
        if page in watch.PAGE_NAMES and page != "plan"  # of the planner
    )


@of_cabinets("cabinet", first(PV_GENSET))  # it has a device of each kind
def test_every_report_of_every_cabinet_opens(capsys, cabinet):
    """Its documents: tests/controller/documents/test_every_document.py."""
    for command in (("check",), ("document", "wiring"), ("profile", "list", "--site")):
        result, out, err = run(capsys, *command, str(cabinet))
        assert (result, err) == (0, []) and all(line.isascii() for line in out)
        if command != ("check",):
            facts = run(capsys, *command, str(cabinet), "--json")
            assert facts[::2] == (0, []) and facts_in(facts[1])


def test_every_role_of_the_configuration_is_a_kind_of_link():
    assert set(links.KINDS) == set(schema.ROLES)


@pytest.mark.parametrize("place", ["none", "."])
def test_every_command_without_a_controller_ends_in_one_line(tmp_path, capsys, place):
    for command in walk_box.WITH_RUN_DIR:
        if command not in walk_box.SERVICES:
            result, out, err = run(
                capsys, *walk_box.argv(command, "--run-dir", str(tmp_path / place))
            )
            lines = err or out
            assert (result, len(lines)) == (3, 1) or command in ("ask", "hint"), (command, lines)
            walk_box.fits(["".join(lines).replace(str(tmp_path), "")[: walk_box.WIDTH]], command)
