"""Reads `watch.toml`: the cabinet, the power of a job, and one table for the scheduler."""

import importlib
import os
import re
from typing import Any, NamedTuple

from controller.forms.field import choice, integer, matching, table, text
from controller.forms.key_list import listed
from controller.forms.reading import read, tables_of
from controller.forms.refusal import refuse
from controller.system.paths import Say
from controller.watch.jobs import PowerTable, Scheduler

FILE = "/etc/firebreak-watch/watch.toml"
SCHEDULERS = ("slurm", "kubernetes")
# The token is sent over TLS, or does not leave this machine.
HOST, _LOCAL = r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])", r"(127\.0\.0\.1|\[::1\]|localhost)"
PORT = r"(:([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5]))?"
URL = re.compile(f"(https://{HOST}|http://{_LOCAL}){PORT}/?")
URL_WORDS = "https://HOST[:PORT], or http:// to 127.0.0.1, [::1] or localhost"
CABINET = {
    "url": matching(URL, URL_WORDS, note="HTTP door of the cabinet."),
    "token": text(note="File with a token whose source has the role cap. Nothing else may use it."),
    "ca": text("", "CA of the site. Without it the CAs of the system count."),
}
# A device may have 0 W: then it takes no power.
WATTS = {"node_W": integer(1, 10_000_000), "gpu_W": integer(0, 10_000_000)}
SETTLE_S = 300  # the cabinet answers a question by the load of the last 300 s
GATE = {
    "wait_max_s": integer(
        60, 30 * 86_400, 21_600, "A job that heard no for so long is a case for a person."
    ),
    "after_wait": choice(
        ("report", "release"), "report", "release: where the connection carries every job."
    ),
    "dark_max_s": integer(60, 86_400, 900, "A cabinet is gone after so long without an answer."),
    "after_dark": choice(
        ("release", "hold"), "release", "hold: where the connection cannot carry the jobs alone."
    ),
    "settle_s": integer(
        10,
        3600,
        SETTLE_S,
        "A younger job counts in each question. Jobs without a yes start so far apart.",
    ),
}
FORM = {
    "horizon_s": integer(60, 3570, 900, "Look so far ahead."),  # the door accepts up to an hour
    "every_s": integer(10, 600, 30, "Read the queue so often."),
    "cabinet": table(CABINET),
    "node_W": table(None, {}, 'W of a node above idle by partition; "*": every other one.'),
    "node_gpus": integer(
        1, 1024, 16, "GPUs of the largest node, for a request that is not understood."
    ),
    "gpu_W": table(None, {}, "W of a GPU or another device above idle, by its kind."),
    "gate": table(GATE, None),
    "telemetry": table(default=None),
    **{name: table(default=None) for name in SCHEDULERS},
}


class Settings(NamedTuple):
    """The settings. values: as in FORM, with full paths. scheduler: its name and its own values."""

    values: dict[str, Any]
    watts: PowerTable
    scheduler: tuple[str, dict[str, Any]]

    def opened(self) -> Scheduler:
        """The scheduler that the file names."""
        name, values = self.scheduler
        scheduler: Scheduler = _module(name).opened(values, self.watts)
        return scheduler

    def telemetry(self, say: Say) -> Any:
        """The Telemetry of the file, or None. Only this call imports its module of 12 MiB."""
        values = self.values["telemetry"]
        return values and _module("telemetry").Telemetry(values, say)


def load(path: str) -> Settings:
    """Read and check the file. ConfigError: one line."""
    values = read(path, (), tables_of(path, "the tables of watch.toml"), FORM)
    schedulers = [name for name in SCHEDULERS if values[name] is not None]
    if len(schedulers) != 1:
        tables = " or ".join(f"[{name}]" for name in SCHEDULERS)
        refuse(path, ("slurm",), f"is one of {len(schedulers)} schedulers", f"one table {tables}")
    folder, cabinet = os.path.dirname(os.path.abspath(path)), values["cabinet"]
    for key in ("token", "ca"):
        cabinet[key] = cabinet[key] and os.path.join(folder, cabinet[key])
    if values["telemetry"] is not None:
        gpus = read(path, ("telemetry",), values["telemetry"], _module("telemetry").FORM)
        values["telemetry"] = gpus | {"folder": os.path.join(folder, gpus["folder"])}
    node_W, gpu_W = [
        read(path, (key,), values[key], dict.fromkeys(values[key], form))
        for key, form in WATTS.items()
    ]
    if not any([*node_W.values(), *gpu_W.values()]):
        refuse(path, ("node_W",), "is missing, and gpu_W too", 'W by partition, as "*" = 5600')
    (scheduler,) = schedulers
    if scheduler == "kubernetes" and not any(gpu_W.values()):
        refuse(path, ("gpu_W",), "is missing", 'W of a GPU, as "*" = 500: pods have no other W')
    watts = PowerTable(node_W, gpu_W, values["node_gpus"])
    scheduler_values = read(path, (scheduler,), values[scheduler], _module(scheduler).FORM)
    return Settings(values, watts, (scheduler, scheduler_values))


def keys() -> str:
    """Every key of watch.toml, one a line."""
    lines = [*listed("", FORM)]
    for name in (*SCHEDULERS, "telemetry"):
        lines += listed(f"[{name}]", _module(name).FORM)
    return "\n".join(lines)


def _module(name: str) -> Any:
    return importlib.import_module(f"controller.watch.{name}")
