"""Pods with GPUs, by a list and a watch of the API server.

    list -> watch from its version on -> (60 s, or the server ends it) -> watch ...
              410: the server has forgotten that version -> list ...
              any other error -> a growing pause -> watch from the last version ...

A thread does this. Of each pod only the words stay that a job needs, so 5 000 pods take 3 MB. Pods
are unknown, not none, before the first list and when nothing was heard for STALE_S.
"""

import threading
from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from controller.system import clock
from controller.system.caught import Last
from controller.system.paths import say
from controller.watch.jobs import Table
from controller.watch.kube_api import ANSWER_S, GONE, Api, Event, KubeError, Object

GATE = "firebreak/ask"
GROUP_LABELS = (
    *(
        "pod-group.scheduling.sigs.k8s.io",
        "scheduling.x-k8s.io/pod-group",
        "kueue.x-k8s.io/pod-group-name",
    ),
    *("jobset.sigs.k8s.io/jobset-name", "training.kubeflow.org/job-name"),
    *("batch.kubernetes.io/job-name", "job-name"),
)
ENDED = ("Succeeded", "Failed")
PODS_MAX, GPUS_MAX = 20_000, 1024
STALE_S, PAUSE_S, PAUSE_S_MAX, LINES_MAX = 180, 1.0, 60.0, 20


class Pod(NamedTuple):
    """power_W: None: unknown. has_gate: GATE is its only gate. Times in s since 1970, 0: unknown;
    bound_s: got its node; began_s: the node took it; ends_s: the latest end.
    """

    uid: str
    namespace: str
    name: str
    group: str
    power_W: int | None
    has_gate: bool
    created_s: int
    bound_s: int
    began_s: int
    ends_s: int
    length_s: int
    is_running: bool


def pod_of(found: Object, resources: Collection[str], power: Table) -> Pod | None:
    """None: it has no such resource, or has ended. KubeError: its fields are not understood."""
    try:
        about, spec, status = found["metadata"], found["spec"], found.get("status") or {}
        counts, phase = _counts(spec, resources), status.get("phase") or "Pending"
        if not any(counts.values()) or phase in ENDED:
            return None
        namespace, name = str(about["namespace"]), str(about["name"])
        gates = [each["name"] for each in spec.get("schedulingGates") or ()]
        leaves_s, began_s = _seconds(about, "deletionTimestamp"), _seconds(status, "startTime")
        length_s = int(spec.get("activeDeadlineSeconds") or 0)
        return Pod(
            uid=str(about["uid"]),
            namespace=namespace,
            name=name,
            group=_group(namespace, name, about.get("labels") or {}),
            power_W=_power_W(
                counts, power, [*(spec.get("nodeSelector") or {}).values(), namespace]
            ),
            has_gate=gates == [GATE] and not leaves_s,
            created_s=_seconds(about, "creationTimestamp"),
            bound_s=_bound_s(status) if spec.get("nodeName") else 0,
            began_s=began_s,
            ends_s=leaves_s or (began_s + length_s if began_s and length_s else 0),
            length_s=length_s,
            is_running=phase != "Pending",
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise KubeError("its fields are not understood") from None


def _counts(spec: Object, resources: Collection[str]) -> dict[str, int]:
    """GPUs by resource. Init containers run before the others, so the larger part counts."""
    counts: dict[str, int] = {}
    for key, is_sum in (("containers", True), ("initContainers", False)):
        part: dict[str, int] = {}
        for each in spec.get(key) or ():
            given = each.get("resources") or {}
            asked = (given.get("limits") or {}) | (given.get("requests") or {})
            for name in asked.keys() & set(resources):
                before, own = part.get(name, 0), int(str(asked[name]))
                part[name] = before + own if is_sum else max(before, own)
        for name, most in part.items():
            counts[name] = max(most, counts.get(name, 0))
    if any(not 0 <= each <= GPUS_MAX for each in counts.values()):
        raise ValueError
    return counts


def _power_W(counts: dict[str, int], power: Table, names: list[str]) -> int | None:
    """The power of all GPUs; None if the table has none for one of them."""
    if not power.gpu_W:
        return None
    parts = [power.power_W(0, each, [*names, name]) for name, each in counts.items()]
    return None if None in parts else sum([each for each in parts if each])


def _seconds(found: Object, key: str) -> int:
    """A time of the API in s since 1970; 0: none."""
    text = found.get(key)
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def _bound_s(status: Object) -> int:
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "True":
            return _seconds(each, "lastTransitionTime")
    return 0


def _group(namespace: str, name: str, labels: Object) -> str:
    """Pods with the same label of a group are one job; a pod without one is a job."""
    label = next((f"{labels[key]}" for key in GROUP_LABELS if labels.get(key)), "")
    return f"{namespace}/{label or name}"


class Pods:
    """`run` is for a thread, `now` for any other."""

    def __init__(self, api: Api, resources: Collection[str], power: Table) -> None:
        self._api, self._resources, self._power = api, resources, power
        self._lock, self._pods, self._version = threading.Lock(), dict[str, Pod](), ""
        self._tried, self._heard_us = threading.Event(), -STALE_S * 1_000_000 - 1
        self._said, self._why = set[str](), "no list has arrived yet"
        self._last = Last("the watch begins again", LINES_MAX)

    def now(self) -> list[Pod]:
        """The pods, the oldest first. KubeError: they are unknown."""
        self._tried.wait(ANSWER_S)
        with self._lock:
            if clock.now_us() - self._heard_us > STALE_S * 1_000_000:
                raise KubeError(f"pods are unknown: {self._why}")
            return sorted(self._pods.values(), key=lambda pod: (pod.created_s, pod.uid))

    def run(self) -> None:
        """List and watch, without an end."""
        pause_s, pause = PAUSE_S, threading.Event()
        while True:
            before_us = self._heard_us
            with self._last:
                self.round()
            pause_s = PAUSE_S if self._heard_us != before_us else min(PAUSE_S_MAX, 2 * pause_s)
            pause.wait(pause_s)

    def round(self) -> None:
        """A list if one is needed, then a watch to its end."""
        try:
            if not self._version:
                self._list()
            for event in self._api.watched(self._version):
                self._take(event)
            self._hear()
        except KubeError as error:
            self._why = str(error)
            if error.code == GONE:
                self._version = ""
        finally:
            self._tried.set()

    def _list(self) -> None:
        found, begun = dict[str, Pod](), ""
        for version, pods in self._api.listed():
            begun = version  # all pages are of one version
            for each in pods:
                self._keep(found, each)
        with self._lock:
            self._pods, self._version = found, begun
        self._hear()
        self._tried.set()

    def _take(self, event: Event) -> None:
        with self._lock:
            if event.kind == "DELETED":
                self._pods.pop(_uid(event.pod), None)
            elif event.kind != "BOOKMARK":
                self._keep(self._pods, event.pod)
            self._version = event.version
        self._hear()

    def _hear(self) -> None:
        self._heard_us = clock.now_us()

    def _keep(self, pods: dict[str, Pod], found: Object) -> None:
        """A pod that is not understood is left out, and named once."""
        uid = _uid(found)
        pods.pop(uid, None)
        try:
            pod = pod_of(found, self._resources, self._power)
        except KubeError as error:
            if len(self._said) < LINES_MAX and uid not in self._said:
                self._said.add(uid)
                say(f"pod {uid[:64]}: {error}; it is left out")
            return
        if pod and len(pods) >= PODS_MAX:
            raise KubeError(f"more than {PODS_MAX} pods have GPUs; allowed are {PODS_MAX}")
        if pod:
            pods[uid] = pod


def _uid(found: Any) -> str:
    about = found.get("metadata") if isinstance(found, dict) else None
    uid = about.get("uid") if isinstance(about, dict) else None
    if not isinstance(uid, str):
        raise KubeError("an object of the API server is no pod: it has no uid")
    return uid
