"""Keeps the list of pods with GPUs up to date, by a list and a watch of the API server.

A thread first asks for a list of all pods, then watches the changes after it:

    list -> watch from the version of the list -> (after 60 s, or ended by the server) -> watch ...
              410: the server has forgotten that version -> list ...
              any other error -> a growing pause -> watch from the last version ...
              a minute of errors, such as an event that is not understood -> list ...

It keeps only the fields that a job needs, so 5 000 pods take 3 MB. The pods are unknown before the
first list, and after STALE_S without news. Unknown does not mean that there are no pods.
"""

import re
import threading
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from controller.system import clock
from controller.system.caught import Last
from controller.watch.jobs import NOT_UNDERSTOOD, Device, PowerTable, typed_field, whole_number
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
# {phase: whether the load of the pod has begun}; None: the pod has ended.
PHASES = {"Pending": False, "Running": True, "Unknown": True, "Succeeded": None, "Failed": None}
PODS_MAX = 20_000
STALE_S, PAUSE_S, PAUSE_S_MAX, LINES_MAX = 180, 1.0, 60.0, 20


class Pod(NamedTuple):
    """A pod with a load. Times are in s since 1970; 0: unknown."""

    uid: str
    namespace: str
    name: str
    group: str
    power_W: int  # see Job
    unknown: str  # see Job
    has_gate: bool = False  # GATE is its only gate
    is_running: bool = False
    is_not_understood: bool = False  # its fields are not understood
    created_s: int = 0
    bound_s: int = 0  # when it got its node
    began_s: int = 0  # when the node accepted it
    deletion_s: int = 0  # end of its deletion
    length_s: int = 0


def pod_of(content: Object, resources: Collection[str], watts: PowerTable) -> Pod | None:
    """The pod in an object of the API. A pod that is not understood has its largest plausible load.

    None: the pod has ended, or it has no GPU, no GATE and no unknown device.
    """
    metadata = content.get("metadata") or {}
    namespace, name = str(metadata.get("namespace", "?")), str(metadata.get("name", "?"))
    unknown_pod = Pod(
        str(metadata.get("uid")), namespace, name, f"{namespace}/{name}", watts.largest_W(1), ""
    )
    try:
        return _parsed(unknown_pod, content, resources, watts)
    except NOT_UNDERSTOOD as error:
        fault = f"its fields are not understood: {type(error).__name__} {error}"
        return unknown_pod._replace(unknown=fault[:100], is_not_understood=True)


def _parsed(pod: Pod, content: Object, resources: Collection[str], watts: PowerTable) -> Pod | None:
    metadata, spec, status = [
        typed_field(content, key, dict) for key in ("metadata", "spec", "status")
    ]
    is_running = PHASES[typed_field(status, "phase", str) or "Pending"]
    gates = [gate["name"] for gate in typed_field(spec, "schedulingGates", list)]
    power_W, unknown = watts.load(1, _devices(spec, resources, watts, pod.namespace), ())
    if is_running is None or not (power_W or unknown or GATE in gates):
        return None
    labels = typed_field(metadata, "labels", dict)
    group = next((labels[key] for key in GROUP_LABELS if labels.get(key)), pod.name)
    return pod._replace(
        group=f"{pod.namespace}/{group}",
        power_W=power_W,
        unknown=unknown,
        has_gate=gates == [GATE],
        is_running=is_running,
        created_s=_seconds(metadata, "creationTimestamp"),
        bound_s=_bound_s(status) if spec.get("nodeName") else 0,
        began_s=_seconds(status, "startTime"),
        deletion_s=_seconds(metadata, "deletionTimestamp"),
        length_s=whole_number(spec.get("activeDeadlineSeconds")),
    )


def _devices(
    spec: Object, resources: Collection[str], watts: PowerTable, namespace: str
) -> list[Device]:
    """All devices of a pod. Each pod runs on one node."""
    names = *_kinds(spec, watts.gpu_W), namespace
    devices = [
        Device(name, (*names, name), pieces, False)
        if name in resources
        else Device(name, (name,), pieces)
        for name, pieces in _counts(spec).items()
    ]
    for request in typed_field(spec, "resourceClaims", list):
        claim = request.get("resourceClaimTemplateName") or request.get("resourceClaimName")
        claim = f"{namespace}/{claim}"  # claims in two namespaces may have the same name
        # A claim may be for any number of devices, unless [gpu_W] has W for the whole claim.
        devices.append(Device(f"claim {claim}", (claim,), 1 if claim in watts.gpu_W else None))
    return devices


def _kinds(spec: Object, gpu_W: Mapping[str, int]) -> list[str]:
    """Entries of [gpu_W] for the nodes on which a pod must run, the largest one first.

    Preferred nodes do not count, because the pod may run on others.
    """
    kinds = [kind for kind in typed_field(spec, "nodeSelector", dict).values() if kind in gpu_W]
    affinity = typed_field(typed_field(spec, "affinity", dict), "nodeAffinity", dict)
    required = typed_field(affinity, "requiredDuringSchedulingIgnoredDuringExecution", dict)
    terms = [_allowed(term, gpu_W) for term in typed_field(required, "nodeSelectorTerms", list)]
    if all(terms):  # the terms are alternatives
        kinds += [kind for term in terms for kind in term]
    return sorted(kinds, key=lambda kind: -gpu_W[kind])


def _allowed(term: Object, gpu_W: Mapping[str, int]) -> list[str]:
    rules = [
        rule for rule in typed_field(term, "matchExpressions", list) if rule["operator"] == "In"
    ]
    known = [rule["values"] for rule in rules if gpu_W.keys() >= {*rule["values"]}]
    return [kind for values in known for kind in values]


def _counts(spec: Object) -> Counter[str]:
    """{resource: number of devices} at the moment when the pod needs most.

    Init containers run one after the other, before the other containers. A sidecar (restartPolicy
    Always) runs beside all later containers.
    """
    beside, most = Counter[str](), Counter[str]()
    for init_container in typed_field(spec, "initContainers", list):
        requested = _devices_of_container(typed_field(init_container, "resources", dict))
        most |= beside + requested
        if init_container.get("restartPolicy") == "Always":
            beside += requested
    if not (containers := typed_field(spec, "containers", list)):
        raise ValueError("containers")
    for container in containers:
        beside += _devices_of_container(typed_field(container, "resources", dict))
    return (most | beside) + _devices_of_container({"limits": spec.get("overhead")})


def _devices_of_container(resources: Object) -> Counter[str]:
    """The limit or the request of each device, whichever is larger.

    Every name with a "/" is a device.
    """
    limits, requests = [
        Counter({name: _pieces(text) for name, text in amounts.items() if "/" in name})
        for amounts in (typed_field(resources, key, dict) for key in ("limits", "requests"))
    ]
    return limits | requests


def _pieces(text: Any) -> int:
    """A number of devices, such as 8 or "1k". ValueError: the text is no such number."""
    if not re.fullmatch("[0-9]{1,9}k?", str(text)):
        raise ValueError(f"{text!r:.20} devices")
    return int(str(text).replace("k", "000"))


def _seconds(fields: Object, key: str) -> int:
    """A time of the API in s since 1970; 0: none."""
    text = typed_field(fields, key, str)
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def _bound_s(status: Object) -> int:
    for condition in typed_field(status, "conditions", list):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "True":
            return _seconds(condition, "lastTransitionTime")
    return 0


class Pods:
    """Pods of a cluster. One thread calls `run`; any other thread may call `now`."""

    def __init__(self, api: Api, resources: Collection[str], watts: PowerTable):
        self._api, self._resources, self._watts = api, resources, watts
        self._lock, self._pods, self._version = threading.Lock(), dict[str, Pod](), ""
        self._tried, self._heard_us = threading.Event(), -STALE_S * 1_000_000 - 1
        self._why = "no list has arrived yet"

    def now(self) -> list[Pod]:
        """The pods, the oldest first. KubeError: the pods are unknown."""
        self._tried.wait(ANSWER_S)
        if clock.now_us() - self._heard_us > STALE_S * 1_000_000:
            raise KubeError(f"pods are unknown: {self._why}")
        with self._lock:
            return sorted(self._pods.values(), key=lambda pod: (pod.created_s, pod.uid))

    def run(self) -> None:
        """List and watch for ever."""
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
        """Get a list if one is needed, then watch until the watch ends."""
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
        by_uid, begun = dict[str, Pod](), ""
        for version, pods in self._api.listed():
            begun = version  # all pages are of one version
            for pod in pods:
                self._keep(by_uid, pod)
        with self._lock:
            self._pods, self._version = by_uid, begun
        self._heard_us = clock.now_us()
        self._tried.set()

    def _keep(self, pods: dict[str, Pod], content: Object, kind: str = "") -> None:
        """Take in a pod. kind: event of a watch; "": from a list.

        A listed pod without a uid counts, with its largest plausible load.
        """
        if kind == "BOOKMARK":
            return
        try:
            uid = typed_field(content["metadata"], "uid", str)
        except NOT_UNDERSTOOD:
            uid = ""
        if not uid:
            if kind:  # nothing shows which pod has changed
                raise KubeError("an object of the API server is no pod: it has no uid")
            uid, content = f"object {len(pods)}", {}
        pods.pop(uid, None)
        pod = None if kind == "DELETED" else pod_of(content, self._resources, self._watts)
        if pod and len(pods) >= PODS_MAX:
            raise KubeError(f"more than {PODS_MAX} pods have GPUs; allowed are {PODS_MAX}")
        if pod:
            pods[uid] = pod
