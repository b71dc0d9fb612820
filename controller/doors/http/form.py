"""The keys of [http.NAME] in doors.toml."""

import ipaddress
import re

from controller.doors.exposure import LISTENS, Exposure, rows as placed
from controller.doors.settings import Settings, Values, keyed_source_of
from controller.forms.addresses import address, is_local, place
from controller.forms.field import flag, integer, matching, passing, tables, text, texts
from controller.forms.reading import together
from controller.forms.refusal import Path, refuse
from controller.system.worded import counted

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
TOKEN = {
    "name": matching(
        re.compile("[a-z0-9_]{1,32}"),
        "1..32 of a-z, 0-9, _",
        note="Name of the token in `doors check`.",
    ),
    "sha256": matching(
        re.compile("[0-9a-f]{64}"),
        "64 digits 0-9, a-f: SHA-256 of the token",
        note="The token is a random text of 32 to 256 characters.",
    ),
    "source": text("", "The holder may send as this source. Without it the token only reads."),
}


FORM = {
    "listen": passing(
        address,
        "an IP address, such as 127.0.0.1 or 0.0.0.0",
        "127.0.0.1",
        "An address that other machines reach needs a token, and a certificate or plain.",
    ),
    "port": integer(1, 65535, 8080, "TCP port."),
    "names": texts([], "Names and addresses by which clients reach the door. Others are refused."),
    "certificate": text("", "PEM file beside doors.toml, for TLS."),
    "key": text("", "PEM file of its private key."),
    "client_ca": text("", "Clients need a certificate of this CA too."),
    "plain": flag(False, "true: other machines may come without TLS."),
    "token": tables(TOKEN, []),
    "connections_max": integer(2, 500, 64, "At most half of the connections are streams."),
    "requests_per_min_max": integer(
        10, 6000, 1200, "Of each token, and of each address without a token."
    ),
}


def check(settings: Settings, path: Path, values: Values) -> None:
    """Refuse values that are allowed alone, but not together. Raises ConfigError."""
    is_safe = is_local(values["listen"]) or bool(values["certificate"])
    together(settings.path, path, values, "certificate", "key")
    if values["client_ca"]:
        together(settings.path, path, values, "client_ca", "key")
    _check_names(settings.path, path, values)
    if not is_local(values["listen"]):
        _check_open(settings.path, path, values, is_safe)
    seen: set[str] = set()
    for number, token in enumerate(values["token"], 1):
        token_path = (*path, "token", str(number))
        for key in ("name", "sha256"):
            if token[key] in seen:
                refuse(settings.path, (*token_path, key), "is that of another token", "each once")
            seen.add(token[key])
        if token["source"]:
            source = keyed_source_of(settings, (*token_path, "source"), token["source"])
            if source.may == "grid_cap" and not is_safe:
                allowed = "certificate and key, or a [source.NAME] that may less"
                refuse(settings.path, (*token_path, "source"), "may grid_cap without TLS", allowed)


def _check_names(file: str, path: Path, values: Values) -> None:
    for name in values["names"]:
        if not NAME.fullmatch(name) and not address(name):
            allowed = "host names in small letters, or addresses"
            refuse(file, (*path, "names"), f"contains {name!r}", allowed)
    if ipaddress.ip_address(values["listen"]).is_unspecified and not values["names"]:
        allowed = "the names and addresses that clients use"
        refuse(file, (*path, "names"), f"is empty, and listen is {values['listen']}", allowed)


def _check_open(file: str, path: Path, values: Values, is_safe: bool) -> None:
    """Refuse a door for other machines without encryption (or `plain`) or without a token."""
    where = f"listen is {values['listen']}, which other machines reach"
    if not is_safe and not values["plain"]:
        allowed = "certificate and key, or plain = true for an open line"
        refuse(file, (*path, "certificate"), f"is missing, and {where}", allowed)
    if not values["token"]:
        allowed = f"[[{'.'.join(path)}.token]] with name and sha256"
        refuse(file, (*path, "token"), f"is missing, and {where}", allowed)


def exposure(settings: Settings, path: Path, values: Values) -> list[Exposure]:
    """One row for readers, and one row for each source that may send."""
    is_near, count = is_local(values["listen"]), len(values["token"])
    plain = "no: plain = true" if values["plain"] and not is_near else "no"
    proof = "none: this box only" if is_near else counted(count, "token")
    rows = [("page, metrics, state", proof, "reads")]
    rows += [
        (
            f"hints of {token['source']}",
            f"token {token['name']}",
            settings.sources[token["source"]].may,
        )
        for token in values["token"]
        if token["source"]
    ]
    where, encryption = place(values["listen"], values["port"]), values["certificate"] and "TLS"
    return placed(path, LISTENS, where, encryption or plain, rows)
