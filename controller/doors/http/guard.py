"""Decides who may do what: host names, tokens, roles and quotas of one door.

A browser on a hostile page can reach this door by a name that leads to its address (DNS rebinding).
Therefore only the names in the file are accepted. A token is a random text; only its SHA-256 is
stored. A browser may show the page, with the token as password. It must not send anything with that
password, because a hostile page could make the browser send it.
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from controller.doors.quota import Recent
from controller.forms.addresses import is_local

CLIENTS_MAX = 64  # clients with their own quota; further clients in a minute share one quota
TOKEN = re.compile(rb"[A-Za-z0-9._~+/=-]{32,256}")  # a shorter one can be guessed
HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::[0-9]{1,5})?")
ORIGIN = re.compile(r"https?://(.+)")
SECRET_NAMES = set(
    "token access_token bearer key apikey api_key auth authorization password".split()
)
ASK = ("WWW-Authenticate", 'Basic realm="Firebreak: any name, the token as password"')
Headers = list[tuple[bytes, bytes]]
Query = dict[str, str]
ClientKey = tuple[str, ...]


class Refused(Exception):
    """A refused request. The text is one line for the client. cause: its counter. more: headers."""

    def __init__(self, status: int, cause: str, line: str, *more: tuple[str, str]):
        super().__init__(line)
        self.status, self.cause, self.more = status, cause, more


class Access(NamedTuple):
    """The sender of a request. name: that of its token, or "local" for a program on this box.

    source: the source as which it may send hints; "" if it may only read.
    """

    name: str
    source: str


LOCAL = Access("local", "")


class Guard:
    """The rules of one door, from its table in doors.toml."""

    def __init__(self, values: dict[str, Any]):
        self._tokens = [
            (bytes.fromhex(token["sha256"]), Access(token["name"], token["source"]))
            for token in values["token"]
        ]
        self._is_local = is_local(values["listen"])
        self._requests_max = values["requests_per_min_max"]
        self._of_tokens = {access: Recent() for _, access in self._tokens}
        self._of_clients: dict[ClientKey, Recent] = {}
        self._names = {*values["names"], values["listen"]}
        if self._is_local:
            self._names |= {"localhost", "127.0.0.1", "::1"}

    def admit(self, method: str, headers: Headers, client: ClientKey = ()) -> Access:
        """The sender of this request. Raises Refused.

        client: identifies a sender without a token, for its quota.
        """
        host = only(headers, b"host")
        if host is None or not self._is_ours(host):
            raise Refused(421, "host", "this name is not in `names` of the door")
        origin = only(headers, b"origin")
        match = origin and ORIGIN.fullmatch(origin)
        if origin is not None and not (match and self._is_ours(match[1])):
            raise Refused(403, "origin", "pages of other sites have no access")
        access = self._access(method, only(headers, b"authorization"))
        requests = self._of_client(client) if access is LOCAL else self._of_tokens[access]
        if not requests.take(self._requests_max):
            line = f"more than {self._requests_max} requests in a minute"
            raise Refused(429, "quota", line, ("Retry-After", "10"))
        return access

    def _is_ours(self, host: str) -> bool:
        match = HOST.fullmatch(host.lower())
        return bool(match and match[1].strip("[]") in self._names)

    def _access(self, method: str, header: str | None) -> Access:
        if header is None:
            if self._is_local and method == "GET":
                return LOCAL
            raise Refused(401, "token", "send a token: Authorization: Bearer TOKEN", ASK)
        kind, _, text = header.partition(" ")
        if kind.lower() == "basic" and method != "GET":
            raise Refused(401, "token", "to send something, use Authorization: Bearer TOKEN")
        token = text if kind.lower() == "bearer" else _password(kind, text)
        access = self._known(token)
        if access is None:
            raise Refused(401, "token", "this token is not known here", ASK)
        if method != "GET" and not access.source:
            raise Refused(403, "role", "this token only reads: it names no source")
        return access

    def _known(self, token: str) -> Access | None:
        """The owner of a token, or None.

        All known tokens are compared, each in constant time, so the time of an answer shows
        nothing.
        """
        data, owner = token.strip().encode("ascii", "replace"), None
        digest = hashlib.sha256(data).digest()
        for known_digest, access in self._tokens:
            if hmac.compare_digest(known_digest, digest):
                owner = access
        return owner if TOKEN.fullmatch(data) else None

    def _of_client(self, client: ClientKey) -> Recent:
        """Times of the requests of a client. Clients silent for a minute are forgotten."""
        known = self._of_clients
        if client not in known and len(known) >= CLIENTS_MAX:
            kept = {place: recent for place, recent in known.items() if not recent.has_room(0, 0)}
            self._of_clients = known = kept
        is_known = client in known or len(known) < CLIENTS_MAX
        return known.setdefault(client if is_known else (), Recent())

    def target(self, raw: bytes) -> tuple[str, Query]:
        """Path and query of a request. Raises Refused."""
        text = raw.decode("ascii", "replace")
        path, _, query = text.partition("?")
        if not path.startswith("/") or path.startswith("//"):
            raise Refused(400, "target", "the address is not a path that begins with /")
        try:
            pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
        except ValueError:
            raise Refused(400, "target", "what follows ? is not NAME=VALUE") from None
        parts = [*[value for _, value in pairs], *map(unquote, path.split("/"))]
        is_named = any(name.lower() in SECRET_NAMES for name, _ in pairs)
        if is_named or any(self._known(word) for word in parts if len(word) >= 32):
            line = (
                "a token in the address stays in logs: replace this token, and send the new one "
                "as Authorization: Bearer TOKEN"
            )
            raise Refused(400, "token_in_address", line)
        if len(dict(pairs)) < len(pairs):
            raise Refused(400, "target", "a name occurs twice behind ?")
        return path, dict(pairs)


def only(headers: Headers, name: bytes) -> str | None:
    """The value of a header; None if it is missing. Raises Refused if it occurs twice."""
    values = [value for header, value in headers if header == name]
    if len(values) > 1:
        raise Refused(400, "header", f"{name.decode()} occurs twice")
    return values[0].decode("ascii", "replace") if values else None


def _password(kind: str, text: str) -> str:
    """The password of HTTP Basic; "" if the header has another form."""
    try:
        data = base64.b64decode(text, validate=True) if kind.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        return ""
    return data.partition(b":")[2].decode("ascii", "replace")
