"""The pages in controller/console/PAGES.md, from virtual time. As a program it writes them."""

import re
import tempfile
from pathlib import Path

from controller import console
from controller.console import pages
from tests.controller.console.watched import EACH_20_MS, Watched, of_scenario

README = Path(console.__file__).parent / "PAGES.md"
PLACE = re.compile(r"<!-- (\w+) -->\n(?:```\n.*?\n```\n)?", re.DOTALL)


def narrowed(folder):
    def load(t_s):
        return 430_000.0 if t_s > 30 else 300_000.0

    watched = Watched(folder, load, settings=EACH_20_MS).run(29)
    watched.rig.cabinet.devices["bms_3"].overrides["LIMITS.discharge_current_max"] = 36.4
    return watched.run(31.3)


def made():
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        found = {"why": "\n".join(pages.lines("why", narrowed(one).facts("why")))}
        silent = of_scenario("bms_silent", two, settings=EACH_20_MS).run(40)
        found["alarms"] = "\n".join(pages.lines("alarms", silent.facts("alarms")))
    return found


def filled(text, texts):
    return PLACE.sub(
        lambda place: f"<!-- {place[1]} -->\n```\n$ firebreak {place[1]}\n{texts[place[1]]}\n```\n",
        text,
    )


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="ascii"), made()), encoding="ascii")
