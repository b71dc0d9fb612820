"""The keys of [modbus.NAME] in doors.toml."""

import re

from controller.doors.exposure import LISTENS, Exposure, rows as placed
from controller.doors.settings import MAY as ROLES, Settings, Values, keyed_source_of
from controller.forms.addresses import address, place
from controller.forms.field import choice, flag, integer, matching, table, text
from controller.forms.reading import together
from controller.forms.refusal import Path, refuse

NAME = re.compile(r"[ -~]{1,64}")
LISTEN = re.compile(r"[0-9a-fA-F.:]{2,45}")
OTHERS = ("read", "none")
MAY = ("cap", "request")  # no point of these models limits the connection to the grid
TLS = ("certificate", "certificate_key", "client_authority")
FORM = {
    "listen": matching(LISTEN, "an IP address of this box", "127.0.0.1", "Where the door listens."),
    "port": integer(1, 65535, 1502, "TCP port."),
    "unit": integer(1, 247, 1, "Unit identifier; 0 and 255 are this server too."),
    "may": choice(MAY, MAY[0], "request: masters may set WSet too, not only WMaxLimPct."),
    "is_exact": flag(False, "true: load tracking pauses beside WSet."),
    "valid_s": integer(
        2, 300, 60, "Validity of a set-point without a reversion time, and of a heartbeat."
    ),
    "others": choice(OTHERS, OTHERS[0], "none: a client that is not listed is closed at once."),
    "connections_max": integer(
        1, 500, 64, "Connections at one time; a listed client replaces another one."
    ),
    "idle_s": integer(1, 3600, 120, "A silent connection is closed after so long."),
    "clients": table(None, {}, 'ADDRESS = "SOURCE"; with TLS the common name of the certificate.'),
    **dict.fromkeys(
        TLS, text("", "PEM file beside doors.toml. All three: TLS with client certificates.")
    ),
}


def check(settings: Settings, path: Path, values: Values) -> None:
    """Refuse values that are allowed alone, but not together. Raises ConfigError."""
    if str(address(values["listen"]) or "") != values["listen"]:
        refuse(settings.path, (*path, "listen"), "is no IP address")
    together(settings.path, path, values, *TLS)
    has_tls, roles = bool(values[TLS[0]]), set()
    for client, source in values["clients"].items():
        where = (*path, "clients", client)
        if has_tls and not NAME.fullmatch(client):
            refuse(settings.path, where, "is no subject", "the common name of a client certificate")
        if not has_tls and str(address(client) or "") != client:
            refuse(settings.path, where, "is no IP address", "an address, or TLS and a common name")
        roles.add(keyed_source_of(settings, where, source).may)
    if values["may"] != MAY[0] and roles == {MAY[0]}:
        allowed = 'may = "request" also in a [source.NAME] of its clients'
        refuse(settings.path, (*path, "may"), "is more than any of its sources may", allowed)


def exposure(settings: Settings, path: Path, values: Values) -> list[Exposure]:
    """One row for readers, and one row for each master."""
    where = place(values["listen"], values["port"])
    has_tls = bool(values["certificate"])
    encryption, proof = ("TLS", "certificate") if has_tls else ("no", "address only: UNPROVED")
    subject = "Modbus TCP, SunSpec"
    unlisted = "a certificate of the CA" if has_tls else "nothing: whoever connects"
    rows = [(subject, unlisted, "reads" if values["others"] == "read" else "nothing")]
    for client, name in values["clients"].items():
        most = min(values["may"], settings.sources[name].may, key=ROLES.index)
        rows.append((f"set-points of {name}", f"{proof} {client}", most))
    only = tuple(values["clients"]) if values["others"] == "none" and not has_tls else ()
    return placed(path, LISTENS, where, encryption, rows, only)
