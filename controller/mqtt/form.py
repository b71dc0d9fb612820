"""The keys of a broker: [mqtt.NAME] of doors.toml and [broker] of FLEET.toml have them."""

import re
from collections.abc import Sequence

from controller.forms.addresses import address, is_local
from controller.forms.field import choice, flag, integer, matching, text
from controller.forms.reading import Values, together
from controller.forms.refusal import Path, refuse

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # one level of a topic
NAME_WORDS = "1 to 64 letters, digits, _ and -"
HOST = re.compile(r"[A-Za-z0-9.:_-]{1,255}")
BROKER = {
    "host": matching(HOST, "a name or an address", note="The broker."),
    "port": integer(1, 65535, 8883, "TCP port of the broker."),
    "protocol": choice(("5", "3.1.1"), "5", "Version of MQTT."),
    "tls": flag(True, "Without TLS neither grid_cap nor a password leaves this machine."),
    "ca": text("", "Certificate of the CA of the site; no other CA is trusted."),
    "certificate": text("", "Client certificate of the door, if the broker wants one."),
    "certificate_key": text("", "PEM file of its private key."),
    "user": text("", "Login at the broker."),
    "password_file": text("", "File that has only the password, mode 600."),
    "keepalive_s": integer(5, 60, 10, "Keep-alive of MQTT."),
}
TOGETHER = (("certificate", "certificate_key"), ("user", "password_file"))


def check(file: str, path: Path, values: Values, obliging: Sequence[str] = ()) -> None:
    """Refuse values that are allowed alone, but not together. obliging: names of the sources that
    may send grid_cap through this connection. Raises ConfigError.
    """
    if ":" in values["host"] and not address(values["host"]):
        allowed = "a name or an address; the port is a key of its own"
        refuse(file, (*path, "host"), "has a colon", allowed)
    for names in TOGETHER:
        together(file, path, values, *names)
    if values["tls"] and not values["ca"]:
        refuse(file, (*path, "ca"), "is missing", "the file with the certificate of the site's CA")
    if values["tls"]:
        return
    if values["ca"] or values["certificate"]:
        refuse(file, (*path, "tls"), "is false beside a certificate", "tls = true")
    if is_local(values["host"]):
        return
    allowed = "tls = true, or a host of this machine such as 127.0.0.1"
    if obliging:
        refuse(file, (*path, "sources"), f"{obliging[0]} may send grid_cap without TLS", allowed)
    if values["user"]:
        refuse(file, (*path, "password_file"), "would cross the network without TLS", allowed)
