"""One read of a tool through the controller: who may, which bus and unit, and the answers."""

import os
import threading
from types import SimpleNamespace

import pytest

from controller.config import bus_times, configuration
from controller.run import operator_client, operator_commands as oc, tool_read as tr
from controller.run.cabinet import Cabinet
from controller.sites import EXAMPLE
from drivers.buses import rtu
from safety import signals as s
from tests.tables import cases

CONFIG = configuration.load(EXAMPLE)
PLACE = (9, 3, 100, 2)


class Bench:
    """Reads on the buses of the example cabinet, without devices."""

    def __init__(self):
        self.ports = {b.name: bus_times.rtu_port(CONFIG, b) for b in CONFIG.buses if b.port}
        self.reads = tr.ToolReads(CONFIG, SimpleNamespace(ports=self.ports))
        self.ended = []

    def ask(self, bus="meter_grid", place=PLACE, is_energised=False):
        return self.reads.ask(bus, place, is_energised, 0, lambda *end: self.ended.append(end))


@cases("""
    bus  place  is_energised  answer
    "meter_grid"  PLACE  True  tr.LATER | "meter_grid"  (1, 3, 0, 1)  True  tr.IS_DEVICE
    "meter_grid"  (1, 3, 0, 1)  False  tr.LATER | "pcs"  PLACE  True  tr.HAS_OUTPUTS
    "io"  PLACE  True  tr.HAS_OUTPUTS | "pcs"  PLACE  False  tr.LATER
    "can0"  PLACE  False  tr.NO_BUS | ""  PLACE  False  tr.NO_BUS
""")
def test_what_may_be_read(bus, place, is_energised, answer):
    assert Bench().ask(bus, place, is_energised) == answer


@cases("""
    place
    (0, 3, 0, 1) | (248, 3, 0, 1) | (1, 5, 0, 1) | (1, 6, 0, 1) | (1, 16, 0, 1) | (1, 3, 0, 126)
    (1, 3, 65535, 2) | (1, 1, 0, 2001) | (1, 3, 0, 0)
""")
def test_no_write_and_no_impossible_read_leaves(place):
    with pytest.raises(ValueError):
        Bench().ask(place=place)


@cases("""
    reply  answer
    rtu.seal(bytes((9, 3, 4, 1, 2, 3, 4)))  (tr.DATA, 0, bytes((1, 2, 3, 4)))
    rtu.seal(bytes((9, 0x83, 2)))  (tr.EXCEPTION, 2, b"") | b""  (tr.SILENT, 0, b"")
    bytes((9, 3, 4, 1, 2, 3, 4, 0, 0))  (tr.DAMAGED, 0, b"")
""")
def test_how_a_read_ends(reply, answer):
    bench = Bench()
    assert bench.ask() == tr.LATER and bench.ask() == tr.OTHERS
    port = bench.ports["meter_grid"]
    assert port.poll(5000) == rtu.seal(bytes((9, 3, 0, 100, 0, 2)))
    port.receive(reply, 8000)
    port.poll(900_000)
    assert bench.ended == [answer]
    assert bench.ask() == tr.LATER


@pytest.mark.parametrize("is_open", [True, False])
@pytest.mark.parametrize("signal", [s.CONTACTOR_SUPPLY_OK, s.ARM_REQUEST, None])
def test_energised_until_every_contactor_reports_open(is_open, signal):
    out = [0] * 200
    if signal is not None:
        out[signal] = 1
    features = SimpleNamespace(all_reported_open=lambda: is_open)
    asked = []
    cabinet = SimpleNamespace(
        core=SimpleNamespace(kernel=SimpleNamespace(out=out, features=features)),
        _tool_reads=SimpleNamespace(ask=lambda *given: asked.append(given[2])),
        _now_us=0,
    )
    Cabinet.request_read(cabinet, "io", PLACE, None)
    assert asked == [signal is not None or not is_open]


@cases("""
    end  answer
    (tr.DATA, 0, b"\\1\\2")  (tr.DATA, 0, b"\\1\\2")
    (tr.EXCEPTION, 2, b"")  (tr.EXCEPTION, 2, b"")
    (tr.DATA, 0, bytes(250))  (tr.DATA, 0, bytes(250))
""")
def test_the_answer_reaches_the_tool(tmp_path, end, answer):
    path = str(tmp_path / "command.sock")
    listener, ends, answers = oc.Listener(path), [], []

    def request_read(bus, place, end):
        assert (bus, place) == ("meter_grid", PLACE)
        ends.append(end)
        return tr.LATER

    cabinet = SimpleNamespace(request_read=request_read)
    given = path, "meter_grid", PLACE
    asker = threading.Thread(target=lambda: answers.append(operator_client.read(*given)))
    asker.start()
    while not ends:
        listener.receive(cabinet)
    ends[0](*end)
    asker.join()
    listener.close()
    assert answers == [answer] and not os.path.exists(path)
