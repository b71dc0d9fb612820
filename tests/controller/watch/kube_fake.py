"""An API server of pods over TLS, for tests with mark.wire: list in pages, watch, JSON patch.

`kubectl` and the official client read it too (test_kubernetes.py), so it speaks their protocol.
"""

import contextlib
import copy
import http.server
import json
import ssl
import subprocess
import threading
import urllib.parse

from controller.watch import kubernetes
from controller.watch.jobs import PowerTable

GUARD_S = 30
TOKEN = "t" * 40
GATE = {"name": "firebreak/ask"}
DISCOVERY = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {
                **{"name": "pods", "singularName": "pod", "namespaced": True, "kind": "Pod"},
                "verbs": ["get", "list", "watch", "patch"],
            }
        ],
    },
}


def certificate(folder):
    """Make ca.crt, which signs itself, and its key."""
    key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()
    names = ["-subj", "/CN=fake", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt"]
    subprocess.run(["openssl", *key, *names, *files], check=True, capture_output=True)


def pod(name, gpus=8, phase="Pending", group="", gates=(), at="2026-11-24T20:00:00Z", **more):
    """A pod as the API server shows it. more: of spec, status and metadata by the name."""
    spec = {
        "containers": [{"name": "c", "resources": {"requests": {"nvidia.com/gpu": str(gpus)}}}],
        "schedulingGates": list(gates),
        **{key: each for key, each in more.items() if key in SPEC},
    }
    if not gpus:
        spec["containers"][0] = {"name": "c"}
    about = {"name": name, "namespace": "train", "uid": f"uid-{name}", "creationTimestamp": at}
    about["labels"] = {"batch.kubernetes.io/job-name": group} if group else {}
    about |= {key: each for key, each in more.items() if key == "deletionTimestamp"}
    status = {"phase": phase, **{key: more[key] for key in more.keys() & {"startTime"}}}
    if "nodeName" in more:
        status["conditions"] = [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": more.get("bound", at)}
        ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": about, "spec": spec, "status": status}


SPEC = (
    "nodeName activeDeadlineSeconds nodeSelector initContainers resourceClaims containers"
    " affinity overhead".split()
)


class Fake:
    """`put`, `remove` change pods. A watch brings what is new and ends, unless `is_live`.

    answers: {verb: status, bytes from "HTTP/" on, or chunks behind a right header}, in place of the
    right ones; asked: (method, path, body) of each request.
    """

    def __init__(self, folder):
        self.folder, self.pods, self.log, self.oldest = folder, {}, [], 0
        self.answers, self.asked, self.is_live, self.is_open = {}, [], False, True
        self.changed, self.page = threading.Condition(), 500
        trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trusted.load_cert_chain(f"{folder}/ca.crt", f"{folder}/ca.key")
        handler = type("Own", (Handler,), {"fake": self})
        self.server = Server(("127.0.0.1", 0), handler)
        self.server.socket = trusted.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self.server.server_address[1]
        self.token = folder / "token"
        self.token.write_text(TOKEN + "\n")

    @property
    def version(self):
        return str(1000 + len(self.log))

    def put(self, *pods):
        """Add or change pods."""
        with self.changed:
            for each in pods:
                key = each["metadata"]["namespace"], each["metadata"]["name"]
                self._change("MODIFIED" if key in self.pods else "ADDED", key, each)

    def remove(self, *names):
        """Delete pods of the namespace "train"."""
        with self.changed:
            for key in [("train", name) for name in names]:
                self._change("DELETED", key, self.pods.pop(key))

    def _change(self, kind, key, found):
        found = copy.deepcopy(found)
        self.log.append((kind, found))
        found["metadata"]["resourceVersion"] = self.version
        if kind != "DELETED":
            self.pods[key] = found
        self.changed.notify_all()

    def forget(self):
        """Compaction: every version until now is too old."""
        self.oldest = int(self.version) + 1
        self.log.append(("BOOKMARK", {"kind": "Pod", "metadata": {}}))

    def close(self):
        with self.changed:
            self.is_open = False
            self.changed.notify_all()
        self.server.shutdown()
        self.server.server_close()

    def values(self, **more):
        """The table [kubernetes] of a watch.toml with this server."""
        given = {key: field.default for key, field in kubernetes.FORM.items()}
        given |= {"url": f"https://127.0.0.1:{self.port}", "token": str(self.token)}
        return given | {"ca": f"{self.folder}/ca.crt", **more}

    def scheduler(self, **more):
        """The Scheduler of such a table; its thread does not run."""
        return kubernetes.opened(self.values(**more), PowerTable({}, {"*": 1000}))


class Server(http.server.ThreadingHTTPServer):
    """A client that goes is no error."""

    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of a Fake."""

    protocol_version = "HTTP/1.1"
    timeout = GUARD_S

    def log_message(self, *words):
        pass

    def do_GET(self):
        path, _, text = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(text))
        # as Go reads it: clients write true, True or 1
        verb = "watch" if asked.get("watch", "").lower() in ("true", "1") else "list"
        self.fake.asked.append(("GET", self.path, None))
        if self.wrong(verb):
            return
        namespace = path.split("/")[4] if path.startswith("/api/v1/namespaces/") else None
        ends = ("Succeeded", "Failed") if "phase" in asked.get("fieldSelector", "") else ()
        if path in DISCOVERY:
            self.json(DISCOVERY[path])
        elif not path.endswith("/pods"):
            key = namespace, path.rpartition("/")[2]
            self.json(self.fake.pods[key]) if key in self.fake.pods else self.status(404)
        elif verb == "watch":
            self.watch(namespace, ends, asked)
        else:
            self.list(namespace, ends, asked)

    def do_PATCH(self):
        words = self.path.partition("?")[0].split("/")
        operations = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.fake.asked.append(("PATCH", self.path, operations))
        if self.wrong("patch"):
            return
        with self.fake.changed:
            found = copy.deepcopy(self.fake.pods.get((words[4], words[6])))
        if found is None or self.headers["Content-Type"] != "application/json-patch+json":
            self.status(404 if found is None else 415)
        elif not patched(found, operations):
            self.status(422)
        else:
            self.fake.put(found)
            self.json(self.fake.pods[words[4], words[6]])

    def wrong(self, verb):
        """True if something else than the right answer was sent."""
        if self.headers["Authorization"] != f"Bearer {self.fake.token.read_text().strip()}":
            self.status(401)
        elif verb not in self.fake.answers:
            return False
        else:
            answer = self.fake.answers[verb]
            if isinstance(answer, int):
                self.status(answer)
                return True
            if not answer.startswith(b"HTTP/"):
                self.begin()
            self.wfile.write(answer)
            self.close_connection = True
        return True

    def list(self, namespace, ends, asked):
        if "continue" in asked and int(asked["continue"].split(":")[0]) < self.fake.oldest:
            self.status(410)
            return
        with self.fake.changed:
            version, at = self.fake.version, 0
            if "continue" in asked:
                version, at = asked["continue"].split(":")
            found = [
                each
                for key, each in self.fake.pods.items()
                if namespace in (None, key[0]) and each["status"]["phase"] not in ends
            ]
        at, limit = int(at), min(int(asked.get("limit", 1 << 30)), self.fake.page)
        about = {"resourceVersion": version}
        if at + limit < len(found):
            about["continue"] = f"{version}:{at + limit}"
        items = found[at : at + limit]
        self.json({"kind": "PodList", "apiVersion": "v1", "metadata": about, "items": items})

    def watch(self, namespace, ends, asked):
        fake, at = self.fake, int(asked.get("resourceVersion") or self.fake.version) - 1000
        self.begin()
        if at + 1000 < fake.oldest:
            gone = {"kind": "Status", "code": 410, "reason": "Expired"}
            self.line({"type": "ERROR", "object": gone})
        while at + 1000 >= fake.oldest:
            with fake.changed:
                if fake.is_live:
                    fake.changed.wait_for(lambda: len(fake.log) > at or not fake.is_open, GUARD_S)
                new, at = fake.log[at:], len(fake.log)
            for kind, each in new:
                if namespace in (None, each["metadata"].get("namespace")):
                    is_over = each.get("status", {}).get("phase") in ends
                    self.line({"type": "DELETED" if is_over else kind, "object": each})
            if not (fake.is_live and fake.is_open):
                break
        about = {"kind": "Pod", "metadata": {"resourceVersion": str(at + 1000)}}
        if at + 1000 >= fake.oldest:
            self.line({"type": "BOOKMARK", "object": about})
        self.wfile.write(b"0\r\n\r\n")

    def begin(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def line(self, found):
        self.wfile.write(chunk(json.dumps(found).encode() + b"\n"))

    def status(self, code):
        self.json({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}, code)

    def json(self, found, code=200):
        body = json.dumps(found).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def chunk(data):
    """A chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def patched(found, operations):
    """Apply a JSON patch of test and remove. False: a test fails."""
    for each in operations:
        *way, last = each["path"].strip("/").split("/")
        place = found
        for word in way:
            place = place[int(word)] if isinstance(place, list) else place.get(word, {})
        key = int(last) if isinstance(place, list) else last
        try:
            value = place[key]
        except (LookupError, TypeError):
            return False
        if each["op"] == "test" and value != each["value"]:
            return False
        if each["op"] == "remove":
            del place[key]
    return True


@contextlib.contextmanager
def opened(folder):
    """A Fake that serves."""
    fake = Fake(folder)
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield fake
    finally:
        fake.close()
        thread.join(GUARD_S)
