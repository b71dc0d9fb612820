"""Calls of the Kubernetes API that this room needs: list, watch and patch of pods.

The bytes come from a network, so every answer has a bound of size and time. The token is read anew
for each connection, because the kubelet replaces it every hour. A redirect is an error.
"""

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from controller.system import json_text, regular_file
from controller.watch.jobs import Away

# A pod has at most 1.5 MiB (etcd), and a page of pods with 10 kB each has 2.5 MB.
PAGE, LINE_BYTES_MAX, ANSWER_BYTES_MAX, TOKEN_BYTES_MAX = 250, 2 << 20, 32 << 20, 1 << 16
WATCH_S, ANSWER_S = 60, 15  # a connection that died without a word is noticed after both
GONE = 410
PATCH = "application/json-patch+json"
# Pods that have ended leave a watch of this selection as DELETED.
ALIVE = {"fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}
KINDS = ("ADDED", "MODIFIED", "DELETED", "BOOKMARK")
NEEDED = {
    401: "the token is not accepted; needed is one of a service account of this cluster",
    403: "not allowed; needed is a role with {verb} of pods (kubernetes.yaml)",
    404: "there is no such path; needed is the url of the API server",
}
Object = dict[str, Any]


class KubeError(Away):
    """A call failed. code: of the answer, 0 without one."""

    def __init__(self, line: str, code: int = 0) -> None:
        super().__init__(line)
        self.code = code


class Event(NamedTuple):
    """A line of a watch. kind: of KINDS; version: where a next watch goes on."""

    kind: str
    version: str
    pod: Object


class Api:
    """Opens a connection for each call, so that threads may share it."""

    def __init__(self, url: str, token_file: str, ca: str, namespace: str) -> None:
        """namespace: of the pods; "": all."""
        self._url, self._token_file, self._ca = urlsplit(url), token_file, ca
        self._root = f"{self._url.path.rstrip('/')}/api/v1"
        inside = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        self._pods = f"{self._root}{inside}/pods"

    def listed(self) -> Iterator[tuple[str, list[Object]]]:
        """(version, pods) of each page of a list of the pods that have not ended."""
        asked: dict[str, object] = {**ALIVE, "limit": PAGE}
        while True:
            page = self._answer("GET", f"{self._pods}?{urlencode(asked)}", "list")
            pods = page.get("items") or []
            if not isinstance(pods, list):
                raise KubeError("list: the answer is no list of pods")
            yield version_of(page), pods
            more = page["metadata"].get("continue")
            if not more:
                return
            asked["continue"] = str(more)

    def watched(self, version: str) -> Iterator[Event]:
        """Events after a version, until the server ends the watch. KubeError of code GONE: the
        server knows the version no more.
        """
        asked = {**ALIVE, "watch": "true", "allowWatchBookmarks": "true"}
        asked |= {"resourceVersion": version, "timeoutSeconds": str(WATCH_S)}
        path = f"{self._pods}?{urlencode(asked)}"
        with self._opened("GET", path, "watch", WATCH_S + ANSWER_S) as answer:
            while line := answer.readline(LINE_BYTES_MAX + 1):
                if len(line) > LINE_BYTES_MAX:
                    raise KubeError(f"watch: a line has more than {LINE_BYTES_MAX} bytes")
                if not line.endswith(b"\n"):
                    raise KubeError("watch: the connection ended within a line")
                yield _event(_object(line, "watch"))

    def patched(self, namespace: str, name: str, operations: list[Object]) -> None:
        """Apply a JSON patch to a pod: all operations or none."""
        path = f"{self._root}/namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}"
        self._answer("PATCH", path, "patch", operations)

    def _answer(self, method: str, path: str, verb: str, body: object = None) -> Object:
        with self._opened(method, path, verb, ANSWER_S, body) as answer:
            data = answer.read(ANSWER_BYTES_MAX + 1)
            if len(data) > ANSWER_BYTES_MAX:
                raise KubeError(f"{verb}: the answer has more than {ANSWER_BYTES_MAX} bytes")
            if answer.length:
                raise KubeError(f"{verb}: the connection ended within the answer")
        return _object(data, verb)

    @contextlib.contextmanager
    def _opened(
        self, method: str, path: str, verb: str, silent_s: float, body: object = None
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, of code 200. Every error of the network is a KubeError."""
        headers = {"Accept": "application/json", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = PATCH
        if self._token_file:
            headers["Authorization"] = f"Bearer {self._token()}"
        link = self._link(silent_s)
        try:
            link.request(method, path, None if body is None else json.dumps(body), headers)
            answer = link.getresponse()
            if answer.status != 200:
                words = NEEDED.get(answer.status, "needed is 200").format(verb=verb)
                line = f"{verb}: the API server answers {answer.status}: {words}"
                raise KubeError(line, answer.status)
            yield answer
        except ssl.SSLError:
            line = "the certificate of the API server is not accepted; needed is its CA (ca)"
            raise KubeError(f"{verb}: {line}") from None
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or "the connection ended or was silent"
            raise KubeError(f"{verb}: {self._url.netloc}: {why}") from None
        finally:
            link.close()

    def _link(self, silent_s: float) -> http.client.HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":  # the form allows it for the own machine only
            return http.client.HTTPConnection(host, port, timeout=silent_s)
        try:
            trusted = ssl.create_default_context(cafile=self._ca or None)
        except OSError as error:
            is_text = isinstance(error, ssl.SSLError)
            why = "holds no certificates in PEM" if is_text else f"cannot be read: {error.strerror}"
            raise KubeError(f"{self._ca}: {why}") from None
        return http.client.HTTPSConnection(host, port, timeout=silent_s, context=trusted)

    def _token(self) -> str:
        try:
            with open(self._token_file, "rb", opener=regular_file.link_opener) as file:
                found = file.read(TOKEN_BYTES_MAX).decode("latin-1").strip()
        except OSError as error:
            raise KubeError(f"{self._token_file}: cannot be read: {error.strerror}") from None
        if not (found and found.isascii() and found.isprintable()):
            raise KubeError(f"{self._token_file}: holds no token; needed is one line of ASCII")
        return found


def _object(data: bytes, verb: str) -> Object:
    try:
        found = json_text.loads(data)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise KubeError(f"{verb}: the answer is not JSON of an object")
    return found


def _event(found: Object) -> Event:
    kind, pod = found.get("type"), found.get("object")
    if kind == "ERROR" and isinstance(pod, dict):
        code = pod["code"] if type(pod.get("code")) is int else 0
        raise KubeError(f"watch: the API server ends it with {code or 'an error'}", code)
    if kind not in KINDS or not isinstance(pod, dict):
        raise KubeError("watch: a line is no event of a pod")
    return Event(kind, version_of(pod), pod)


def version_of(found: Object) -> str:
    """The resourceVersion of an object or list. KubeError: it has none."""
    about = found.get("metadata")
    version = about.get("resourceVersion") if isinstance(about, dict) else None
    if not (isinstance(version, str) and version):
        raise KubeError("an answer of the API server has no resourceVersion")
    return version
