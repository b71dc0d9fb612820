"""Kubernetes as a Scheduler: pods of one group are one job, and GATE holds a pod until a yes.

Kubernetes knows no time at which a pod will start. So a start is announced for start_s after its
pods got their node or lost their gate, and none for pods that wait for a node. An end is announced
where Kubernetes knows the latest one: of a pod with activeDeadlineSeconds, or in deletion.
"""

import os
import re
import threading
from collections import defaultdict
from typing import Any

from controller.forms.field import Form, integer, is_list, is_text, matching, passing, text
from controller.system import clock
from controller.system.utc import elapsed_s
from controller.watch import jobs as j, settings
from controller.watch.jobs import Job, Table, total
from controller.watch.kube_api import Api, KubeError
from controller.watch.pods import GATE, Pod, Pods

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"
URL = re.compile(rf"{settings.URL.pattern}[A-Za-z0-9._~/-]*")  # a gateway of clusters has a path
UNLIMITED_S = 365 * j.DAY_S
COMPLETE_S = 10  # a job makes its pods one after the other, and all are one question
CHANGED = (404, 409, 422)  # the pod has ended, is another one, or has lost its gate


def form(folder: str) -> Form:
    """The keys of [kubernetes]; by default those of a pod of the cluster."""
    file = passing(lambda value: is_text(value) and os.path.isabs(value), "an absolute path")
    names = passing(lambda value: is_list(value, is_text) and value, "a list of names")
    return {
        "url": matching(
            URL,
            f"{settings.URL_WORDS} (kubectl proxy)",
            "https://kubernetes.default.svc",
            "API server.",
        ),
        "token": file._replace(default=ACCOUNT + "token", what="Read anew for each request."),
        "ca": file._replace(default=ACCOUNT + "ca.crt", what="CA of the API server."),
        "namespace": text("", "Pods of this namespace; empty: of all."),
        "resources": names._replace(
            default=["nvidia.com/gpu"], what="Resources that count as a GPU."
        ),
        "start_s": integer(1, 3600, 60, "From the node to the load; above every_s."),
    }


def opened(values: dict[str, Any], watts: Table) -> "Kubernetes":
    """The pods of a cluster."""
    is_proxy = values["url"].startswith("http:")
    token, ca = [values[key] * (not is_proxy) for key in ("token", "ca")]
    api = Api(values["url"], token, ca, values["namespace"])
    return Kubernetes(api, Pods(api, frozenset(values["resources"]), watts), values["start_s"])


class Kubernetes:
    """See Scheduler."""

    def __init__(self, api: Api, pods: Pods, start_s: int) -> None:
        self._api, self._pods, self._start_s = api, pods, start_s
        self._released: dict[str, int] = {}  # by uid of a pod: when
        self._gated: dict[str, list[Pod]] = {}  # by group: what a question is about
        self._thread = threading.Thread(target=pods.run, name="pods", daemon=True)

    def queue(self) -> list[Job]:
        """All groups of pods that wait or run. Raises Away."""
        if not self._thread.ident:
            self._thread.start()
        pods, now_s = self._pods.now(), _now_s()
        self._released = {pod.uid: at for pod in pods if (at := self._released.get(pod.uid))}
        found: dict[tuple[str, str, int, int], list[Pod]] = defaultdict(list)
        for pod in pods:
            found[pod.group, *self._when(pod)].append(pod)
        self._gated = {when[0]: each for when, each in found.items() if when[1] == j.GATED}
        return [_job(*when, each, now_s) for when, each in found.items()]

    def release(self, name: str) -> None:
        """Remove GATE of the pods of a group, and no other gate. Raises Away.

        Pods that came after the queue was read keep it, because no question was about them.
        """
        for pod in self._gated.get(name, []):
            if pod.uid not in self._released:
                try:
                    self._api.patched(pod.namespace, pod.name, _ungated(pod))
                    self._released[pod.uid] = _now_s()
                except KubeError as error:
                    if error.code not in CHANGED:
                        raise

    def explain(self, name: str, words: str) -> None:
        """Nothing: the watch writes nothing to Kubernetes but the removal of GATE."""

    def _when(self, pod: Pod) -> tuple[str, int, int]:
        """State, start and length; UNLIMITED_S: without a known end."""
        released_s, length_s = self._released.get(pod.uid, 0), pod.length_s or UNLIMITED_S
        if pod.is_odd and not pod.has_gate:  # it may begin at any time
            return j.RELEASED, 0, length_s
        if pod.is_running:
            begun_s = pod.began_s or pod.created_s
            return j.RUNNING, begun_s, pod.leaves_s - begun_s if pod.leaves_s else length_s
        if pod.leaves_s:
            return j.PENDING, 0, length_s
        if pod.has_gate and not released_s:
            return j.GATED, 0, 0
        if start_s := pod.bound_s or released_s:  # from then on its load is sure to come
            return j.RELEASED, start_s + self._start_s, length_s
        return j.PENDING, 0, length_s


def _now_s() -> int:
    return int(clock.utc_us()) // 1_000_000


def _job(group: str, state: str, start_s: int, length_s: int, pods: list[Pod], now_s: int) -> Job:
    since_s = min([pod.created_s for pod in pods])
    if state == j.GATED:
        length_s = max([pod.length_s or UNLIMITED_S for pod in pods])
        state = j.PENDING if abs(elapsed_s(since_s, now_s)) < COMPLETE_S else state
    power_W, unknown = total([(pod.power_W, pod.unknown) for pod in pods])
    if state == j.GATED and not power_W:
        unknown = unknown or f"it has {GATE}, and requests no GPU of [kubernetes] resources"
    return Job(group, state, power_W, start_s, length_s, since_s, unknown)


def _ungated(pod: Pod) -> list[dict[str, Any]]:
    """The pod must be the same one still, and GATE its first gate, which is its only one."""
    gate = "/spec/schedulingGates/0"
    return [
        {"op": "test", "path": "/metadata/uid", "value": pod.uid},
        {"op": "test", "path": f"{gate}/name", "value": GATE},
        {"op": "remove", "path": gate},
    ]
