"""Who a client is: an address, or the subject of a certificate that one authority has signed."""

import ipaddress
import ssl
from typing import Any

from controller.doors.process import DoorError
from controller.doors.settings import Settings


def context(settings: Settings, values: dict[str, Any]) -> ssl.SSLContext:
    """TLS with client certificates of one authority. Raises DoorError."""
    beside = settings.beside
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_mode = ssl.CERT_REQUIRED
    try:
        made.load_cert_chain(beside(values["certificate"]), beside(values["certificate_key"]))
        made.load_verify_locations(beside(values["client_authority"]))
    except (OSError, ssl.SSLError) as error:
        why = error.strerror if type(error) is FileNotFoundError else "is no PEM, or does not fit"
        names = ", ".join([values[each] for each in ("certificate", "certificate_key")])
        raise DoorError(f"a file of {names}, {values['client_authority']}: {why}") from None
    return made


def plain_address(text: str) -> str:
    """An IPv4 address also if it came in as IPv6."""
    found = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def common_name(certificate: dict[str, Any] | None) -> str:
    """The one common name of a certificate; empty without exactly one."""
    parts = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    names = [value for key, value in parts if key == "commonName"]
    return names[0] if len(names) == 1 else ""
