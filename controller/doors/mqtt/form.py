"""The keys of [mqtt.NAME] in doors.toml."""

import re

from controller.doors.addresses import address, is_local, place
from controller.doors.exposure import CONNECTS, Exposure, rows as placed
from controller.doors.settings import Settings, Values, source_of, together
from controller.forms.field import choice, flag, integer, matching, number, text, texts
from controller.forms.refusal import Path, refuse

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # one level of a topic
NAME_WORDS = "1 to 64 letters, digits, _ and -"
HOST = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
FORM = {
    "host": matching(HOST, "a name or an address", what="The broker."),
    "port": integer(1, 65535, 8883, "TCP port of the broker."),
    "cabinet": matching(NAME, NAME_WORDS, what="Name of the cabinet in the topics."),
    "protocol": choice(("5", "3.1.1"), "5", "Version of MQTT."),
    "tls": flag(True, "Without TLS neither grid_cap nor a password leaves this machine."),
    "ca": text("", "Certificate of the CA of the site; no other CA is trusted."),
    "certificate": text("", "Client certificate of the door, if the broker wants one."),
    "certificate_key": text("", "PEM file of its private key."),
    "user": text("", "Login at the broker."),
    "password_file": text("", "File that has only the password, mode 600."),
    "sources": texts([], "Sources whose commands are taken; each has its [source.NAME]."),
    "period_s": number(0.2, 3600, 1.0, "Least time between two messages of `state` or `report`."),
    "keepalive_s": integer(5, 60, 10, "Keep-alive of MQTT."),
    "events_max": integer(1, 1000, 1000, "Missed events that are sent after a reconnect."),
}
TOGETHER = (("certificate", "certificate_key"), ("user", "password_file"))


def check(settings: Settings, path: Path, values: Values) -> None:
    """Refuse values that are allowed alone, but not together. Raises ConfigError."""
    file = settings.path
    found = [source_of(settings, (*path, "sources"), name) for name in values["sources"]]
    if ":" in values["host"] and not address(values["host"]):
        refuse(
            file,
            (*path, "host"),
            "has a colon",
            "a name or an address; the port is a key of its own",
        )
    for names in TOGETHER:
        together(file, path, values, *names)
    if values["tls"] and not values["ca"]:
        refuse(file, (*path, "ca"), "is missing", "the file with the certificate of the site's CA")
    if values["tls"]:
        return
    if values["ca"] or values["certificate"]:
        refuse(file, (*path, "tls"), "is false beside a certificate", "tls = true")
    if not is_local(values["host"]):
        _check_plain(file, path, values, [each.name for each in found if each.may == "grid_cap"])


def _check_plain(file: str, path: Path, values: Values, obliging: list[str]) -> None:
    allowed = "tls = true, or a host of this machine such as 127.0.0.1"
    if obliging:
        refuse(file, (*path, "sources"), f"{obliging[0]} may send grid_cap without TLS", allowed)
    if values["user"]:
        refuse(file, (*path, "password_file"), "would cross the network without TLS", allowed)


def exposure(settings: Settings, path: Path, values: Values) -> list[Exposure]:
    """One row for what is sent. For each source one row for signed hints, and one for hints that
    the door signs on the word of the broker.
    """
    where, encryption = place(values["host"], values["port"]), "TLS" if values["tls"] else "no"
    rows = [("state, events, alarms", "-", "nothing comes in")]
    for source in [settings.sources[name] for name in values["sources"]]:
        if source.key_path:
            rows.append((f"hints of {source.name}", "the broker's ACL", source.may))
        rows.append((f"signed hints of {source.name}", "its key", source.may))
    return placed(path, CONNECTS, where, encryption, rows)
