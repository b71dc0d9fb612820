"""Fetches one answer of an HTTP source, within bounds of time and size.

A redirect is not followed, because it could lead to an address that is not allowed. No message
repeats the address, because a key may be a part of it.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib import error, request
from urllib.parse import quote, urlsplit

from controller.series.refusal import SeriesError
from controller.system import deadline, local_days, regular_file

BYTES_MAX, PIECE_BYTES, KEY_BYTES_MAX = 1 << 20, 1 << 16, 4096
REASONS = {
    TimeoutError: "no whole answer in the time of timeout_s",
    ssl.SSLError: "its certificate or encryption is not accepted",
    socket.gaierror: "no address for this name",
    http.client.HTTPException: "the answer is no HTTP, or cut",
}


def is_allowed(url: str) -> bool:
    """True for https, and for http to this machine or an address of the local network."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    is_plain = url.isascii() and url.isprintable() and not set(url) & set(" @")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_near(host))
    return bool(is_plain and is_safe and host and port != 0)


def _is_near(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def fetched(settings: Mapping[str, Any], zone: tzinfo, now_s: float) -> bytes:
    """The answer of settings["url"]. SeriesError says why in one line."""
    host = urlsplit(settings["url"]).hostname or ""
    url = _filled(settings, zone, now_s)
    cause: object
    try:
        return _answer(url, _is_near(host), settings["timeout_s"])
    except error.HTTPError as refused:
        refused.close()
        raise SeriesError(f"{host}: the server answers {refused.code}: needed is 200") from None
    except error.URLError as problem:
        cause = problem.reason
    except (OSError, http.client.HTTPException) as problem:
        cause = problem
    reasons = [reason for kind, reason in REASONS.items() if isinstance(cause, kind)]
    reasons.append(f"cannot be reached: {getattr(cause, 'strerror', None) or 'no connection'}")
    raise SeriesError(f"{host}: {reasons[0]}")


def _filled(settings: Mapping[str, Any], zone: tzinfo, now_s: float) -> str:
    """The address with the key and, in UTC, the midnights that begin yesterday and end tomorrow."""
    now = datetime.fromtimestamp(now_s, zone)
    url = str(settings["url"])
    for name, days in (("{start}", -1), ("{end}", 2)):
        time = local_days.day_begin(now, days).astimezone(UTC)
        url = url.replace(name, quote(time.strftime(settings["time_form"])))
    if settings["key_file"]:
        try:
            key = regular_file.read(settings["key_file"], KEY_BYTES_MAX, regular_file.link_opener)
        except OSError as failed:
            raise SeriesError(f"key_file cannot be read: {failed.strerror}") from None
        url = url.replace("{key}", quote(key.strip(), safe=""))
    return url


class _Timed(request.AbstractHTTPHandler):
    """Its connections use `connect`, so the deadline closes them."""

    def __init__(self, connect: deadline.Connect):
        super().__init__()
        self._connect = connect

    def do_open(self, http_class: Any, *arguments: Any, **more: Any) -> Any:
        """See urllib."""

        def link(*arguments: Any, **more: Any) -> http.client.HTTPConnection:
            connection: http.client.HTTPConnection = http_class(*arguments, **more)
            deadline.opens_by(connection, self._connect)
            return connection

        return super().do_open(link, *arguments, **more)


class _Plain(_Timed, request.HTTPHandler):
    pass


class _Secure(_Timed, request.HTTPSHandler):
    pass


class _NoRedirect(request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        """Return None, so that urllib reports a redirect as an error."""


def _answer(url: str, is_near: bool, timeout_s: float) -> bytes:
    data = bytearray()
    with deadline.cutting(timeout_s) as connect:
        handlers = _Plain(connect), _Secure(connect), _NoRedirect
        opener = request.build_opener(request.ProxyHandler({} if is_near else None), *handlers)
        with opener.open(url, timeout=timeout_s) as answer:
            while piece := answer.read1(PIECE_BYTES):
                data += piece
                if len(data) > BYTES_MAX:
                    raise SeriesError(f"the answer has more than {BYTES_MAX} bytes")
            if answer.length:
                raise http.client.IncompleteRead(b"")
    return bytes(data)
