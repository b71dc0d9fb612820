"""`python -m hil bench fleet`: thousands of cabinets, a real broker and the dispatcher's process.

One process stands for all cabinets: it sends each cabinet's report every REPORT_S and answers its
hints. The time from a report with a higher load to the hint that grants it is measured. Broker,
dispatcher and this process share the cores, so the times are upper bounds.
"""

import contextlib
import itertools
import os
import queue
import random
import statistics
import tempfile
from pathlib import Path

import paho.mqtt.client as mqtt

from hil.campaigns import process
from hil.campaigns.benchmarks import machine, mosquitto, timing
from hil.campaigns.benchmarks.document import Measured, figure, memory_figure, spread
from hil.engine.doors_beside import free_port
from hil.engine.process_memory import memory_kB
from hil.engine.rig import RigError
from hil.fleet.standin import StandIn

REPORT_S, ASK_S = 10.0, 0.2
LATE_MS = 1000.0  # a share that takes longer misses the budget
WAIT_S = 75.0  # a dispatcher sends no raise before the hints of an earlier one have run out
FALLBACK_W, LOAD_W, MORE_W, SPARE_W = 1000, 5000, 20_000, 1_000_000
SOURCE, TLS = "fleet", ", TLS"
HIDES = (
    "own loads without batteries, one connection for all cabinets, one machine; most "
    "hints fit at once, because the connection has room"
)


def run(
    cabinets: int = 10_000, seconds: float = 60.0, seed: int = 1, tls: bool = False
) -> Measured:
    """The findings. cabinets: how many. Raises RigError, OSError."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        port = free_port()
        certificate = mosquitto.certify(Path(folder)) if tls else None
        broker = mosquitto.start(Path(folder), port)
        stack.callback(process.end, broker)
        field = _Field(cabinets, port, seed, certificate)
        path = _fleet(Path(folder), field, port, certificate)
        dispatcher = process.module("controller", "dispatch", path, "--own-dir", folder)
        stack.callback(process.end, dispatcher)
        field.play(WAIT_S)
        field.delays_ms.clear()
        field.unanswered = 0
        pids = {"dispatcher": dispatcher.pid, "broker": broker.pid, "cabinets": os.getpid()}
        before_s = {name: machine.used_s(pid) for name, pid in pids.items()}
        field.play(seconds)
        shares_pct = {
            name: (machine.used_s(pid) - before_s[name]) / seconds * 100
            for name, pid in pids.items()
        }
        memory = {name: memory_kB(pid) for name, pid in pids.items()}
        if dispatcher.poll() is not None:
            raise RigError(f"the dispatcher ended with {dispatcher.returncode}")
    return _measured(f"{cabinets} cabinets{TLS if tls else ''}", seconds, field, shares_pct, memory)


def _measured(
    name: str,
    seconds: float,
    field: "_Field",
    shares_pct: dict[str, float],
    memory: dict[str, dict[str, int]],
) -> Measured:
    if not field.delays_ms:
        raise RigError("no share has come")
    figures = spread(
        f"{name}: from a report to its share", field.delays_ms, "ms", budget="fleet_share"
    )
    figures += [
        figure(
            f"{name}: {program} on one core",
            round(share_pct, 1),
            "%",
            budget="fleet_core" if program == "dispatcher" else None,
        )
        for program, share_pct in shares_pct.items()
    ]
    figures += [
        memory_figure(
            f"{name}: memory of the {program}",
            memory[program]["rss"],
            "fleet_memory" if program == "dispatcher" else None,
        )
        for program in ("dispatcher", "broker")
    ]
    lost = figure(f"{name}: raised loads without a share in {LATE_MS:g} ms", field.unanswered, "")
    median_ms = statistics.median(field.delays_ms)
    notes = [f"{seconds:g} s, median {median_ms:.1f} ms; {HIDES}"]
    return Measured([*figures, lost], notes, {"counts": field.counts}, "ordinary priority")


class _Field:
    """All cabinets, on one connection. `delays_ms`: from a report to its share."""

    def __init__(self, count: int, port: int, seed: int, certificate: Path | None) -> None:
        self._rng = random.Random(seed)
        self.key = self._rng.randbytes(32)
        names = [f"c{number}" for number in range(count)]
        self.boxes = {name: StandIn(name, self.key, FALLBACK_W, self._rng) for name in names}
        for box in self.boxes.values():
            box.load_W = LOAD_W
        self._names, self._came = names, queue.SimpleQueue[tuple[str, bytes]]()
        self.delays_ms: list[float] = []
        self._asked: dict[str, float] = {}
        self.unanswered, self.counts = 0, {"hints": 0, "reports": 0}
        self._client = client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.max_queued_messages_set(0)
        client.on_message = lambda _, __, message: self._came.put(
            (message.topic, bytes(message.payload))
        )
        if certificate is not None:
            client.tls_set(str(certificate))
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe(f"firebreak/+/command/{SOURCE}/signed", 0)

    def play(self, seconds: float) -> None:
        """Report, answer and ask for so long."""
        now_s = begin_s = ask_s = _now_s()
        names = itertools.cycle(self._names)
        reports = 0
        while now_s < begin_s + seconds:
            due = int((now_s - begin_s) / REPORT_S * len(self._names))
            while reports < due:
                reports += 1
                self._report(next(names), now_s)
            if now_s >= ask_s:
                ask_s += ASK_S
                self._ask(now_s)
            self._answer(0.005)
            now_s = _now_s()
        for name in list(self._asked):
            self._give_up(name, now_s)

    def _report(self, name: str, now_s: float) -> None:
        self.counts["reports"] += 1
        payload = self.boxes[name].report(now_s * 1000)
        self._client.publish(f"firebreak/{name}/report", payload)

    def _ask(self, now_s: float) -> None:
        """Raise the load of one cabinet, and lower that of another."""
        name, lowered = self._rng.sample(self._names, 2)
        self.boxes[lowered].load_W = LOAD_W
        self._give_up(lowered, now_s)
        self._report(lowered, now_s)
        self._give_up(name, now_s)
        box = self.boxes[name]
        box.load_W = box.limit_W(now_s * 1000) + MORE_W
        self._asked[name] = now_s
        self._report(name, now_s)

    def _give_up(self, name: str, now_s: float) -> None:
        """Stop waiting for a cabinet's share. A late share counts with its lateness so far."""
        delay_ms = (now_s - self._asked.pop(name, now_s)) * 1000
        if delay_ms >= LATE_MS:
            self.unanswered += 1
            self.delays_ms.append(delay_ms)

    def _answer(self, wait_s: float) -> None:
        """Answer the hints that have come."""
        try:
            topic, payload = self._came.get(timeout=wait_s)
            while True:
                self._answered(topic.split("/")[1], payload)
                topic, payload = self._came.get_nowait()
        except queue.Empty:
            return

    def _answered(self, name: str, payload: bytes) -> None:
        now_s, box = _now_s(), self.boxes[name]
        self.counts["hints"] += 1
        now_ms, is_hello = now_s * 1000, len(payload) == 20
        answer = box.welcome(now_ms) if is_hello else box.receive(payload, now_ms)
        if answer is not None:
            self._client.publish(f"firebreak/{name}/reply/{SOURCE}/signed", answer)
        if name in self._asked and box.limit_W(now_ms) >= box.load_W:
            self.delays_ms.append((now_s - self._asked.pop(name)) * 1000)


def _now_s() -> float:
    return timing.now_ns() / 1e9


def _fleet(folder: Path, field: _Field, port: int, certificate: Path | None) -> str:
    """Write FLEET.toml and the key."""
    key = folder / "fleet.key"
    key.write_text(field.key.hex(), encoding="ascii")
    key.chmod(0o600)
    connection_W = (LOAD_W + MORE_W) * len(field.boxes) + SPARE_W
    own = f'key = "fleet.key"\nfallback_W = {FALLBACK_W}'
    rows = [f"[cabinet.{name}]\n{own}" for name in field.boxes]
    head = f"[fleet]\nconnection_W = {connection_W}\n[broker]\nhost = '127.0.0.1'\nport = {port}\n"
    tls = "tls = false" if certificate is None else f'ca = "{certificate.name}"'
    (folder / "FLEET.toml").write_text(f"{head}{tls}\n" + "\n".join(rows), encoding="ascii")
    return str(folder / "FLEET.toml")
