"""The rig in real time: the real controller, on ptys and a CAN server of a simulated cabinet.

This process starts controller and plant, shows the screen and acts as the operator of a scenario.
At the end the controller stops first, while the plant process still serves the wires. This process
ends only processes that it has started.
"""

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import IO

import msgpack

from controller.config.cabinet_config import Config
from controller.hints import hint_statistics
from controller.run import loop_statistics
from hil.engine import (
    by_hand,
    cabinet_file,
    doors_beside,
    external,
    planner_beside,
    plant_process,
    processes,
    run_directory,
)
from hil.engine.refusals import RigError as RigError
from hil.engine.scenario_operator import ScenarioOperator
from hil.loads.trace import Load
from hil.results import files, recorder, run_result, view
from hil.results.screen import shown_on
from hil.scenarios.scenario import Scenario

CONTROLLER_STOP_S = 20.0
PLANT_STOP_S = 10.0
HANG_GUARD_S = 30.0


class Rig(ScenarioOperator):
    """One run in real time: `start`, `run`, `outcome`."""

    def __init__(self, order: dict, scenario: Scenario | None, config: Config) -> None:
        """order: options of the run, sent to the plant process. Key `plant` names the module of
        that process, and `cabinet_more` is text for the end of the cabinet's file.
        """
        self.order, self.scenario, self.config = order, scenario, config
        self.directory = order["run_dir"]
        self.plant: subprocess.Popen[bytes] | None = None
        self.beside: processes.Processes | None = None  # programs of `--with`
        self.restarts = 0
        actions = scenario.actions if scenario else ()
        self.may_be_killed = any(action.do == "controller_kill" for action in actions)
        self.connection, self._plant_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = open(os.path.join(self.directory, "controller.log"), "ab")
        # {"ports": {bus: tty}, "cans": {bus: channel}} from the plant process
        self.wires: dict[str, dict[str, str]] = {}
        self.keys = {}
        self._done = self.interrupted = False
        self.missed = self.missed_runs = self.ticks = 0
        self.lateness_us = None
        self.hints = dict.fromkeys(hint_statistics.TOTALS, 0)

    def start(self) -> None:
        """Start the plant process, write the cabinet's file, start the controller on it."""
        module = self.order.get("plant", plant_process.__name__)
        self.plant = start_plant(module, self.order, self._plant_end)
        self.wires = self._receive("did not start")
        self._write_cabinet_file(self.wires)
        self.keys = run_directory.commission(self.directory, self.config)
        self._start_controller()
        if planner := self.order.get("planner"):
            self.beside = planner_beside.Beside(self.directory, self.config, **planner)
        elif self.order.get("doors"):
            self.beside = doors_beside.Beside(self.directory)
        if self.beside:
            self.beside.start()

    def _write_cabinet_file(self, wires: dict) -> None:
        path = pathlib.Path(self.directory, "cabinet.toml")
        foreign = self.order.get("external", {}).items()
        direct = {name: plug for name, plug in foreign if name not in wires["ports"]}
        plugs = external.named_in(self.directory, direct)
        path.write_text(cabinet_file.text(self.order, wires, plugs), encoding="ascii")

    def _start_controller(self) -> None:
        self.controller = start_controller(self.directory, self._log)
        self.send({"what": "go", "pid": self.controller.pid})

    def send(self, message: dict) -> None:
        """Send one message to the plant process. RigError: the process has ended."""
        try:
            self.connection.send(msgpack.packb(message))
        except ConnectionError:
            raise self._plant_failed("has ended") from None

    def _plant_failed(self, ending: str) -> RigError:
        code = self.plant.wait() if self.plant else None
        return RigError(f"the simulated cabinet {ending}, exit code {code}")

    def _receive(self, ending: str = "has ended") -> dict:
        """One message of the plant process. RigError: the process has ended or hangs."""
        self.connection.settimeout(HANG_GUARD_S)
        try:
            message = processes.message(self.connection)
        except TimeoutError:
            line = f"the simulated cabinet has sent no message for {HANG_GUARD_S:.0f} s"
            raise RigError(line) from None
        if message is None:
            raise self._plant_failed(ending)
        return message

    def run(self, show: Callable[[dict], object]) -> None:
        """Serve the plant process until the run ends, with show(view) ten times a second. Ctrl-C
        ends the run early; it still has a result.
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

    def _serve(self, show: Callable[[dict], object]) -> None:
        message = self._receive()
        if message["what"] == "done":
            self._done = True
        elif message["what"] == "view":
            self._check_controller()
            show(self._whole(message["view"]))
        else:
            getattr(self, f"_do_{message['what']}")(message)

    def _do_failed(self, message: dict) -> None:
        raise RigError(message["text"])

    def _do_killed(self, message: dict) -> None:
        self._running().wait()
        self._note_statistics()

    def _do_start(self, message: dict) -> None:
        self.restarts += 1
        self._start_controller()

    def _whole(self, shown: dict) -> dict:
        loop = loop_statistics.read(os.path.join(self.directory, "loop.stats"))
        if loop:
            late_us = tuple([loop["lateness_us"][name] for name in ("p50", "p99", "max")])
            shown |= {"ticks": loop["ticks"], "missed": loop["missed"], "late_us": late_us}
        return shown

    def _check_controller(self) -> None:
        code = self._running().poll()
        if code is not None and not (self.may_be_killed and code == -signal.SIGKILL):
            last = run_directory.last_message(self.directory)
            raise RigError(f"the controller ended with exit code {code}: {last}")
        if self.beside and (trouble := self.beside.trouble()):
            raise RigError(trouble)

    def _note_statistics(self) -> None:
        """Add the figures of this controller process. A restarted controller writes new files."""
        hints = hint_statistics.read(os.path.join(self.directory, "hints.stats")) or {}
        for name in self.hints:
            self.hints[name] += hints.get(name, 0)
        loop = loop_statistics.read(os.path.join(self.directory, "loop.stats"))
        if loop:
            self.ticks += loop["ticks"]
            self.missed += loop["missed"] + loop["late"]
            self.missed_runs += loop["runs"]
            self.lateness_us = loop["lateness_us"]

    def stop(self) -> None:
        """End the programs beside the rig, then the controller by SIGTERM (a controlled stop), then
        the plant process. Ctrl-C kills them at once.
        """
        if self.beside:
            self.beside.stop()
        if self.controller is not None:
            self.controller.terminate()
            wait(self.controller, CONTROLLER_STOP_S)
        self._plant_end.close()
        end_plant(self.plant, self.connection, PLANT_STOP_S)
        self._log.close()

    def outcome(self, load: Load, extra: dict) -> run_result.Outcome:
        """The Outcome of the recording that the plant process wrote."""
        path = os.path.join(self.directory, plant_process.RESULT)
        loop = {"ticks": self.ticks, "missed": self.missed, "lateness_us": self.lateness_us}
        extra |= {"restarts": self.restarts, "missed_runs": self.missed_runs, "hints": self.hints}
        extra["controller_messages"] = run_directory.messages(self.directory)
        extra["controller_exit_code"] = self._running().returncode
        run = recorder.read(path, loop, load.about)
        rest = self.scenario, load.from_us, self.interrupted
        return run_result.measured(run, self.config, extra, *rest)


def start_plant(module: str, order: dict, end: socket.socket) -> subprocess.Popen[bytes]:
    """Start a plant process. `end`: its own end of the socket pair."""
    descriptor = end.fileno()
    arguments = module, descriptor, json.dumps(order)
    process = processes.module(*arguments, pass_fds=(descriptor,), process_group=0)
    end.close()
    return process


def start_controller(directory: str, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the installed controller of a run directory, as in a box with a time source."""
    cabinet, state = os.path.join(directory, "cabinet.toml"), os.path.join(directory, "state")
    where = cabinet, "--run-dir", directory, "--state-dir", state
    return processes.module("hil.engine.clocked", "run", *where, stderr=log, process_group=0)


def end_plant(
    process: subprocess.Popen[bytes] | None, connection: socket.socket, seconds: float
) -> None:
    """Ask a plant process to end, and kill it after `seconds`."""
    if process is not None:
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # it has ended or does not read; wait kills it
            connection.send(msgpack.packb({"what": "end"}))
        wait(process, seconds)
    connection.close()


def wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for a process to end; kill it after `seconds` or at Ctrl-C."""
    try:
        process.wait(seconds)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        processes.kill(process)


def _run_with_menu(rig: Rig, show: Callable[[dict], object]) -> None:
    """Run once, with the menu of faults if a person sits at a terminal."""
    with by_hand.keyboard() as read:
        if read is None:
            rig.run(show)
            return
        welcome = rig.beside.welcome() if rig.beside else ()
        simulated = external.inside(rig.config, rig.order.get("external", ()))
        menu = by_hand.Menu(by_hand.fitting(simulated), rig.send, read, welcome)
        rig.may_be_killed = True
        rig.run(lambda shown: show({**shown, **menu.turn()}))


def run(
    order: dict, scenario: Scenario | None, config: Config, headless: bool, load: Load
) -> run_result.Outcome:
    """Run once in real time. Returns run_result.Outcome; raises RigError."""
    common = view.of_order(order, scenario, config, load, "real time")
    with run_directory.kept_or_temporary(order.get("keep_dir")) as directory:
        rig = Rig({**order, "run_dir": directory}, scenario, config)
        try:
            with files.naming(directory):
                rig.start()
            if rig.beside:
                print("\n".join(rig.beside.welcome()), flush=True)
            with shown_on(headless, order["progress"], time.monotonic, is_long=True) as show:

                def draw(shown: dict) -> None:
                    if show:
                        show({**shown, **common})

                if headless or scenario:
                    rig.run(draw)
                else:
                    _run_with_menu(rig, draw)
        finally:
            rig.stop()
        if order["journal"]:
            run_directory.keep_journals(directory, order["journal"])
        about = {"mode": "real time", "seed": order["seed"], "mirrored": order["mirrored"]}
        about["foreign"] = order.get("foreign", [])
        if rig.beside:
            about |= rig.beside.facts()
        return rig.outcome(load, about)
