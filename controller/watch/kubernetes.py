"""Uses Kubernetes as a Scheduler (jobs.py). The pods of one group are one job.

The scheduling gate GATE holds a pod until the cabinet says yes.
Kubernetes does not know when a pod will start. So the start of a job is announced for start_s after
its pods got their node or lost their gate. For pods that wait for a node, no start is announced. An
end is announced only if Kubernetes knows the latest end, as for pods with activeDeadlineSeconds and
for pods in deletion.
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
from controller.watch.jobs import Job, PowerTable, total_load
from controller.watch.kube_api import Api, KubeError
from controller.watch.pods import GATE, Pod, Pods

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount/"
URL = re.compile(rf"{settings.URL.pattern}[A-Za-z0-9._~/-]*")  # the url of a gateway has a path
UNLIMITED_S = 365 * j.DAY_S
# A job creates its pods one after the other. The gate waits for this many seconds, so that it asks
# once about all of them.
COMPLETE_S = 10
CHANGED = (404, 409, 422)  # the pod has ended, has been replaced, or has lost its gate


_FILE = passing(lambda value: is_text(value) and os.path.isabs(value), "an absolute path")
# The defaults fit a watch that runs in a pod of the cluster.
FORM: Form = {
    "url": matching(
        URL,
        f"{settings.URL_WORDS} (kubectl proxy)",
        "https://kubernetes.default.svc",
        "API server.",
    ),
    "token": _FILE._replace(default=ACCOUNT + "token", note="Read anew for each request."),
    "ca": _FILE._replace(default=ACCOUNT + "ca.crt", note="CA of the API server."),
    "namespace": text("", "Pods of this namespace; empty: of all."),
    "resources": passing(
        lambda value: is_list(value, is_text) and value,
        "a list of names",
        ["nvidia.com/gpu"],
        "Resources that count as a GPU.",
    ),
    "start_s": integer(1, 3600, 60, "From the node to the load; above every_s."),
}


def opened(values: dict[str, Any], watts: PowerTable) -> "Kubernetes":
    """The scheduler of a cluster."""
    is_proxy = values["url"].startswith("http:")
    token, ca = ("", "") if is_proxy else (values["token"], values["ca"])
    api = Api(values["url"], token, ca, values["namespace"])
    return Kubernetes(api, Pods(api, frozenset(values["resources"]), watts), values["start_s"])


class Kubernetes:
    """A cluster of Kubernetes; see Scheduler."""

    def __init__(self, api: Api, pods: Pods, start_s: int):
        self._api, self._pods, self._start_s = api, pods, start_s
        self._released: dict[str, int] = {}  # {uid of a pod: Unix time of its release}
        self._gated: dict[str, list[Pod]] = {}  # {group: the pods that a question is about}
        self._thread = threading.Thread(target=pods.run, name="pods", daemon=True)

    def queue(self) -> list[Job]:
        """All groups of pods that wait or run. Raises Away."""
        if not self._thread.ident:
            self._thread.start()
        pods, now_s = self._pods.now(), _now_s()
        self._released = {
            pod.uid: released_s for pod in pods if (released_s := self._released.get(pod.uid))
        }
        groups: dict[tuple[str, str, int, int], list[Pod]] = defaultdict(list)
        for pod in pods:
            groups[pod.group, *self._state(pod)].append(pod)
        self._gated = {
            group: members for (group, state, *_), members in groups.items() if state == j.GATED
        }
        return [_job(*key, members, now_s) for key, members in groups.items()]

    def release(self, name: str) -> None:
        """Remove GATE, but no other gate, from the pods of a group. Raises Away.

        Pods that came after the queue was read keep GATE, because no question was about them.
        """
        for pod in self._gated.get(name, []):
            if pod.uid not in self._released:
                try:
                    self._api.patched(pod.namespace, pod.name, _ungated(pod))
                    self._released[pod.uid] = _now_s()
                except KubeError as error:
                    if error.code not in CHANGED:
                        raise

    def explain(self, name: str, reason: str) -> None:
        """Do nothing, because the watch changes nothing in Kubernetes except GATE."""

    def _state(self, pod: Pod) -> tuple[str, int, int]:
        """State, start and length of a pod. If its end is unknown, the length is UNLIMITED_S."""
        released_s, length_s = self._released.get(pod.uid, 0), pod.length_s or UNLIMITED_S
        if pod.is_not_understood and not pod.has_gate:  # its load may begin at any time
            return j.RELEASED, 0, length_s
        if pod.is_running:
            begun_s = pod.began_s or pod.created_s
            return j.RUNNING, begun_s, pod.deletion_s - begun_s if pod.deletion_s else length_s
        if pod.deletion_s:
            return j.PENDING, 0, length_s
        if pod.has_gate and not released_s:
            return j.GATED, 0, 0
        if start_s := pod.bound_s or released_s:  # after this time its load is sure to come
            return j.RELEASED, start_s + self._start_s, length_s
        return j.PENDING, 0, length_s


def _now_s() -> int:
    return int(clock.utc_us()) // 1_000_000


def _job(group: str, state: str, start_s: int, length_s: int, pods: list[Pod], now_s: int) -> Job:
    since_s = min(pod.created_s for pod in pods)
    if state == j.GATED:
        length_s = max(pod.length_s or UNLIMITED_S for pod in pods)
        state = j.PENDING if abs(elapsed_s(since_s, now_s)) < COMPLETE_S else state
    power_W, unknown = total_load([(pod.power_W, pod.unknown) for pod in pods])
    if state == j.GATED and not power_W:
        unknown = unknown or f"it has {GATE}, and requests no GPU of [kubernetes] resources"
    return Job(group, state, power_W, start_s, length_s, since_s=since_s, unknown=unknown)


def _ungated(pod: Pod) -> list[dict[str, Any]]:
    """A patch that fails if the pod has been replaced, or if GATE is not its first gate."""
    gate = "/spec/schedulingGates/0"
    return [
        {"op": "test", "path": "/metadata/uid", "value": pod.uid},
        {"op": "test", "path": f"{gate}/name", "value": GATE},
        {"op": "remove", "path": gate},
    ]
