"""A pause of this machine: measured in the plant process and in the controller's ticks; the run
does not count, and nothing of it is put on a device, a wire or the controller.
"""

import json
import socket
import time
from types import SimpleNamespace

import pytest
from test_pod import EXAMPLE as POD
from test_run_result import OTHER, TRIP, outcome

from controller.config import configuration
from controller.sites import EXAMPLE
from hil import __main__ as cli
from hil.engine import pod_command, rig_command
from hil.engine.plant_process import PlantProcess
from hil.engine.pod_process import PodProcess
from hil.engine.wired_cabinet import JournalWatch
from hil.observer.trips import TripWatch
from hil.results import pauses, words
from hil.results.pauses import Pauses
from tests.tables import cases

PAUSE = {"who": "simulated cabinet", "t_s": 1.5, "s": 0.8}


def test_what_is_longer_than_three_tenths_of_a_second_is_a_pause():
    seen = Pauses()
    for now_us in (10_000, 310_000, 610_001, 620_000, 1_420_000):
        seen.turn(now_us)
    assert [(each["t_s"], each["s"]) for each in seen.so_far] == [(0.01, 0.6), (0.62, 0.8)]
    assert {each["who"] for each in seen.so_far} == {"simulated cabinet"}


def spans(*gaps):
    """Begin and length of the pauses that gaps (who, begin ms, length ms) make."""
    seen = Pauses()
    for who, begin_ms, length_ms in gaps:
        seen.see(who, (begin_ms + length_ms) * 1000, length_ms * 1000)
    return [(each["t_s"], each["s"], each["who"]) for each in seen.so_far]


PLANT, LOOP = "simulated cabinet", "controller"
BOTH = "controller and simulated cabinet"


@cases("""gaps  found
    [(PLANT, 1000, 301)]                      [(1.0, 0.3, PLANT)]
    [(PLANT, 1000, 300)]                      []
    [(PLANT, 1000, 240), (PLANT, 1260, 240)]  [(1.0, 0.48, PLANT)]
    [(PLANT, 1000, 150), (PLANT, 1350, 150)]  []
    [(PLANT, 1000, 151), (PLANT, 1349, 151)]  [(1.0, 0.3, PLANT)]
    [(PLANT, 1000, 200), (PLANT, 1600, 200)]  []
    [(PLANT, 1000, 200), (LOOP, 1200, 200)]   [(1.0, 0.4, BOTH)]
    [(LOOP, 1200, 200), (PLANT, 1000, 200)]   [(1.0, 0.4, BOTH)]
    [(PLANT, 1000, 200), (LOOP, 1000, 200)]   [(1.0, 0.2, BOTH)]
    [(PLANT, 1000 + 60 * at, 50) for at in range(50)]  []
""")
def test_gaps_within_half_a_second_count_together(gaps, found):
    assert spans(*gaps) == [(t_s, pytest.approx(s, abs=0.01), who) for t_s, s, who in found]


@cases("""stage  row  t_s  fault_s  is_excused
    "40b"  40  1.6  None  True
    "40b"  40  1.4  None  False
    "40b"  40  12.3  None  True
    "40b"  40  12.4  None  False
    "44g"  44  1.6  None  True
    "44a"  44  1.6  None  False
    "11a"  11  1.6  None  False
    "40b"  40  1.6  1.6   False
    "40b"  40  1.6  1.7   True
""")
def test_only_what_a_pause_can_cause_is_excused_and_nothing_after_a_fault(
    stage, row, t_s, fault_s, is_excused
):
    trip = {"stage": stage, "row": row, "t_s": t_s}
    assert pauses.is_excused(trip, [PAUSE], fault_s) == is_excused


@cases("""gap_ms  row  fault_s  count  is_after
    150     50   None     1      True
    101     50   None     1      True
    100     50   None     0      False
    150     11   None     0      False
    150     50   0.5      0      False
    151     11   None     1      False
""")
def test_beside_a_trip_of_silence_two_tenths_of_a_second_are_a_pause(
    gap_ms, row, fault_s, count, is_after
):
    """Three stops of 0.15 s blamed a meter's supply, and the run ended with 0."""
    seen = Pauses()
    for begin_ms in (1000, 1000 + gap_ms + 1):
        seen.see(PLANT, (begin_ms + gap_ms) * 1000, gap_ms * 1000)
    found = pauses.judged([{"stage": f"{row}a", "row": row, "t_s": 1.5}], seen, fault_s)
    assert [each["is_after_pause"] for each in found["trips"]] == [is_after]
    assert len(found["pauses"]) == count


@pytest.mark.parametrize("may_stall, count", [(False, 1), (True, 0)])
def test_a_gap_in_the_ticks_of_the_controller_is_one_too(tmp_path, may_stall, count):
    (tmp_path / "journal").write_bytes(b"")
    watch = JournalWatch(str(tmp_path), 20, TripWatch(configuration.load(EXAMPLE).layout()))
    watch.may_stall, watch.seen_ino = may_stall, (tmp_path / "journal").stat().st_ino
    frames = [SimpleNamespace(sequence=at, elapsed_ticks=1 + 40 * (at == 3)) for at in range(5)]
    watch.snapshot = SimpleNamespace(
        sequence=0, reader=SimpleNamespace(newest=lambda: 4), follow=lambda: frames,
        standing_words=(0,),
    )  # fmt: skip
    watch._follow(10_000_000)
    found = [(each["who"], each["t_s"], each["s"]) for each in watch.pauses.so_far]
    assert found == [("controller", 9.16, 0.82)] * count


@pytest.mark.wire
def test_both_plant_processes_measure_their_own_pause(tmp_path):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    arguments = cli.parser().parse_args(["rig", "--for", "5"])
    order = rig_command.order_of(arguments, None, configuration.load(EXAMPLE))
    one = PlantProcess(order | {"run_dir": str(tmp_path)}, theirs)
    one.start_ns = time.monotonic_ns()
    one._service(one.clock_us())
    one.start_ns -= 800_000_000
    one._service(one.clock_us())
    (found,) = one._content()["pauses"]
    assert found["who"] == "simulated cabinet" and 0.8 <= found["s"] < 2
    order = {
        "file": str(POD),
        "seconds": 5,
        "seed": 1,
        "soc_pct": 50,
        "html": None,
        "run_dirs": [str(tmp_path)] * 2,
        "result": str(tmp_path / "result"),
    }
    pod = PodProcess(order, theirs)
    pod.start_ns = time.monotonic_ns()
    pod._serve()
    pod.start_ns -= 800_000_000
    pod._serve()
    pod.write()
    doc = json.loads((tmp_path / "result").read_text())
    (found,) = doc["pauses"]
    assert 0.8 <= found["s"] < 2 and pod_command.finished(doc, None) == 1
    assert pod_command.lines(doc)[0].startswith("paused     This machine paused for ")
    ours.close()
    theirs.close()


def test_a_run_with_a_pause_does_not_count_and_blames_nothing(tmp_path):
    trips = [
        {**TRIP, "t_s": 1.02, "is_after_pause": False},
        {**OTHER, "t_s": 2.3, "is_after_pause": True},
    ]
    found = outcome(chosen=None, trips=trips, pauses=[PAUSE], violations=["2.4 s: something"])
    text = "\n".join(found.lines())
    assert found.exit_code == 1 and "not judged invariant broken: 2.4 s: something" in text
    assert text.startswith(
        "paused     This machine paused for 0.8 s at 1.5 s (simulated cabinet). "
    )
    assert "Release it, inspect, reset" in text, "a trip before the pause keeps its words"
    after = text[text.index("2.30 s, row 29") :].partition("not judged inv")[0]
    assert "After the pause of this machine" in " ".join(after.split())
    found.write(str(tmp_path / "a.json"), str(tmp_path / "a.html"), "x")
    doc = json.loads((tmp_path / "a.json").read_text())
    assert doc["pauses"] == [PAUSE]
    assert [each["is_after_pause"] for each in doc["trips"]] == [False, True]
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.index('<p><span class="missing">This machine paused for 0.8 s') < page.index("<h1>")
    assert "After the pause of this machine, so not judged." in page
    assert words.first_trip(doc | {"trips": doc["trips"][1:]}) == ""
    assert "the controller itself hangs" not in text
    alone = words.paused([PAUSE | {"who": "controller"}])
    assert alone.endswith("idle machine, the controller itself hangs.")
    assert outcome(chosen=None, pauses=[PAUSE], interrupted=True).exit_code == 130
