"""Computes from the jobs of a scheduler the steps of the load that they will cause."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from controller.system.utc import elapsed_s

STEPS_MAX = 4  # most steps that the controller keeps for a source
TOGETHER_S = 30  # starts and ends within the same half minute are one step
# States of a job
# pending: waits, perhaps because others hold it
# gated: held until the cabinet says yes
# released: its load is sure to come, but has not begun
PENDING, GATED, RELEASED, RUNNING = "pending", "gated", "released", "running"
DAY_S = 86_400
# Names of devices without a load, or the part of such names before "/". All other devices count as
# loads.
NO_LOAD = frozenset(
    "nic craynetwork bandwidth lustre tmpdisk tmpfs scratch nvme ssd rdma nvidia.com/hostdev fuse"
    " vpc.amazonaws.com devices.kubevirt.io smarter-devices/fuse squat.ai/fuse github.com/fuse"
    " openshift.io mellanox.com networking.gke.io".split()
)
# These errors show that a field of another program has an unknown form.
NOT_UNDERSTOOD = ValueError, TypeError, LookupError, AttributeError, ArithmeticError
NUMBER_MAX = (1 << 32) - 17  # Slurm's codes for "not given" are above it


def typed_field(fields: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    """A field from another program; an empty value if it is missing. TypeError: wrong type."""
    value = fields.get(key)
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{key} is no {kind.__name__}")
    return kind() if value is None else value


def whole_number(value: Any) -> int:
    """A number from another program; null counts as 0.

    ValueError: it is negative, a fraction, or of another type. Python would take true as 1.
    """
    if value is not None and (type(value) is not int or not 0 <= value <= NUMBER_MAX):
        raise ValueError(f"{value!r:.20} is no whole number")
    return value or 0


class Away(Exception):
    """The scheduler or the cabinet gives no answer now. The text is one line."""


class Job(NamedTuple):
    """A job of a scheduler. Times are Unix times."""

    name: str
    state: str
    power_W: int  # rise of the load while the job runs
    # 0: unknown. For a waiting job, its expected start; for a gated job, its earliest start; for a
    # running job, its start.
    start_s: int
    length_s: int
    since_s: int = 0  # when it was submitted
    # Text about the parts that are not understood. If there is a text, power_W is the largest
    # plausible load, and only a person releases the job.
    unknown: str = ""


class Scheduler(Protocol):
    """A queue of jobs. Each call ends within seconds, and raises Away if there is no answer."""

    def queue(self) -> list[Job]:
        """All jobs that wait or run."""

    def release(self, name: str) -> None:
        """Let a gated job start."""

    def explain(self, name: str, reason: str) -> None:
        """Show the user of a gated job why it waits."""


class Device(NamedTuple):
    """A device that a job requests, other than CPUs."""

    label: str
    names: tuple[str, ...]  # entries of [gpu_W] that fit, the best one first
    pieces: int | None  # None: not understood
    is_typed: bool | None = None  # whether the request names the kind of GPU; None: no GPU


class PowerTable(NamedTuple):
    """W above idle of a node and of a device, by partition, label or kind; "*": all others.

    node_gpus: the highest number of GPUs in a node. It counts if a request's number is not
    understood.
    """

    node_W: Mapping[str, int]
    gpu_W: Mapping[str, int]
    node_gpus: int = 16

    def load(self, nodes: int, devices: Iterable[Device], places: Sequence[str]) -> tuple[int, str]:
        """(W, text about the parts that are not understood) of a request, by both tables.

        If there are several places, such as partitions, the one with the largest load counts. If an
        entry is missing, the largest entry counts.
        """
        parts = [self._device_load(max(1, nodes), device, places) for device in devices]
        if nodes and self.node_W:
            per_node_W = _worst_W(self.node_W, places, self.node_W.get("*"))
            doubt = "" if per_node_W else f"[node_W] has no entry for {' or '.join(places) or 'it'}"
            parts.insert(0, (nodes * (per_node_W or max(self.node_W.values())), doubt))
        return total_load(parts)

    def largest_W(self, nodes: int) -> int:
        """W of a number of nodes with all their GPUs."""
        return nodes * (self.node_gpus * _largest_W(self.gpu_W) + _largest_W(self.node_W))

    def _device_load(self, nodes: int, device: Device, places: Sequence[str]) -> tuple[int, str]:
        one_W, gpus_max = self._one_device_W(device, places), nodes * self.node_gpus
        if one_W == 0 or not self.gpu_W:  # without [gpu_W] the load is that of whole nodes
            return 0, ""
        if device.pieces is None:
            return gpus_max * _largest_W(
                self.gpu_W
            ), f"the number of {device.label} is not understood"
        if one_W is None:  # a request for parts of GPUs may have more pieces than GPUs
            most_W = min(device.pieces, gpus_max) * _largest_W(self.gpu_W)
            return most_W, f"[gpu_W] has no entry for {device.label}"
        return device.pieces * one_W, ""

    def _one_device_W(self, device: Device, places: Sequence[str]) -> int | None:
        """W of a device; None: unknown. A GPU of an unstated kind may be the largest one."""
        for name in device.names:
            if name in self.gpu_W:
                return self.gpu_W[name]
        if device.is_typed is None:
            names = {part for name in device.names for part in (name, name.partition("/")[0])}
            return 0 if names & NO_LOAD else None
        other_W = self.gpu_W.get("*")
        if other_W is not None and not device.is_typed:
            other_W = _largest_W(self.gpu_W)
        return _worst_W(self.gpu_W, places or ("",), other_W)


def total_load(parts: Sequence[tuple[int, str]]) -> tuple[int, str]:
    """(W, text about the parts that are not understood) of several loads together."""
    doubts = dict.fromkeys([doubt for _, doubt in parts if doubt])
    return sum(power_W for power_W, _ in parts), "; ".join(doubts)


def _largest_W(table: Mapping[str, int]) -> int:
    return max(table.values(), default=0)


def _worst_W(table: Mapping[str, int], places: Sequence[str], other_W: int | None) -> int | None:
    """The largest W of these places; None if a place has no entry, or if there is no place."""
    loads_W = [table.get(place, other_W) for place in places]
    known = [load_W for load_W in loads_W if load_W is not None]
    return max(known) if known and len(known) == len(loads_W) else None


def next_step(job: Job) -> tuple[int, int]:
    """(Unix time, W) of the start of a waiting job, or of the end of a running job.

    W is 0 if the start or the power is unknown, and for the end of a job whose load is not
    understood, because its real load may be smaller.
    """
    if not job.power_W or not job.start_s or job.state == GATED:
        return 0, 0
    if job.state == RUNNING:
        return job.start_s + job.length_s, 0 if job.unknown else -job.power_W
    return job.start_s, job.power_W


def slot_s(at_s: int) -> int:
    """The moment for which a start or an end is announced: the end of its half minute."""
    return -(-at_s // TOGETHER_S) * TOGETHER_S


def steps_of(jobs: Iterable[Job], now_s: float, horizon_s: int) -> dict[int, int]:
    """{Unix time: W} of the nearest steps within the horizon, at most STEPS_MAX."""
    steps: dict[int, int] = defaultdict(int)
    for at_s, power_W in map(next_step, jobs):
        if 0 < elapsed_s(now_s, at_s) <= horizon_s:
            steps[slot_s(at_s)] += power_W
    return dict(sorted((at_s, power_W) for at_s, power_W in steps.items() if power_W)[:STEPS_MAX])
