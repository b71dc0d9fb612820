"""Pods with GPUs, by a list and a watch of the API server.

    list -> watch from its version on -> (60 s, or the server ends it) -> watch ...
              410: the server has forgotten that version -> list ...
              any other error -> a growing pause -> watch from the last version ...
              a minute of errors, as of an event that is not understood -> list ...

A thread does this. Of each pod only the words stay that a job needs, so 5 000 pods take 3 MB. Pods
are unknown, not none, before the first list and when nothing was heard for STALE_S.
"""

import re
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from controller.system import clock
from controller.system.caught import Last
from controller.watch.jobs import Device, Fields, Load, Table
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
ENDED = "Succeeded", "Failed"
PODS_MAX, GPUS_MAX = 20_000, 1024
STALE_S, PAUSE_S, PAUSE_S_MAX, LINES_MAX = 180, 1.0, 60.0, 20


class Pod(NamedTuple):
    """power_W, unknown: see Job. has_gate: GATE is its only gate. Times in s since 1970, 0:
    unknown; bound_s: got its node; began_s: the node took it; leaves_s: the end of its deletion.
    """

    uid: str
    namespace: str
    name: str
    group: str
    power_W: int
    unknown: str
    has_gate: bool
    is_running: bool
    is_odd: bool
    created_s: int
    bound_s: int
    began_s: int
    leaves_s: int
    length_s: int


def pod_of(found: Object, resources: Collection[str], watts: Table) -> Pod | None:
    """None: it has no GPU, no GATE and nothing unknown, or has ended. A field that is not
    understood makes the load of the pod its largest plausible one.
    """
    fields = Fields()

    def part(whole: Object, name: str, instead: Object | None = None) -> Object:
        return fields.get(name, lambda: _object(whole.get(name) or instead), dict[str, Any]())

    def seconds(whole: Object, name: str) -> int:
        return fields.get(name, lambda: _seconds(whole.get(name)), 0)

    about, spec, status = part(found, "metadata"), part(found, "spec"), part(found, "status", {})
    name, space = str(about.get("name", "?")), str(about.get("namespace", "?"))
    labels, phase = (
        part(about, "labels", {}),
        fields.get("phase", lambda: _phase(status), "Pending"),
    )
    gates = fields.get("schedulingGates", lambda: _gates(spec), list[str]())
    most = watts.load(1, [Device("GPUs", (), None, False)], ())
    load = fields.get("resources", lambda: _load(spec, resources, watts, space), most)
    deadline_s = fields.get("activeDeadlineSeconds", lambda: _deadline_s(spec), 0)
    pod = Pod(
        uid=str(about.get("uid")),
        namespace=space,
        name=name,
        group=f"{space}/{next((labels[key] for key in GROUP_LABELS if labels.get(key)), name)}",
        power_W=load.power_W,
        has_gate=gates == [GATE],
        is_running=phase != "Pending",
        created_s=seconds(about, "creationTimestamp"),
        bound_s=fields.get("conditions", lambda: _bound_s(spec, status), 0),
        began_s=seconds(status, "startTime"),
        leaves_s=seconds(about, "deletionTimestamp"),
        length_s=deadline_s,
        is_odd=bool(fields.odd),
        unknown=fields.unknown(load.unknown),
    )
    is_none = not (load.power_W or load.unknown or GATE in gates or "schedulingGates" in fields.odd)
    return None if is_none or phase in ENDED else pod


def _object(value: Any) -> Object:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _phase(status: Object) -> str:
    found = str(status.get("phase") or "Pending")
    if found not in ("Pending", "Running", "Unknown", *ENDED):
        raise ValueError
    return found


def _gates(spec: Object) -> list[str]:
    return [each["name"] for each in spec.get("schedulingGates") or ()]


def _deadline_s(spec: Object) -> int:
    return int(spec.get("activeDeadlineSeconds") or 0)


def _load(spec: Object, resources: Collection[str], watts: Table, namespace: str) -> Load:
    """The power of all devices of a pod, which runs on one node."""
    if not spec:
        raise ValueError
    selected = spec.get("nodeSelector") or {}
    is_typed = any(part in key.lower() for key in selected for part in ("gpu", "accelerator"))
    names = *map(str, selected.values()), namespace
    devices = []
    for name, pieces in _counts(spec).items():
        if name in resources:
            is_slice = "/mig-" in name
            devices.append(Device(name, (*names, name), pieces, is_typed and not is_slice))
        else:
            devices.append(Device(name, (name,), pieces, None))
    for each in spec.get("resourceClaims") or ():
        claim = str(each.get("resourceClaimTemplateName") or each.get("resourceClaimName"))
        # A claim may be for any number of devices, unless [gpu_W] has W for the whole claim.
        is_known = claim in watts.gpu_W
        devices.append(Device(f"claim {claim}", (claim,), 1 if is_known else None, False))
    return watts.load(1, devices, ())


def _counts(spec: Object) -> dict[str, int | None]:
    """Devices by resource; None: their number is not understood. Init containers run before the
    others, one after the other, so the largest moment counts. A sidecar (restartPolicy Always) goes
    on beside all that come after it.
    """
    beside, most = Counter[str](), Counter[str]()
    odd = set[str]()

    def asked(each: Object) -> Counter[str]:
        found = Counter[str]()
        for part in ("limits", "requests"):
            for name, text in ((each.get("resources") or {}).get(part) or {}).items():
                if "/" not in name or name.partition("/")[0].endswith("kubernetes.io"):
                    continue
                with suppress(ValueError):
                    found[name] = max(found[name], _pieces(text))
                    continue
                odd.add(name)
        return found

    for each in spec.get("initContainers") or ():
        own = asked(each)
        most |= beside + own
        if each.get("restartPolicy") == "Always":
            beside += own
    for each in spec.get("containers") or ():
        beside += asked(each)
    most |= beside
    most |= asked(spec)
    return {**most, **dict.fromkeys(odd)}


def _pieces(text: Any) -> int:
    """A number of devices, as 8 or "1k". ValueError: it is no such number."""
    found = int(re.sub("k$", "000", str(text)))
    if not 0 <= found <= GPUS_MAX:
        raise ValueError
    return found


def _seconds(text: Any) -> int:
    """A time of the API in s since 1970; 0: none."""
    return int(datetime.fromisoformat(text).timestamp()) if text else 0


def _bound_s(spec: Object, status: Object) -> int:
    """When the pod got its node; 0: it has none."""
    for each in (status.get("conditions") or ()) if spec.get("nodeName") else ():
        if each.get("type") == "PodScheduled" and each.get("status") == "True":
            return _seconds(each.get("lastTransitionTime"))
    return 0


class NoUid(KubeError):
    """An object without its own name: which pod has changed is not known."""


class Pods:
    """`run` is for a thread, `now` for any other."""

    def __init__(self, api: Api, resources: Collection[str], watts: Table) -> None:
        self._api, self._resources, self._watts = api, resources, watts
        self._lock, self._pods, self._version = threading.Lock(), dict[str, Pod](), ""
        self._tried, self._heard_us = threading.Event(), -STALE_S * 1_000_000 - 1
        self._why = "no list has arrived yet"

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
                try:
                    self._keep(found, each)
                except NoUid:  # it costs itself alone, and counts
                    if pod := pod_of(
                        each if isinstance(each, dict) else {}, self._resources, self._watts
                    ):
                        found[f"object {len(found)}"] = pod
        with self._lock:
            self._pods, self._version = found, begun
        self._heard_us = clock.now_us()
        self._tried.set()

    def _keep(self, pods: dict[str, Pod], found: Object, kind: str = "ADDED") -> None:
        """Take in a pod."""
        if kind == "BOOKMARK":
            return
        try:
            uid = str(found["metadata"]["uid"])
        except (LookupError, TypeError):
            raise NoUid("an object of the API server is no pod: it has no uid") from None
        pods.pop(uid, None)
        pod = None if kind == "DELETED" else pod_of(found, self._resources, self._watts)
        if pod and len(pods) >= PODS_MAX:
            raise KubeError(f"more than {PODS_MAX} pods have GPUs; allowed are {PODS_MAX}")
        if pod:
            pods[uid] = pod
