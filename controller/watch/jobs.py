"""Jobs of a scheduler, and the steps of the load that they will cause. Nothing here has effects."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from controller.system.utc import elapsed_s

STEPS_MAX = 4  # the controller knows so many of a source
TOGETHER_S = 30  # starts and ends of one half minute are one step
# State of a job: pending also while it is held by others; gated: held until the cabinet says yes;
# released: its load is sure to come, and has not begun.
PENDING, GATED, RELEASED, RUNNING = "pending", "gated", "released", "running"
DAY_S = 86_400
# Devices without a load, by their name or by the part before a "/". All others count.
NO_LOAD = frozenset(
    "nic craynetwork bandwidth lustre tmpdisk tmpfs scratch nvme ssd rdma nvidia.com/hostdev fuse"
    " vpc.amazonaws.com devices.kubevirt.io smarter-devices squat.ai github.com openshift.io"
    " mellanox.com networking.gke.io".split()
)
# What reading a field of another program raises when the field has another form.
NOT_UNDERSTOOD = ValueError, TypeError, LookupError, AttributeError, ArithmeticError
Found = TypeVar("Found")


class Away(Exception):
    """The scheduler or the cabinet gives no answer now; one line."""


class Job(NamedTuple):
    """power_W: rise of the load while it runs. unknown: what of it is not understood; power_W is
    then its largest plausible load, and only a person releases it. Unix times; start_s: expected,
    of a running job its own, of a gated one not before, 0: unknown; since_s: when it was submitted.
    """

    name: str
    state: str
    power_W: int
    start_s: int
    length_s: int
    since_s: int = 0
    unknown: str = ""


class Scheduler(Protocol):
    """A queue. Each call raises Away, and ends within seconds."""

    def queue(self) -> list[Job]:
        """All jobs that wait or run."""

    def release(self, name: str) -> None:
        """Let a gated job start."""

    def explain(self, name: str, words: str) -> None:
        """Show the user of a gated job why it waits."""


class Device(NamedTuple):
    """What a job requests beside CPUs. names: its entries of [gpu_W], the best one first. pieces:
    None: not understood. is_typed: the request says which kind of GPU it is; None: no GPU.
    """

    words: str
    names: tuple[str, ...]
    pieces: int | None
    is_typed: bool | None

    @property
    def family(self) -> str:
        """The same word for all GPUs."""
        return "gpu" if self.is_typed is not None else self.names[-1]


class Load(NamedTuple):
    """power_W, and what of it is not understood; see Job."""

    power_W: int
    unknown: str = ""


class Table(NamedTuple):
    """W above idle, of a node and of a device, by partition, label or kind; "*": every other one.
    node_gpus: a node has at most so many GPUs; it counts where their number is not understood.
    """

    node_W: Mapping[str, int]
    gpu_W: Mapping[str, int]
    node_gpus: int = 16

    def load(self, nodes: int, devices: Iterable[Device], places: Sequence[str]) -> Load:
        """The sum of both tables. Of several places, such as partitions, the worst one counts."""
        loads = [self._nodes(nodes, places)] if nodes and self.node_W else []
        loads += [self._device(max(1, nodes), each, places) for each in devices]
        words = [each.unknown for each in loads if each.unknown]
        return Load(sum([each.power_W for each in loads]), "; ".join(dict.fromkeys(words)))

    def _nodes(self, nodes: int, places: Sequence[str]) -> Load:
        found = [self.node_W.get(each, self.node_W.get("*")) for each in places]
        known = [each for each in found if each is not None]
        if found and len(known) == len(found):
            return Load(nodes * max(known))
        most_W = nodes * max(self.node_W.values())
        return Load(most_W, f"[node_W] has no entry for {' or '.join(places) or 'it'}")

    def _device(self, nodes: int, device: Device, places: Sequence[str]) -> Load:
        """A GPU of no stated kind and without an entry has the largest W of the table."""
        own_W = next((self.gpu_W[name] for name in device.names if name in self.gpu_W), None)
        if own_W is None and device.is_typed is None and _is_other(device.names):
            return Load(0)
        if own_W is None and device.is_typed is not None:
            own_W = self._gpu_W(device.is_typed, places)
        if not self.gpu_W and self.node_W:  # the load is that of whole nodes
            return Load(0)
        if device.pieces is None:
            most_W = nodes * self.node_gpus * max([own_W or 0, *self.gpu_W.values()])
            return Load(most_W, f"the number of {device.words} is not understood")
        if own_W is None:
            most = device.pieces if device.is_typed is not None else nodes * self.node_gpus
            most_W = min(device.pieces, most) * max(self.gpu_W.values(), default=0)
            return Load(most_W, f"[gpu_W] has no entry for {device.words}")
        return Load(device.pieces * own_W)

    def _gpu_W(self, is_typed: bool, places: Sequence[str]) -> int | None:
        other_W = self.gpu_W.get("*")
        found = [self.gpu_W.get(each, other_W if is_typed else None) for each in places or ("",)]
        known = [each for each in found if each is not None]
        if len(known) == len(found):
            return max(known)
        return None if other_W is None else max(self.gpu_W.values())


def _is_other(names: Sequence[str]) -> bool:
    """True if a device of this name takes no power worth a question."""
    return any(each in NO_LOAD or each.partition("/")[0] in NO_LOAD for each in names)


class Fields:
    """Reads a record of another program. A field that is not understood costs itself alone, and its
    name is in `odd`.
    """

    def __init__(self) -> None:
        self.odd: list[str] = []

    def get(self, name: str, read: Callable[[], Found], instead: Found) -> Found:
        """What `read` returns, or `instead` if it fails."""
        try:
            return read()
        except NOT_UNDERSTOOD:
            self.odd.append(name)
            return instead

    def unknown(self, *more: str) -> str:
        """Words for `unknown` of a Job."""
        odd = [f"{', '.join(self.odd)}: not understood"] if self.odd else []
        return "; ".join([*odd, *filter(None, more)])


def edge(job: Job) -> tuple[int, int]:
    """(Unix time, W) of the start of a job that waits, or of the end of one that runs. W is 0 if no
    start is known, or no power: the largest plausible load of a job is not what its end takes away.
    """
    if not job.power_W or not job.start_s or job.state == GATED:
        return 0, 0
    if job.state == RUNNING:
        return job.start_s + job.length_s, 0 if job.unknown else -job.power_W
    return job.start_s, job.power_W


def steps_of(jobs: Iterable[Job], now_s: float, horizon_s: int) -> dict[int, int]:
    """{Unix time: W} of the nearest steps within the horizon, at most STEPS_MAX."""
    steps: dict[int, int] = defaultdict(int)
    for at_s, power_W in map(edge, jobs):
        if 0 < elapsed_s(now_s, at_s) <= horizon_s:
            steps[-(-at_s // TOGETHER_S) * TOGETHER_S] += power_W
    return dict(sorted((at_s, power_W) for at_s, power_W in steps.items() if power_W)[:STEPS_MAX])
