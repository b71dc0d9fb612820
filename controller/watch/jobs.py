"""Jobs of a scheduler, and the steps of the load that they will cause. Nothing here has effects."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from controller.system.utc import elapsed_s

STEPS_MAX = 4  # the controller knows so many of a source
TOGETHER_S = 30  # starts and ends of one half minute are one step
# State of a job: pending also while it is held by others; gated: held until the cabinet says yes;
# released: it was gated, and has not begun.
PENDING, GATED, RELEASED, RUNNING = "pending", "gated", "released", "running"
DAY_S = 86_400


class Away(Exception):
    """The scheduler or the cabinet gives no answer now; one line."""


class Job(NamedTuple):
    """power_W: rise of the load while it runs, None: the table has no W for it. Unix times;
    start_s: expected, of a running job its own, of a gated one not before, 0: unknown; since_s:
    when it was submitted.
    """

    name: str
    state: str
    power_W: int | None
    start_s: int
    length_s: int
    since_s: int = 0


class Scheduler(Protocol):
    """A queue. Each call raises Away, and ends within seconds."""

    def queue(self) -> list[Job]:
        """All jobs that wait or run."""

    def release(self, name: str) -> None:
        """Let a gated job start."""

    def explain(self, name: str, words: str) -> None:
        """Show the user of a gated job why it waits."""


class Table(NamedTuple):
    """W above idle, of a node and of a GPU, by partition, label or kind; "*": every other one."""

    node_W: Mapping[str, int]
    gpu_W: Mapping[str, int]

    def power_W(self, nodes: int, gpus: int, names: Iterable[str]) -> int | None:
        """The sum of both tables; None if a table has no entry. names: the best one first."""
        tried, total_W = (*names, "*"), 0
        for count, each_W in ((nodes, self.node_W), (gpus, self.gpu_W)):
            if count and each_W:
                found = [each_W[name] for name in tried if name in each_W]
                if not found:
                    return None
                total_W += count * found[0]
        return total_W


def edge(job: Job) -> tuple[int, int]:
    """(Unix time, W) of the start of a job that waits, or of the end of one that runs. W is 0 if no
    start is known, or no power.
    """
    if not job.power_W or not job.start_s or job.state == GATED:
        return 0, 0
    if job.state == RUNNING:
        return job.start_s + job.length_s, -job.power_W
    return job.start_s, job.power_W


def steps_of(jobs: Iterable[Job], now_s: float, horizon_s: int) -> dict[int, int]:
    """{Unix time: W} of the nearest steps within the horizon, at most STEPS_MAX."""
    steps: dict[int, int] = defaultdict(int)
    for at_s, power_W in map(edge, jobs):
        if 0 < elapsed_s(now_s, at_s) <= horizon_s:
            steps[-(-at_s // TOGETHER_S) * TOGETHER_S] += power_W
    return dict(sorted((at_s, power_W) for at_s, power_W in steps.items() if power_W)[:STEPS_MAX])
