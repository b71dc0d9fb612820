"""A cabinet with the sockets of its loop, fed by hand: messages in, ticks and answers out."""

import contextlib
import os
import socket
from array import array
from dataclasses import replace

from cabinet_bench import Bench, believed, found
from site_bench import controlled

from controller.config import configuration
from controller.config.sources import Source
from controller.core.base import hint_codes as h, hint_sources
from controller.core.base.setpoint import O_SETPOINT_W
from controller.hints import admission, wire as w
from controller.hints.listener import HintListener
from controller.run import operator_commands as oc
from controller.store import stored_record, two_copies

KEY = bytes(32)
DAY_MIN = 29_599_200  # start of 12 April 2026
SOURCES = tuple(
    Source(name, index, role, 1, 3600, 100, 10**9, 10**9, dict.fromkeys(h.QUANTITIES))
    for index, (name, role) in enumerate((("boss", "operator"), ("caps", "cap")))
)


def settings(path):
    """The configuration of a cabinet with SOURCES in place of its own."""
    config = believed(configuration.load(path))
    config = controlled(config, peak_import_W_max=400_000)  # its minutes are words of 32 bits
    return replace(config, sources=SOURCES, source_image=hint_sources.image(SOURCES))


class Fenced:
    """`says`: what the loop has said on standard error; a test fails when it is not empty."""

    def __init__(self, folder, config, loaded=None):
        self.run_dir = str(folder)
        self.bench = bench = Bench(loaded or found(two_copies.CLEAN), settings=config)
        bench.keeper.submit = self.submit
        keys = {each.name: (admission.key_of(KEY, 1),) for each in SOURCES}
        self.hints = HintListener(self.run_dir, bench.cabinet, keys)
        self.commands = oc.Listener(
            os.path.join(self.run_dir, "command.sock"), self.hints.change_key
        )
        self.client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.client.bind("")
        self.ticks = self.sequence = 0
        first, _ = bench.cabinet.image.site_place("clock", 1)
        bench.cabinet.image.inp[first : first + 3] = array("i", (DAY_MIN // 1440, 0, 0))

    def submit(self, record):
        """Same as keeper.Keeper: a record that the store cannot hold ends the loop."""
        stored_record.encode(0, record)
        self.bench.keeper.records.append(record)
        return len(self.bench.keeper.records)

    def turn(self, count=1):
        """Ticks of the loop, with what it does before and after each."""
        for _ in range(count):
            for listener, receive in (
                (self.hints, lambda: self.hints.receive(self.bench.now_us)),
                (self.commands, lambda: self.commands.receive(self.bench.cabinet)),
            ):
                if listener.hungry:
                    receive()
            self.bench.tick()
            for port in self.bench.cabinet._tool_reads._ports.values():
                port.poll(self.bench.now_us)  # no device answers
            self.commands.answer(self.bench.cabinet.answer, self.bench.cabinet.peer_answer)
            self.hints.answer(self.bench.now_us)
            self.ticks += 1
            self.check()

    def check(self):
        """The set-point lies within the limits of the kernel and of the configuration."""
        chain = self.bench.cabinet.core.chain
        assert chain.limits.low_W <= chain.out[O_SETPOINT_W] <= chain.limits.high_W

    def limits(self):
        chain = self.bench.cabinet.core.chain
        return chain.limits.low_W, chain.limits.high_W

    def send(self, data, path="hints.sock"):
        """Send a datagram and return the answers to it."""
        self.bench.now_us += 1_000_000  # beyond the quota of the message before
        self.client.sendto(data, os.path.join(self.run_dir, path))
        self.turn()
        while self.bench.cabinet.image.is_schedule_entering:
            self.turn()
        return self.heard()

    def heard(self):
        answers = []
        with contextlib.suppress(BlockingIOError):
            while True:
                answers.append(self.client.recv(w.DATAGRAM_BYTES_MAX))
        return answers

    def fresh(self):
        """(nonce, sequence, sent_ms) that the admission check takes."""
        self.sequence += 1
        for account in self.hints.admission.accounts:
            account.sequences = dict.fromkeys(account.sequences, 0)
        return self.hints.admission.nonce, self.sequence, self.bench.now_us // 1000 + 1000

    def close(self):
        self.client.close()
        self.hints.close()
        self.commands.close()
