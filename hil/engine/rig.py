"""The rig in real time: the real controller process on real ptys and a CAN server, a simulated
cabinet behind them.

Three processes: the controller (as installed), the plant process (plant, devices, observer), and
this one, which starts both, shows the screen, acts as the operator of a scenario, and writes the
result. It ends only what it has started: the controller first, by a controlled stop, while the
plant process still serves its wires.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import msgpack

from controller.hints import hint_statistics
from controller.run import loop_statistics
from hil.engine import plant_process, run_directory
from hil.engine.scenario_operator import ScenarioOperator
from hil.loads.selection import carried_W
from hil.results import files, recorder, run_result, view
from hil.results.screen import shown_on

ROOT = pathlib.Path(__file__).parents[2]
CONTROLLER_STOP_S = 20.0
PLANT_STOP_S = 10.0
HANG_GUARD_S = 30.0


class RigError(RuntimeError):
    """The rig could not be set up; one line."""


class Rig(ScenarioOperator):
    """One run in real time: `start`, `run`, `outcome`."""

    def __init__(self, order, scenario, config):
        """order: dict for the plant process; scenario: loaded one or None; config: the checked base
        configuration.

        Beside what the plant process takes, an order may name the `plant`'s module and
        `cabinet_more`, text at the end of the cabinet's file.
        """
        self.order, self.scenario, self.config = order, scenario, config
        self.directory = order["run_dir"]
        self.controller = self.plant = None
        self.restarts = 0
        self.may_be_killed = any(
            action.do == "controller_kill" for action in (scenario.actions if scenario else ())
        )
        self.connection, self._plant_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._messages = open(os.path.join(self.directory, "controller.log"), "ab")
        # where the plant process has its buses: {"ports": {bus: tty}, "cans": {bus: channel}}
        self.wires = {}
        self.keys = {}  # of the sources of hints, by name
        self._done = self.interrupted = False
        self.missed = self.missed_runs = self.ticks = 0
        self.lateness_us = None
        self.hints = dict.fromkeys(hint_statistics.TOTALS, 0)

    def start(self):
        """Start the plant process, learn its wires, write the cabinet's file and start the
        controller on it.
        """
        order = json.dumps(self.order)
        module = self.order.get("plant", "hil.engine.plant_process")
        self.plant = subprocess.Popen(
            [sys.executable, "-m", module, str(self._plant_end.fileno()), order],
            pass_fds=(self._plant_end.fileno(),),
            cwd=ROOT,
            process_group=0,
        )
        self._plant_end.close()
        self.wires = self._receive("did not start")
        self._write_cabinet_file(self.wires)
        self.keys = run_directory.commission(self.directory, self.config)
        self._start_controller()

    def _write_cabinet_file(self, wires):
        run_directory.write_cabinet_file(self.directory, self.order, wires)

    def _start_controller(self):
        directory = self.directory
        cabinet, state = os.path.join(directory, "cabinet.toml"), os.path.join(directory, "state")
        command = ["run", cabinet, "--run-dir", directory, "--state-dir", state]
        self.controller = subprocess.Popen(
            [sys.executable, "-m", "controller", *command],
            cwd=ROOT,
            stderr=self._messages,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        self.send({"what": "go", "pid": self.controller.pid})

    def send(self, message):
        """One message to the plant process. RigError when it has ended."""
        try:
            self.connection.send(msgpack.packb(message))
        except ConnectionError:
            raise self._plant_failed("has ended") from None

    def _plant_failed(self, what):
        return RigError(f"the simulated cabinet {what}, exit code {self.plant.wait()}")

    def _receive(self, ending="has ended"):
        """One message of the plant process. RigError when it has ended or hangs."""
        self.connection.settimeout(HANG_GUARD_S)
        try:
            data = self.connection.recv(1 << 20)
        except TimeoutError:
            raise RigError(
                f"no message of the simulated cabinet for {HANG_GUARD_S:.0f} s"
            ) from None
        if not data:
            raise self._plant_failed(ending)
        return msgpack.unpackb(data)

    def run(self, show):
        """Serve the plant process until its time is over; show(view) ten times a second. Ctrl-C
        ends the run in order.
        """
        try:
            while not self._done:
                self._serve(show)
        except KeyboardInterrupt:
            self.interrupted = True
            self.send({"what": "finish"})
            while not self._done:
                self._serve(show)
        self._note_statistics()

    def _serve(self, show):
        message = self._receive()
        if message["what"] == "done":
            self._done = True
        elif message["what"] == "view":
            self._check_controller()
            show(self._whole(message["view"]))
        else:
            getattr(self, f"_do_{message['what']}")(message)

    def _do_failed(self, message):
        raise RigError(message["text"])

    def _do_killed(self, message):
        self.controller.wait()
        self._note_statistics()

    def _do_start(self, message):
        self.restarts += 1
        self._start_controller()

    def _whole(self, shown):
        loop = loop_statistics.read(os.path.join(self.directory, "loop.stats"))
        if loop:
            late_us = tuple([loop["lateness_us"][name] for name in ("p50", "p99", "max")])
            shown |= {"ticks": loop["ticks"], "missed": loop["missed"], "late_us": late_us}
        return shown

    def _check_controller(self):
        code = self.controller.poll()
        if code is not None and not (self.may_be_killed and code == -signal.SIGKILL):
            last = (self.messages() or ["without a message"])[-1]
            raise RigError(f"the controller ended with exit code {code}: {last}")

    def messages(self):
        """Lines that the controller has written on stderr."""
        log = pathlib.Path(self.directory, "controller.log")
        text = log.read_text(encoding="utf-8", errors="replace")
        return [line.removeprefix("firebreak: ") for line in text.splitlines() if line.strip()]

    def _note_statistics(self):
        """Add the figures of the controller's process so far: a restarted one begins a new file."""
        hints = hint_statistics.read(os.path.join(self.directory, "hints.stats")) or {}
        for name in self.hints:
            self.hints[name] += hints.get(name, 0)
        loop = loop_statistics.read(os.path.join(self.directory, "loop.stats"))
        if loop:
            self.ticks += loop["ticks"]
            self.missed += loop["missed"] + loop["late"]
            self.missed_runs += loop["runs"]
            self.lateness_us = loop["lateness_us"]

    def stop(self):
        """End what was started: the controller by SIGTERM (a controlled stop), then the plant
        process. Ctrl-C shortens it.
        """
        if self.controller is not None:
            self.controller.terminate()
            _wait(self.controller, CONTROLLER_STOP_S)
        self._plant_end.close()
        if self.plant is not None:
            self.connection.setblocking(False)
            with contextlib.suppress(OSError):  # it has ended, or does not read and is killed
                self.connection.send(msgpack.packb({"what": "end"}))
            _wait(self.plant, PLANT_STOP_S)
        self.connection.close()
        self._messages.close()

    def outcome(self, load, extra):
        """run_result.Outcome from what the plant process has recorded."""
        path = os.path.join(self.directory, plant_process.RESULT)
        loop = {"ticks": self.ticks, "missed": self.missed, "lateness_us": self.lateness_us}
        extra = {
            **extra,
            "restarts": self.restarts,
            "missed_runs": self.missed_runs,
            "hints": self.hints,
            "controller_messages": self.messages(),
            "controller_exit_code": self.controller.returncode,
        }
        return run_result.measured(
            recorder.read(path, loop, load),
            self.config,
            carried_W(self.config),
            extra,
            self.scenario,
            load.from_us,
            self.interrupted,
        )


def _wait(process, seconds):
    """Wait for a process to end; kill it when that takes too long or somebody is impatient."""
    try:
        process.wait(seconds)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()


def run(order, scenario, config, headless, load):
    """A whole run in real time. Returns run_result.Outcome; raises RigError."""
    common = view.common(order, scenario, config, load, "real time")
    with run_directory.made(order.get("keep_dir")) as directory:
        rig = Rig({**order, "run_dir": directory}, scenario, config)
        try:
            with files.naming(directory):
                rig.start()
            with shown_on(headless, order.get("progress"), time.monotonic) as show:
                rig.run(lambda shown: show and show({**shown, **common}))
        finally:
            rig.stop()
        if order["journal"]:
            run_directory.keep_journals(directory, order["journal"])
        return rig.outcome(load, {"mode": "real time", "seed": order["seed"]})
