"""The second line of every page: the first action of a person near the cabinet."""

from types import SimpleNamespace

import pytest
from watched import Watched, action

from controller.console import pages
from controller.core import image
from controller.run import peer_words
from controller.state import base, watch
from safety import matrix as m
from tests.tables import table

NO_ALARM = image.PEER_EMPTY[0]
AWAY = "KEEP AWAY. DO NOT OPEN. CALL THE FIRE SERVICE."
AFAR = "DO NOT OPEN. WATCH GAS AND TEMPERATURES FROM AFAR."
IN_B = [peer_words.stage_in_b(place) for place in range(40)]
GAS_IN_B = next(at for at, stage in enumerate(IN_B) if stage and stage[m.S_ID] == "12b")
OF_ALL = f"""
 | {NO_ALARM} | warning | ; 18b.rack1 40a.rack2 | {NO_ALARM} | warning |
19a.rack1 18b.rack1 | {NO_ALARM} | limited | ; 1a | {NO_ALARM} | stopped |
20b.rack1 22.rack1 18b.rack1 | {NO_ALARM} | sign of fire or gas | {AFAR}
22.rack1 23a.rack1 1a | {NO_ALARM} | keep away | {AWAY} ; 51 | {GAS_IN_B} | keep away | {AWAY}
"""


@pytest.mark.parametrize("standing, in_b, name, words", table(OF_ALL))
def test_the_most_dangerous_of_both_channels_counts(standing, in_b, name, words):
    seen = SimpleNamespace(standing=str(standing).split(), causes=(-1, 0, int(in_b), 0))
    found = base.danger_of(seen)
    assert (found["name"], found["words"]) == (name, words)


def test_every_page_has_it_in_the_second_line_only_during_danger(tmp_path):
    pressed = action(8, "offgas", ppm=60, detector=1), action(8, "offgas", ppm=60, detector=2)
    watched = Watched(tmp_path, actions=pressed).run(7)
    for page in watch.PAGE_NAMES:
        assert watched.lines(page)[1] == "-" * 79
    watched.run(20)
    assert "8a" in [row["stage"] for row in watched.facts("alarms")["standing"]]
    for page in watch.PAGE_NAMES:
        for number in range(1, len(pages.parts(page, watched.facts(page))) + 1):
            line = pages.lines(page, watched.facts(page), number)[1]
            assert line == f"!!! {AWAY} ".ljust(79, "!"), page
