"""Pods with GPUs, by a list and a watch of the API server.

    list -> watch from its version on -> (60 s, or the server ends it) -> watch ...
              410: the server has forgotten that version -> list ...
              any other error -> a growing pause -> watch from the last version ...
              a minute of errors, as of an event that is not understood -> list ...

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
from controller.watch.kube_api import ANSWER_S, GONE, Api, KubeError, Object, version_of

GATE = "firebreak/ask"
GROUP_LABELS = (
    "scheduling.x-k8s.io/pod-group",
    "kueue.x-k8s.io/pod-group-name",
    "jobset.sigs.k8s.io/jobset-name",
    "training.kubeflow.org/job-name",
    "batch.kubernetes.io/job-name",
    "job-name",
)
PODS_MAX, GPUS_MAX = 20_000, 1024
STALE_S, PAUSE_S, PAUSE_S_MAX, LINES_MAX = 180, 1.0, 60.0, 20


class Pod(NamedTuple):
    """power_W: None: unknown. has_gate: GATE is its only gate. Times in s since 1970, 0: unknown;
    bound_s: got its node; began_s: the node took it; leaves_s: the end of its deletion.
    """

    uid: str
    namespace: str
    name: str
    group: str
    power_W: int | None
    has_gate: bool
    is_running: bool
    created_s: int
    bound_s: int
    began_s: int
    leaves_s: int
    length_s: int


def pod_of(found: Object, resources: Collection[str], watts: Table) -> Pod | None:
    """None: it has no such resource, or has ended. KubeError: its fields are not understood."""
    try:
        about, spec, status = found["metadata"], found["spec"], found.get("status") or {}
        counts, phase = _counts(spec, resources), status.get("phase") or "Pending"
        if not any(counts.values()) or phase in ("Succeeded", "Failed"):
            return None
        namespace, name, labels = str(about["namespace"]), about["name"], about.get("labels") or {}
        gates = [each["name"] for each in spec.get("schedulingGates") or ()]
        own = next((labels[key] for key in GROUP_LABELS if labels.get(key)), name)
        return Pod(
            uid=str(about["uid"]),
            namespace=namespace,
            name=str(name),
            group=f"{namespace}/{own}",
            power_W=_power_W(
                counts, watts, [*(spec.get("nodeSelector") or {}).values(), namespace]
            ),
            has_gate=gates == [GATE],
            is_running=phase != "Pending",
            created_s=_seconds(about.get("creationTimestamp")),
            bound_s=_bound_s(status) if spec.get("nodeName") else 0,
            began_s=_seconds(status.get("startTime")),
            leaves_s=_seconds(about.get("deletionTimestamp")),
            length_s=int(spec.get("activeDeadlineSeconds") or 0),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        raise KubeError("its fields are not understood") from None


def _counts(spec: Object, resources: Collection[str]) -> dict[str, int]:
    """GPUs by resource. Init containers run before the others, so the larger part counts."""
    parts: dict[str, dict[str, int]] = {"containers": {}, "initContainers": {}}
    for key, part in parts.items():
        for each in spec.get(key) or ():
            given = each.get("resources") or {}
            asked = (given.get("limits") or {}) | (given.get("requests") or {})
            for name in asked.keys() & set(resources):
                before, own = part.get(name, 0), int(str(asked[name]))
                if not 0 <= own <= GPUS_MAX:
                    raise ValueError
                part[name] = before + own if key == "containers" else max(before, own)
    first, most = parts.values()
    most |= {name: max(each, most.get(name, 0)) for name, each in first.items()}
    return most


def _power_W(counts: dict[str, int], watts: Table, names: list[str]) -> int | None:
    """The power of all GPUs; None if the table has none for one of them."""
    parts = [watts.power_W(0, each, [*names, name]) for name, each in counts.items()]
    return sum([each or 0 for each in parts]) if watts.gpu_W and None not in parts else None


def _seconds(text: Any) -> int:
    """A time of the API in s since 1970; 0: none."""
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def _bound_s(status: Object) -> int:
    for each in status.get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "True":
            return _seconds(each.get("lastTransitionTime"))
    return 0


class Pods:
    """`run` is for a thread, `now` for any other."""

    def __init__(self, api: Api, resources: Collection[str], watts: Table) -> None:
        self._api, self._resources, self._watts = api, resources, watts
        self._lock, self._pods, self._version = threading.Lock(), dict[str, Pod](), ""
        self._tried, self._heard_us = threading.Event(), -STALE_S * 1_000_000 - 1
        self._said, self._why = set[str](), "no list has arrived yet"

    def now(self) -> list[Pod]:
        """The pods, the oldest first. KubeError: they are unknown."""
        self._tried.wait(ANSWER_S)
        if clock.now_us() - self._heard_us > STALE_S * 1_000_000:
            raise KubeError(f"pods are unknown: {self._why}")
        with self._lock:
            return sorted(self._pods.values(), key=lambda pod: (pod.created_s, pod.uid))

    def run(self) -> None:
        """List and watch, without an end."""
        pause_s, pause, last = PAUSE_S, threading.Event(), Last("the watch begins again", LINES_MAX)
        while True:
            before_us = self._heard_us
            with last:
                self.round()
            pause_s = PAUSE_S if self._heard_us != before_us else min(PAUSE_S_MAX, 2 * pause_s)
            if pause_s == PAUSE_S_MAX:
                self._version = ""
            pause.wait(pause_s)

    def round(self) -> None:
        """A list if one is needed, then a watch to its end."""
        try:
            if not self._version:
                self._list()
            for kind, pod in self._api.watched(self._version):
                with self._lock:
                    self._keep(self._pods, pod, kind)
                    self._version = version_of(pod)
                self._heard_us = clock.now_us()
            self._heard_us = clock.now_us()
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
        self._heard_us = clock.now_us()
        self._tried.set()

    def _keep(self, pods: dict[str, Pod], found: Object, kind: str = "ADDED") -> None:
        """Take in a pod. A pod that is not understood is left out, and named once."""
        if kind == "BOOKMARK":
            return
        try:
            uid = str(found["metadata"]["uid"])
        except (LookupError, TypeError):
            raise KubeError("an object of the API server is no pod: it has no uid") from None
        pods.pop(uid, None)
        try:
            pod = None if kind == "DELETED" else pod_of(found, self._resources, self._watts)
        except KubeError as error:
            if len(self._said) < LINES_MAX and uid not in self._said:
                self._said.add(uid)
                say(f"pod {uid[:64]}: {error}; it is left out")
            return
        if pod and len(pods) >= PODS_MAX:
            raise KubeError(f"more than {PODS_MAX} pods have GPUs; allowed are {PODS_MAX}")
        if pod:
            pods[uid] = pod
