"""Kubernetes: list and watch of pods, jobs of them, and the removal of the gate."""

import importlib.util
import json
import os
import re
import subprocess
import textwrap
import threading
from types import SimpleNamespace

import parts
import pytest
from ask_bench import situation
from hypothesis import given, strategies as st
from watch_site import steps, token_in

from controller.doors import asking
from controller.forms.reading import read
from controller.forms.refusal import ConfigError
from controller.watch import kube_api, kubernetes, pods, settings
from controller.watch.cabinet import Cabinet
from controller.watch.gate import Gate
from controller.watch.jobs import Away, Job, PowerTable
from controller.watch.kube_api import KubeError
from controller.watch.settings import GATE as GATE_FORM
from controller.watch.watcher import Watcher
from tests.controller.doors.http_site import served
from tests.controller.watch.kube_fake import GATE, GUARD_S, TOKEN, certificate, chunk, opened, pod
from tests.repository import ROOT
from tests.tables import cases

pytestmark = pytest.mark.wire
NOW_S = 1_795_615_800  # 2026-11-25T14:10:00Z
AT, SINCE_S = "2026-11-25T14:09:00Z", NOW_S - 60
YEAR_S, POWER = (
    365 * 86_400,
    PowerTable({}, {"*": 500, "nvidia.com/gpu": 1000, "train": 900, "h100": 700}),
)
MIG = "nvidia.com/mig-1g.5gb"
OTHER = {"name": "other.example/gate"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    parts.needs("openssl")
    found = tmp_path_factory.mktemp("kube")
    certificate(found)
    return found


@pytest.fixture
def fake(folder, monkeypatch):
    monkeypatch.setattr(kubernetes, "_now_s", lambda: NOW_S)
    with opened(folder) as found:
        yield found


def queue(scheduler):
    """The queue after one list or watch, without the thread."""
    scheduler._thread = threading.current_thread()
    scheduler._pods.round()
    return scheduler.queue()


def names(scheduler):
    return [job.name for job in queue(scheduler)]


def job(name, state, power_W=8000, start_s=0, length_s=YEAR_S, since_s=SINCE_S):
    return Job(f"train/{name}", state, power_W, start_s, length_s, since_s)


SIDECAR = {"restartPolicy": "Always", "resources": {"limits": {"nvidia.com/gpu": 1}}}
ALL_GPUS_W = 16 * 1000


def test_pods_become_jobs(fake):
    scheduler = fake.scheduler()
    fake.put(
        pod("waits", at=AT),
        pod("gated", at=AT, gates=[GATE]),
        pod("both", at=AT, gates=[OTHER, GATE]),
        pod("bound", at=AT, nodeName="n1", bound="2026-11-25T14:09:50Z", activeDeadlineSeconds=600),
        pod("runs", at=AT, phase="Running", startTime=AT, activeDeadlineSeconds=3600),
        pod(
            "leaves", at=AT, phase="Running", startTime=AT, deletionTimestamp="2026-11-25T14:12:00Z"
        ),
        pod("gone", at=AT, gates=[GATE], deletionTimestamp="2026-11-25T14:12:00Z"),
        pod("lost", at=AT, phase="Unknown"),
        pod("done", at=AT, phase="Succeeded"),
        pod("cpu", at=AT, gpus=0),
        *[pod(f"g{at}", gpus=4, at=AT, group="g", gates=[GATE]) for at in range(3)],
        pod("young", at="2026-11-25T14:09:55Z", gates=[GATE]),
    )
    assert {each.name: each for each in queue(scheduler)} == {
        each.name: each
        for each in (
            job("waits", "pending"),
            job("gated", "gated"),
            job("both", "pending"),
            job("bound", "released", start_s=NOW_S + 50, length_s=600),
            job("runs", "running", start_s=SINCE_S, length_s=3600),
            job("leaves", "running", start_s=SINCE_S, length_s=180),
            job("lost", "running", start_s=SINCE_S),
            job("gone", "pending"),
            job("g", "gated", 12_000),
            job("young", "pending", since_s=NOW_S - 5),
        )
    }


GPUS, NEEDED = "nvidia.com/gpu", "requiredDuringSchedulingIgnoredDuringExecution"


def asks(count):
    return {"containers": [{"resources": {"requests": {GPUS: count}}}]}


def needs(*terms, operator="In"):
    """The part of a spec by which a pod runs only on nodes with these labels."""
    rules = [[{"key": "gpu", "operator": operator, "values": values}] for values in terms]
    chosen = {"nodeSelectorTerms": [{"matchExpressions": rule} for rule in rules]}
    return {"affinity": {"nodeAffinity": {NEEDED: chosen}}}


def prefers(value):
    """The same as a wish."""
    term = {"matchExpressions": [{"key": "gpu", "operator": "In", "values": [value]}]}
    wish = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}]}
    return {"affinity": {"nodeAffinity": wish}}


@cases("""more  power_W
          {}  900 * 8  # the namespace
          {"nodeSelector": {"gpu": "h100"}}  700 * 8
          {"initContainers": [{"name": "has no resources"}]}  900 * 8
          {"initContainers": [{"resources": {"limits": {"nvidia.com/gpu": 9}}}]}  900 * 9
          {"initContainers": [{"resources": {"limits": {MIG: 2}}}]}  900 * 10
          {"initContainers": [SIDECAR]}  900 * 9
          {"initContainers": [SIDECAR, {"resources": {"limits": {"nvidia.com/gpu": 9}}}]}  900 * 10
          {"initContainers": [{"resources": {"limits": {"nvidia.com/gpu": 9}}}, SIDECAR]}  900 * 9
          {"initContainers": [SIDECAR, SIDECAR]}  900 * 10
          {"initContainers": [{"resources": {"limits": {"rdma/hca": 2}}}]}  900 * 8
          {"resourceClaims": [{"name": "g", "resourceClaimTemplateName": "two"}]}  900 * 8 + 1500
          {"nodeSelector": {"gpu": "h1000"}}  900 * 8  # a whole name
          {"nodeSelector": {"gpu": "h100", "pool": "t4"}}  700 * 8  # the larger one
          {"nodeSelector": {"pool": "t4", "gpu": "h100"}}  700 * 8
          {"nodeSelector": {"gpu": "t4", "os": "linux"}}  100 * 8
          needs(["t4"])  100 * 8
          needs(["t4", "h100"])  700 * 8
          needs(["t4", "new"])  900 * 8  # it may be the new one
          needs(["t4"], ["h100"])  700 * 8  # alternatives
          needs(["t4"], ["new"])  900 * 8
          needs(["t4"], [])  900 * 8
          {**needs(["t4"]), "nodeSelector": {"gpu": "h100"}}  700 * 8
          needs(["t4"], operator="NotIn")  900 * 8
          prefers("t4")  900 * 8
          {"overhead": {"cpu": "250m", "nvidia.com/gpu": "1"}}  900 * 9
          {"containers": [{"resources": {"limits": {GPUS: 8}, "requests": {GPUS: 1}}}]}  900 * 8
          asks("1k")  900 * 1000
          {"containers": [{"resources": {"limits": {GPUS: 1}}}] * 3}  900 * 3
""")
def test_power_of_a_pod(more, power_W):
    table = POWER._replace(gpu_W=POWER.gpu_W | {"train/two": 1500, "t4": 100})
    found = pods.pod_of(pod("a", **more), ("nvidia.com/gpu", MIG), table)
    assert (found.power_W, found.unknown) == (power_W, "")


def one(name, count):
    return {"containers": [{"resources": {"limits": {name: count}}}]}


@cases("""more  power_W  words
          {"initContainers": one("amd.com/gpu", 2)["containers"]}  7200 + 2000  "amd.com/gpu"
          {"resourceClaims": [{"resourceClaimName": "x"}]}  7200 + ALL_GPUS_W  "claim train/x"
          {"resourceClaims": [{"name": "g"}]}  7200 + ALL_GPUS_W  "claim train/None"
          {"resourceClaims": [{"resourceClaimName": "two"}]}  7200 + ALL_GPUS_W  "claim train/two"
          one("deviceclass.resource.kubernetes.io/g", 3)  3000  "kubernetes.io/g"
          one("my-kubernetes.io/gpu", 3)  3000  "my-kubernetes.io/gpu"
          {"overhead": {"amd.com/gpu": 2}}  7200 + 2000  "amd.com/gpu"
          {"resourceClaims": 5}  ALL_GPUS_W  "fields are not understood"
          {"containers": [*one("nvidia.com/gpu", "8")["containers"], 5]}  ALL_GPUS_W  "not under"
          one("habana.ai/gaudi", 8)  8000  "habana.ai/gaudi"
          one("google.com/tpu", "8")  8000  "google.com/tpu"
          one("nvidia.com/gpu.shared", 8)  8000  "nvidia.com/gpu.shared"
""")
def test_what_a_pod_has_beside_gpus_is_named_and_counts(more, power_W, words):
    found = pods.pod_of(pod("a", **more), ("nvidia.com/gpu",), POWER)
    assert found.power_W == power_W and words in found.unknown


def test_a_gpu_without_an_entry_is_named():
    found = pods.pod_of(pod("a"), ("nvidia.com/gpu",), PowerTable({}, {"a100": 1}))
    assert (found.power_W, found.unknown) == (8, "[gpu_W] has no entry for nvidia.com/gpu")


def test_a_slice_without_an_entry_counts_as_the_largest_gpu():
    slices = {"containers": [{"resources": {"limits": {MIG: 2}}}]}
    found = pods.pod_of(pod("a", **slices), (MIG,), PowerTable({}, {"*": 500, "h100": 700}))
    assert (found.power_W, found.unknown) == (1400, "")


def test_a_group_with_a_pod_of_unknown_power_is_unknown_and_the_sum():
    one = pods.pod_of(pod("a"), ("nvidia.com/gpu",), POWER)
    several = [one, one._replace(power_W=5, unknown="why")]
    found = kubernetes._job("g", "running", 0, 0, several, NOW_S)
    assert (found.power_W, found.unknown) == (7205, "why")


def test_a_group_is_asked_for_with_its_longest_pod():
    one = pods.pod_of(pod("a", activeDeadlineSeconds=60), ("nvidia.com/gpu",), POWER)
    for lengths_s, longest_s in (((60, 600), 600), ((0, 60), YEAR_S)):
        several = [one._replace(length_s=each) for each in lengths_s]
        assert kubernetes._job("g", "gated", 0, 0, several, NOW_S).length_s == longest_s


GPU = pod("a")["spec"]


@cases("""key  value
          "metadata"  None | "metadata"  7 | "metadata"  {"uid": "u", "labels": 5}
          "metadata"  {"uid": "u", "name": [], "namespace": {}, "creationTimestamp": "now"}
          "metadata"  {"uid": "u", "deletionTimestamp": "soon"}
          "spec"  [] | "spec"  None | "spec"  {} | "spec"  {"containers": 5}
          "spec"  {**GPU, "schedulingGates": "firebreak/ask"}
          "spec"  {**GPU, "nodeSelector": [7]}
          "spec"  asks("-1")
          "spec"  asks("1e9999")
          "spec"  asks("8000m")
          "spec"  {**GPU, "activeDeadlineSeconds": 1e999}
          "spec"  {**GPU, "activeDeadlineSeconds": -5}
          "spec"  {**GPU, "activeDeadlineSeconds": True}
          "spec"  {**GPU, "activeDeadlineSeconds": "60"}
          "spec"  {**GPU, "activeDeadlineSeconds": 0.5}
          "spec"  {**GPU, "initContainers": 0} | "spec"  {**GPU, "resourceClaims": {}}
          "spec"  {**GPU, "schedulingGates": False} | "spec"  {**GPU, "nodeSelector": []}
          "spec"  {**GPU, "affinity": "h100"} | "spec"  needs(5) | "spec"  {**GPU, "overhead": []}
          "spec"  {"containers": {}} | "spec"  {"containers": []}
          "spec"  {"containers": [{"resources": []}]}
          "spec"  {"containers": [{"resources": {"requests": []}}]}
          "spec"  asks(True)
          "spec"  asks("1_0")
          "spec"  asks(8.0)
          "spec"  asks(None)
          "metadata"  {"uid": ""} | "metadata"  {"uid": None} | "metadata"  {"uid": 7}
          "metadata"  {"uid": "u", "labels": []} | "metadata"  {"uid": "u", "deletionTimestamp": 0}
          "status"  {"phase": 0} | "status"  []
          "status"  {"startTime": "yesterday"} | "status"  7 | "status"  {"phase": ["Running"]}
""")
def test_an_odd_pod_costs_itself_alone_and_counts_as_much(fake, key, value):
    """A list of two pods: the other one stays as it is. The load of the odd one is never smaller
    than what it requests, it counts beside each question, and it is named.
    """
    scheduler = fake.scheduler()
    fake.put(pod("b", at=AT, gates=[GATE]))
    odd = {**pod("a", at=AT), key: value}
    pages = scheduler._pods._api.listed()
    scheduler._pods._api.listed = lambda: [(each, [odd, *found]) for each, found in pages]
    found = {each.name: each for each in queue(scheduler)}
    assert found.pop("train/b") == job("b", "gated")
    (own,) = found.values()
    assert own.power_W >= 8 * 700 and own.unknown
    assert own.state == "released" and own.start_s == 0


def test_two_pods_without_a_uid_are_two(fake):
    scheduler = fake.scheduler()
    odd = [{**pod(name, at=AT), "metadata": {"name": name, "uid": None}} for name in "ab"]
    scheduler._pods._api.listed = lambda: [("1", odd)]
    assert sum(each.power_W for each in queue(scheduler)) == 2 * 16 * 1000


def test_nothing_that_a_user_writes_beside_the_pod_opens_the_gate(fake):
    """Annotations, labels and finalizers are the submitter's: the load and the gate stay."""
    scheduler = fake.scheduler()
    own = pod("a", at=AT, gates=[GATE])
    words = dict.fromkeys(["firebreak/released", "firebreak/ask", "firebreak/power-W"], "0")
    own["metadata"] |= {"annotations": words, "finalizers": ["firebreak/released"]}
    own["metadata"]["labels"] = {**words, "kueue.x-k8s.io/queue-name": "released"}
    fake.put(own)
    assert queue(scheduler) == [job("a", "gated")]


def test_a_pod_whose_gate_no_gpu_explains_is_named_and_stays(fake):
    """It would wait for ever, without a word."""
    scheduler = fake.scheduler()
    fake.put(pod("cpu", gpus=0, at=AT, gates=[GATE]))
    (found,) = queue(scheduler)
    assert found.state == "gated" and "requests no GPU" in found.unknown


def test_a_page_of_the_largest_pods_fits():
    """A list that is refused for its length stops everything."""
    assert kube_api.PAGE * 1.5 * 2**20 < kube_api.ANSWER_BYTES_MAX


def test_a_watch_follows_and_a_version_that_is_forgotten_begins_a_list(fake):
    scheduler = fake.scheduler()
    fake.put(*[pod(f"p{at}") for at in range(5)])
    assert names(scheduler) == [f"train/p{at}" for at in range(5)]
    fake.put(pod("p0", phase="Succeeded"), pod("p5"))
    fake.remove("p1")
    assert names(scheduler) == [f"train/p{at}" for at in range(2, 6)]
    assert sum("watch=true" not in path for _, path, _ in fake.asked) == 1
    fake.remove("p2")
    fake.forget()
    assert len(names(scheduler)) == 4  # the watch ended with 410, nothing is known to have changed
    assert names(scheduler) == [f"train/p{at}" for at in range(3, 6)]
    fake.answers["watch"] = 410
    queue(scheduler)
    del fake.answers["watch"]
    fake.remove("p3")
    assert names(scheduler) == ["train/p4", "train/p5"]


def test_a_list_comes_in_pages_and_one_that_ends_in_the_middle_counts_for_nothing(fake):
    scheduler, fake.page = fake.scheduler(), 2
    fake.put(*[pod(f"p{at}") for at in range(5)])
    assert len(queue(scheduler)) == 5
    assert sum("continue=" in path for _, path, _ in fake.asked) == 2
    second = fake.scheduler()
    fake.answers["list"] = b'{"metadata": {"resourceVersion": "5", "continue": "1:2"}, "items": []}'
    with pytest.raises(Away):
        queue(second)


@cases(r"""head  body  line
           b"Content-Length: 90"  b"{}"  "list: the answer has no end"
           b"Content-Length: 5001"  b" " * 4999 + b"{}"  "list: the answer has more than 5000 bytes"
           b"Content-Length: 5000"  b" " * 4998 + b"{}"  "has no resourceVersion"
           b"Content-Length: 2"  b"[]"  "list: the answer is not JSON of an object"
           b"Content-Length: no"  b"{}"  "list: 127.0.0.1|has no resourceVersion"
           b"X: " + b"y" * 70000  b"{}"  "list: 127.0.0.1"
""")
def test_a_wrong_list_is_one_line(fake, monkeypatch, head, body, line):
    monkeypatch.setattr(kube_api, "ANSWER_BYTES_MAX", 5000)
    fake.answers["list"] = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body
    with pytest.raises(Away, match=f"^pods are unknown: .*{line}"):
        queue(fake.scheduler())


class Server:
    """An Api whose watch ends, is cut or forgets as `faults` says, one for each call."""

    def __init__(self, changes, faults):
        self.changes, self.faults, self.log, self.oldest = list(changes), list(faults), [], 0

    def _fault(self):
        for name, kind in self.changes[:3]:
            found = pod(f"p{name}", phase="Succeeded" if kind == "ENDED" else "Running")
            found["metadata"]["resourceVersion"] = str(len(self.log) + 1)
            self.log.append((kind.replace("ENDED", "MODIFIED"), found))
        del self.changes[:3]
        return self.faults.pop() if self.faults else ""

    def pods(self):
        found = {}
        for kind, each in self.log:
            found.pop(each["metadata"]["uid"], None)
            if kind != "DELETED" and each["status"]["phase"] == "Running":
                found[each["metadata"]["uid"]] = each
        return found

    def listed(self):
        fault, pods = self._fault(), list(self.pods().values())
        yield str(len(self.log)), pods[:2]
        if fault:
            raise KubeError("cut", kube_api.GONE if fault == "gone" else 0)
        yield str(len(self.log)), pods[2:]

    def watched(self, version):
        fault = self._fault()
        if fault == "gone" or int(version) < self.oldest:
            self.oldest = len(self.log)
            raise KubeError("too old", kube_api.GONE)
        for at, event in enumerate(self.log[int(version) :]):
            if fault == "cut" and at == 1:
                raise KubeError("cut")
            yield event


CHANGES = st.tuples(st.integers(0, 4), st.sampled_from(["MODIFIED", "DELETED", "ENDED"]))


@given(st.lists(CHANGES, max_size=30), st.lists(st.sampled_from(["", "cut", "gone"]), max_size=9))
def test_after_all_breaks_the_pods_are_those_of_the_server(changes, faults):
    server = Server(changes, faults)
    own = pods.Pods(server, ("nvidia.com/gpu",), POWER)
    while server.changes or server.faults:
        own.round()
    own.round()
    own.round()
    assert {each.uid for each in own.now()} == server.pods().keys()


EVENT = {"type": "ADDED", "object": {**pod("b"), "metadata": {"uid": "b", "resourceVersion": "1"}}}
LINE = json.dumps(EVENT).encode()


@cases(r"""answer  line
           chunk(LINE[:50]) + chunk(b"")  "watch: a line has no end"
           chunk(LINE[:50])  "watch: 127.0.0.1:.* the connection was cut or silent"
           chunk(b"{}\n")  "watch: a line is no event of a pod"
           chunk(b"no\n")  "watch: the answer is not JSON of an object"
           chunk(b"[" * 9999 + b"\n")  "watch: the answer is not JSON of an object"
           chunk(b'{"type": "ADDED", "object": {}}\n')  "no pod: it has no uid"
           chunk(b'{"type": "BOOKMARK", "object": {"metadata": {}}}\n')  "has no resourceVersion"
           chunk(b'{"type": "ERROR", "object": {"code": 500}}\n')  "watch: .* ends it with code 500"
           b"zz\r\n"  "watch: 127.0.0.1:.* the connection was cut or silent"
           403  "watch: .* 403: not allowed; needed is a role with watch of pods .kubernetes.yaml."
           500  "watch: .* answers 500: needed is 200"
           301  "watch: .* answers 301"
""")
def test_a_wrong_watch_is_one_line_and_the_pods_stay(fake, answer, line):
    scheduler = fake.scheduler()
    fake.put(pod("a"))
    assert names(scheduler) == ["train/a"]
    fake.answers["watch"] = answer
    assert names(scheduler) == ["train/a"]
    why = scheduler._pods._why
    assert re.search(line, why) and "\n" not in why
    del fake.answers["watch"]
    fake.put(pod("c"))
    assert names(scheduler) == ["train/a", "train/c"]


def test_a_line_of_many_megabytes_is_refused(fake, monkeypatch):
    monkeypatch.setattr(kube_api, "LINE_BYTES_MAX", 5000)
    scheduler = fake.scheduler()
    fake.put(pod("a"))
    queue(scheduler)
    fake.answers["watch"] = chunk(b" " * 4990 + b"{}\n") + chunk(b" " * 9000)
    queue(scheduler)
    assert "no event" in scheduler._pods._why  # 4993 bytes are read
    fake.answers["watch"] = chunk(b" " * 9000)
    queue(scheduler)
    assert scheduler._pods._why == "watch: a line has more than 5000 bytes"


@cases("""change  line
          lambda fake, values: fake.answers.update(list=403)  "403: not allowed; needed is a role"
          lambda fake, values: values.update(token=f"{fake.folder}/none")  "token cannot be read"
          lambda fake, values: fake.answers.update(list=401)  "401: the token is not accepted"
          lambda fake, values: values.update(ca="/etc/hostname")  "no certificates in PEM"
          lambda fake, values: values.update(ca="/none")  "no certificates"
          lambda fake, values: values.update(url="https://127.0.0.1:1")  "Connection refused"
          lambda fake, values: values.update(url=f"http://localhost:{fake.port}")  "list: localhost"
""")
def test_before_the_first_list_the_pods_are_unknown_for_one_reason(fake, change, line):
    values = {}
    change(fake, values)
    with pytest.raises(Away, match=f"^pods are unknown: .*{line}") as error:
        queue(fake.scheduler(**values))
    assert "\n" not in str(error.value) and TOKEN not in str(error.value)


def test_pods_are_unknown_when_nothing_was_heard_for_long(fake, monkeypatch):
    scheduler, now_us = fake.scheduler(), [10**12]
    monkeypatch.setattr(pods.clock, "now_us", lambda: now_us[0])
    fake.put(pod("a"))
    assert names(scheduler) == ["train/a"]
    fake.answers["watch"] = 503
    now_us[0] += 180 * 10**6
    assert names(scheduler) == ["train/a"]
    now_us[0] += 1
    with pytest.raises(Away, match="unknown: watch: the API server answers 503"):
        queue(scheduler)


def test_pauses_grow_and_after_a_minute_of_errors_a_list_begins(fake, monkeypatch):
    scheduler, pauses = fake.scheduler(), []
    fake.put(pod("a"))
    queue(scheduler)
    fake.answers["watch"] = chunk(b"{}\n")

    class Pause:
        def wait(self, pause_s):
            pauses.append(pause_s)
            if len(pauses) == 8:
                raise KeyboardInterrupt

    monkeypatch.setattr(pods, "threading", SimpleNamespace(Event=Pause))
    with pytest.raises(KeyboardInterrupt):
        scheduler._pods.run()
    assert pauses == [2, 4, 8, 16, 32, 60, 1, 2]
    assert sum("limit=" in path for _, path, _ in fake.asked) == 2


def test_a_server_that_is_silent_is_left(fake, monkeypatch):
    monkeypatch.setattr(kube_api, "WATCH_S", 0)
    monkeypatch.setattr(kube_api, "ANSWER_S", 0.2)
    scheduler, fake.is_live = fake.scheduler(), True
    fake.put(pod("a"))
    assert names(scheduler) == ["train/a"]
    assert scheduler._pods._why.endswith("the connection was cut or silent")


def test_a_restart_knows_all_but_a_release_without_a_node(fake):
    first = fake.scheduler()
    fake.put(pod("a", gates=[GATE]), pod("b", nodeName="n"), pod("c", gates=[GATE]))
    queue(first)
    first.release("train/a")
    before = {each.name: each for each in queue(first)}
    after = {each.name: each for each in queue(fake.scheduler())}
    assert before.pop("train/a").state == "released" and after.pop("train/a").state == "pending"
    assert before == after and after["train/c"].state == "gated"


def test_a_new_token_of_the_file_counts_at_once(fake):
    scheduler = fake.scheduler()
    fake.put(pod("a"))
    queue(scheduler)
    fake.token.write_text("n" * 40)
    fake.put(pod("b"))
    assert names(scheduler) == ["train/a", "train/b"]


def test_too_many_pods_are_unknown(fake, monkeypatch):
    monkeypatch.setattr(pods, "PODS_MAX", 3)
    fake.put(*[pod(f"p{at}") for at in range(4)])
    with pytest.raises(Away, match="more than 3 pods have GPUs; allowed are 3"):
        queue(fake.scheduler())


def gates(fake, name):
    return [each["name"] for each in fake.pods["train", name]["spec"]["schedulingGates"]]


def test_release_removes_its_gate_of_one_group_and_nothing_else(fake):
    scheduler = fake.scheduler()
    fake.put(*[pod(f"g{at}", gates=[GATE], group="g") for at in range(2)])
    fake.put(pod("late", gates=[GATE, OTHER], group="g"), pod("own", gates=[GATE]))
    assert [(each.name, each.state, each.power_W) for each in queue(scheduler)] == [
        *(("train/g", "gated", 16_000), ("train/g", "pending", 8000), ("train/own", "gated", 8000))
    ]
    fake.put(pod("g2", gates=[GATE], group="g"))
    scheduler._pods.round()
    scheduler.release("train/g")
    assert [gates(fake, name) for name in ("g0", "g1")] == [[], []]
    assert gates(fake, "g2") == ["firebreak/ask"]  # it was no part of the question
    fake.remove("g2")
    assert gates(fake, "late") == ["firebreak/ask", "other.example/gate"]
    assert gates(fake, "own") == ["firebreak/ask"]
    patches = [each for each in fake.asked if each[0] == "PATCH"]
    scheduler.release("train/g")  # before the watch shows it: nothing is sent twice
    assert [each for each in fake.asked if each[0] == "PATCH"] == patches and len(patches) == 2
    released = [each for each in queue(scheduler) if each.state == "released"]
    assert [(each.name, each.power_W, each.start_s) for each in released] == [
        ("train/g", 16_000, NOW_S + 60)
    ]


def test_release_spares_a_pod_that_is_another_one_and_says_what_is_refused(fake):
    scheduler = fake.scheduler()
    fake.put(pod("a", gates=[GATE], group="g"), pod("b", gates=[GATE], group="g"))
    queue(scheduler)
    other = pod("a", gates=[GATE], group="g")
    other["metadata"]["uid"] = "other"
    fake.put(other)
    scheduler.release("train/g")
    assert (gates(fake, "a"), gates(fake, "b")) == (["firebreak/ask"], [])
    assert list(scheduler._released) == ["uid-b"]
    fake.remove("b")
    queue(scheduler)
    assert scheduler._released == {}
    fake.answers["patch"] = 409
    scheduler.release("train/g")
    assert scheduler._released == {}
    fake.answers["patch"] = 403
    with pytest.raises(
        Away, match="patch: .* 403: not allowed; needed is a role with patch of pods"
    ):
        scheduler.release("train/g")


@pytest.fixture
def kubectl(fake, tmp_path):
    parts.needs("kubernetes-client")
    user = {"name": "u", "user": {"token": TOKEN}}
    server = {"server": f"https://127.0.0.1:{fake.port}"}
    server["certificate-authority"] = f"{fake.folder}/ca.crt"
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [user]}
    config["clusters"] = [{"name": "f", "cluster": server}]
    context = {"cluster": "f", "user": "u", "namespace": "train"}
    config["contexts"] = [{"name": "x", "context": context}]
    (tmp_path / "config").write_text(json.dumps(config))
    given = {**os.environ, "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "config")}

    def run(*words):
        line = ["kubectl", *words]
        done = subprocess.run(line, env=given, capture_output=True, text=True, timeout=GUARD_S)
        return done.stdout + done.stderr

    return run


def test_kubectl_reads_and_patches_the_same_pods(fake, kubectl):
    scheduler = fake.scheduler()
    fake.put(pod("a"), pod("b", gates=[GATE]), pod("c", phase="Failed"))
    assert names(scheduler) == ["train/a", "train/b"]
    selector = kube_api.ALIVE["fieldSelector"]
    assert kubectl("get", "pods", "-o", "name", "--field-selector", selector) == "pod/a\npod/b\n"
    patch = json.dumps(kubernetes._ungated(scheduler._pods.now()[1]))
    assert kubectl("patch", "pod", "b", "--type=json", "-p", patch) == "pod/b patched\n"
    assert (
        "422" in kubectl("patch", "pod", "b", "--type=json", "-p", patch) or gates(fake, "b") == []
    )
    assert {each.name: each.state for each in queue(scheduler)}["train/b"] == "pending"


@pytest.mark.needs("kubernetes")
def test_the_official_client_watches_the_same_events(fake):
    client = importlib.import_module("kubernetes")
    settings = client.client.Configuration(host=f"https://127.0.0.1:{fake.port}")
    settings.ssl_ca_cert = f"{fake.folder}/ca.crt"
    settings.api_key["authorization"] = f"Bearer {TOKEN}"
    api = client.client.CoreV1Api(client.client.ApiClient(settings))
    fake.put(pod("a", gates=[GATE]))
    listed = api.list_pod_for_all_namespaces(**{"field_selector": "status.phase!=Failed"})
    assert [each.metadata.name for each in listed.items] == ["a"]
    version = listed.metadata.resource_version
    fake.put(pod("b"))
    fake.remove("a")
    own = list(kubernetes.opened(fake.values(), POWER)._api.watched(version))
    found = client.watch.Watch().stream(
        api.list_pod_for_all_namespaces, resource_version=version, timeout_seconds=1
    )
    seen = [(each["type"], each["object"].metadata.name) for each, _ in zip(found, range(2))]
    assert seen == [(kind, each["metadata"]["name"]) for kind, each in own[:2]]


def test_a_yes_of_the_loop_lifts_the_gate_and_the_node_of_a_pod_is_a_step(
    fake, tmp_path, monkeypatch
):
    monkeypatch.setattr(asking, "_situation", lambda path, second: situation())
    fake.is_live, lines = True, []
    fake.put(pod("a", gates=[GATE]), pod("b", gpus=800, gates=[GATE], at=AT))
    values = {"horizon_s": 900, "gate": {key: each.default for key, each in GATE_FORM.items()}}
    with served(tmp_path) as (site, door):
        cabinet = Cabinet(f"http://127.0.0.1:{door.port}", token_in(tmp_path), "")
        scheduler = fake.scheduler()  # its thread lists and watches
        watcher = Watcher(cabinet, 900, lambda: NOW_S, lambda line: None)
        gate = Gate(scheduler, cabinet, values, lambda: NOW_S, lines.append, lambda: NOW_S)
        gate.turn(scheduler.queue())
        assert (gates(fake, "a"), gates(fake, "b")) == ([], ["firebreak/ask"])
        assert [line.partition(" (")[0] for line in lines] == [
            "job train/a: 8000 W: released",
            "job train/b: 800000 W: waits: no",
        ]
        watcher.turn(scheduler.queue())
        assert steps(site) == [(8000, 60)]
        fake.put(pod("a", nodeName="n1", bound="2026-11-25T14:11:00Z"))
        seen(scheduler, lambda jobs: NOW_S + 120 in [each.start_s for each in jobs])
        watcher.turn(scheduler.queue())
        assert steps(site) == [(8000, 120)]
        fake.remove("a")
        seen(scheduler, lambda jobs: len(jobs) == 1)
        watcher.turn(scheduler.queue())
        assert steps(site) == []


def seen(scheduler, is_so):
    """Wait until the thread has seen what makes it so."""
    guard = threading.Event()
    for _ in range(GUARD_S * 100):
        if is_so(scheduler.queue()):
            return
        guard.wait(0.01)
    raise AssertionError("never so")


def test_the_manifest_has_a_right_file_and_the_rights_that_the_calls_need(tmp_path):
    text = (ROOT / "controller/watch/examples/kubernetes.yaml").read_text()
    toml = text.partition("watch.toml: |\n")[2].partition("\n---")[0]
    (tmp_path / "watch.toml").write_text(textwrap.dedent(toml))
    found = settings.load(str(tmp_path / "watch.toml"))
    assert found.scheduler[0] == "kubernetes" and found.values["gate"]
    assert isinstance(found.opened(), kubernetes.Kubernetes)
    assert re.findall(r"(resources|verbs): \[(.*?)\]", text) == [
        ("resources", "pods"),
        ("verbs", "list, watch, patch"),
    ]


@cases("""values  line
          {"url": "http://10.0.0.1"}  "url: .* allowed https://HOST"
          {"url": "https://u:p@h"}  "url: "
          {"token": "token"}  "token: .* allowed an absolute path"
          {"resources": []}  "resources: .* allowed a list of names"
          {"start_s": 0}  "start_s: .* allowed a whole number 1..3600|start_s: "
""")
def test_a_wrong_table_is_refused(values, line):
    with pytest.raises(ConfigError, match=line):
        read("watch.toml", ("kubernetes",), values, kubernetes.FORM)
