"""A virtual rig with a journal in a folder, and a Watch of it.

Value mode: the words of byte mode (tests/hil/values/test_words.py) for less time.
"""

import copy
import functools
import json
import os
import re
import shutil

import fastjsonschema

from controller.config import configuration
from controller.console import pages
from controller.console.pages import text
from controller.journal.journal_header import open_journal
from controller.sites import EXAMPLE, FOLDER as SITES
from controller.state import schema, watch
from hil.loads import selection
from hil.scenarios import scenario
from hil.scenarios.scenario import Action
from hil.values.rig import ValueRig
from tests.controller.run.cabinet_bench import believed

# At 100 ms a page has the words of 20 ms, the tick of a box, for a fifth of the time.
CONFIG = believed(configuration.load(EXAMPLE, tick_ms=100))
EACH_20_MS = believed(configuration.load(EXAMPLE))
SECOND_US = 1_000_000
BOOT_US = 24_500 * SECOND_US  # the box has run for hours when its controller starts
UTC_US = 1_773_454_051_000_000  # 2026-03-14 02:07:31, when it starts
RING_BYTES = 4 << 20  # over half a minute; rings of a cabinet's size would fill the disk


@functools.cache
def form_of_state():
    return fastjsonschema.compile(schema.schema())


def check_state(facts):
    form_of_state()(facts)


def action(at_s, do, **arguments):
    """One action of a scenario; a device_fault begins unless `value` is False."""
    if do == "device_fault":
        arguments = {"value": True, **arguments}
    return Action(round(at_s * SECOND_US), do, do, arguments)


def silent(at_s, device, **more):
    return action(at_s, "device_fault", device=device, fault="silent", **more)


def pressed(at_s, for_s=1):
    return [action(at_s, "estop_press"), action(at_s + for_s, "estop_release")]


class BoxClocks:
    """utc.Clocks of the rig's box, steered; `behind_us`: time that passes while the rig stands
    still.
    """

    def __init__(self, rig):
        self.behind_us = 0
        self.now_us = lambda: BOOT_US + rig.now_us + self.behind_us
        self.utc_us = lambda: UTC_US + rig.now_us + self.behind_us
        self.steered_us, self.started_from_rtc = lambda: 5000, lambda: True


class Watched:
    """A rig and a Watch of its journal, which waits for the rig's next step."""

    def __init__(
        self,
        folder,
        load=lambda t_s: 300_000.0,
        actions=(),
        soc=0.55,
        settings=CONFIG,
        rig=ValueRig,
    ):
        self.folder = self.state = str(folder)
        self.rig = rig(settings, load, 1, actions, {"soc": soc})
        self.clocks = BoxClocks(self.rig)
        cabinet = self.rig.controller.cabinet
        cabinet.journal = open_journal(
            os.path.join(self.folder, "journal"), settings, cabinet.core, RING_BYTES
        )
        self.seen = None

    def run(self, duration_s):
        """Run until this much virtual time has passed since the start."""
        self.rig.run(duration_s)
        return self

    def beside(self, state_folder):
        found = copy.copy(self)
        found.state, found.seen = str(state_folder), None
        return found

    def watch(self):
        if self.seen is None:
            self.seen = watch.Watch(self.folder, self.state, self.clocks)
        self.seen.update(self.rig.step)
        return self.seen

    def facts(self, page, **options):
        found = self.watch().facts(page, **options)
        if page == "status":
            check_state(json.loads(json.dumps(found)))
        return found

    def lines(self, page, **changes):
        return pages.lines(page, {**self.facts(page), **changes})

    def text(self, page, **changes):
        return "\n".join(self.lines(page, **changes))

    @property
    def core(self):
        return self.rig.controller.cabinet.core

    @property
    def shadow(self):
        return self.watch().shadow


def two_channels(folder):
    shutil.copytree(SITES, folder / "sites")
    path = folder / "sites" / "types" / "firebreak_645.toml"
    text = path.read_text().replace('second_channel = "none"', 'second_channel = "fitted"')
    path.write_text(
        text.replace("[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n', 1)
    )
    return configuration.load(folder / "sites" / "example" / "cabinet.toml")


def stuck_at_b(watched, at_s):
    """Channel B alone sees the emergency stop pressed, for 0.3 s."""
    watched.run(at_s).rig.channel_b.stuck["estop_1_ok"] = 0
    watched.run(at_s + 0.3).rig.channel_b.stuck.clear()
    return watched


def of_scenario(name, folder, sooner_s=0, settings=CONFIG):
    """A scenario. sooner_s: its load and actions come so much earlier."""
    chosen = scenario.load(name)
    load = selection.load_of({"seed": chosen.seed, "duration_s": chosen.duration_s}, chosen)
    sooner_us = sooner_s * SECOND_US
    actions = [each._replace(at_us=each.at_us - sooner_us) for each in chosen.actions]
    soc = chosen.soc_pct / 100
    return Watched(folder, lambda t_s: load.power(t_s + sooner_s), actions, soc, settings)


# The words of the project are request, limit, available power.
NO_WORDS = "safe safely wish bound bounds lease envelope L0 L1 L2 compliant certified None nan"
FORBIDDEN = re.compile(rf"\b({NO_WORDS.replace(' ', '|')})\b")


def check(lines, page):
    assert 3 <= len(lines) <= text.HEIGHT, (page, len(lines))
    for line in lines:
        assert len(line) <= text.WIDTH and line.isascii() and line == line.rstrip(), (page, line)
        assert not FORBIDDEN.search(line), (page, line)
