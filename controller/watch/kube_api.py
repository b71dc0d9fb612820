"""Calls the Kubernetes API to list, watch and patch pods.

The answers come from a network, so each has a limit of size and time. The token is read for each
connection, because the kubelet replaces it every hour. A redirect is an error.
"""

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from controller.system import deadline, json_text, secret_file
from controller.watch.jobs import Away

# A pod has at most 1.5 MiB (etcd), so no page of pods is too large.
PAGE, PIECE_BYTES, LINE_BYTES_MAX, ANSWER_BYTES_MAX = 20, 1 << 16, 2 << 20, 32 << 20
WATCH_S, ANSWER_S = 60, 15  # their sum is the time to notice a dead connection
GONE = 410
# With this selection, a watch reports a pod that has ended as DELETED.
ALIVE = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
KINDS = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
NEEDED = {
    401: "the token is not accepted; needed is one of a service account of this cluster",
    403: "not allowed; needed is a role with {verb} of pods (kubernetes.yaml)",
    404: "not there; needed is the url of the API server, and a pod that is still there",
}
Object = dict[str, Any]


class KubeError(Away):
    """A call failed. code: status of the answer; 0: there was no answer."""

    def __init__(self, line: str, code: int = 0):
        super().__init__(line)
        self.code = code


class Api:
    """Opens a connection for each call, so that threads may share it."""

    def __init__(self, url: str, token: str, ca: str, namespace: str):
        """token, ca: paths. namespace: that of the pods; "": all namespaces."""
        self._url, self._token, self._ca = urlsplit(url), token, ca
        self._root = f"{self._url.path.rstrip('/')}/api/v1/"
        self._pods = (
            self._root + (f"namespaces/{quote(namespace, '')}/" if namespace else "") + "pods?"
        )

    def listed(self) -> Iterator[tuple[str, list[Object]]]:
        """(version, pods) of each page of the list of pods that have not ended."""
        query = {**ALIVE, "limit": str(PAGE)}
        while True:
            page = self._answer("GET", self._pods + urlencode(query), "list")
            version, pods = version_of(page), page.get("items") or []
            if not isinstance(pods, list):
                raise KubeError("list: the answer is no list of pods")
            yield version, pods
            if not (continuation := page["metadata"].get("continue")):
                return
            query["continue"] = str(continuation)

    def watched(self, version: str) -> Iterator[tuple[str, Object]]:
        """(one of KINDS, pod) of each change after a version, until the server ends the watch.

        A KubeError with code GONE means that the server no longer knows the version.
        """
        query = {**ALIVE, "watch": "true", "allowWatchBookmarks": "true"}
        query |= {"resourceVersion": version, "timeoutSeconds": str(WATCH_S)}
        path = self._pods + urlencode(query)
        with self._opened("GET", path, "watch", WATCH_S + ANSWER_S) as answer:
            rest = b""
            while piece := answer.read1(PIECE_BYTES):
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > LINE_BYTES_MAX:
                    raise KubeError(f"watch: a line has more than {LINE_BYTES_MAX} bytes")
                for line in lines:
                    yield _event(_object(line, "watch"))
            if rest:
                raise KubeError("watch: a line has no end")

    def patched(self, namespace: str, name: str, operations: list[Object]) -> None:
        """Apply a JSON patch to a pod: either all operations or none."""
        path = f"{self._root}namespaces/{quote(namespace, '')}/pods/{quote(name, '')}"
        self._answer("PATCH", path, "patch", json.dumps(operations))

    def _answer(self, method: str, path: str, verb: str, body: str | None = None) -> Object:
        with self._opened(method, path, verb, ANSWER_S, body) as answer:
            data = answer.read(ANSWER_BYTES_MAX + 1)
            is_long = len(data) > ANSWER_BYTES_MAX
            if is_long or answer.length:
                why = f"more than {ANSWER_BYTES_MAX} bytes" if is_long else "no end"
                raise KubeError(f"{verb}: the answer has {why}")
        return _object(data, verb)

    @contextlib.contextmanager
    def _opened(
        self, method: str, path: str, verb: str, silent_s: float, body: str | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, with status 200. Every error of the network becomes a KubeError."""
        headers = {"Accept": "application/json", "Content-Type": "application/json-patch+json"}
        if self._token:
            token = secret_file.secret(self._token, "token", KubeError, is_mounted=True)
            headers["Authorization"] = f"Bearer {token}"
        link = self._link(silent_s)
        try:
            with deadline.cut_after(link, silent_s):
                link.request(method, path, body, headers)
                answer = link.getresponse()
                if answer.status != http.client.OK:
                    remedy = NEEDED.get(answer.status, "needed is 200").format(verb=verb)
                    line = f"{verb}: the API server answers {answer.status}: {remedy}"
                    raise KubeError(line, answer.status)
                yield answer
        except ssl.SSLError:
            line = "the certificate of the API server is not accepted; needed is its CA (ca)"
            raise KubeError(f"{verb}: {line}") from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or "the connection was cut or silent"
            raise KubeError(f"{verb}: {self._url.netloc}: {why}") from None

    def _link(self, silent_s: float) -> http.client.HTTPConnection:
        try:  # the form of the url allows http only to this machine
            return deadline.connection(self._url, silent_s, self._ca)
        except OSError as error:
            raise KubeError(f"{self._ca}: no certificates in PEM: {error.strerror}") from None


def _object(data: bytes, verb: str) -> Object:
    with contextlib.suppress(ValueError):
        content = json_text.loads(data)
        if isinstance(content, dict):
            return content
    raise KubeError(f"{verb}: the answer is not JSON of an object")


def _event(content: Object) -> tuple[str, Object]:
    kind, pod = content.get("type"), content.get("object")
    if kind == "ERROR" and isinstance(pod, dict):
        code = pod["code"] if type(pod.get("code")) is int else 0
        raise KubeError(f"watch: the API server ends it with code {code}", code)
    if kind not in KINDS or not isinstance(pod, dict):
        raise KubeError("watch: a line is no event of a pod")
    return str(kind), pod


def version_of(content: Object) -> str:
    """The resourceVersion of an object or list. KubeError: it has none."""
    metadata = content.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    if not (isinstance(version, str) and version):
        raise KubeError("an answer of the API server has no resourceVersion")
    return version
