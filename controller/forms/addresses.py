"""Reads and writes the IP addresses of a file, and its texts HOST:PORT."""

import ipaddress
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
LOCAL = ("127.0.0.1", "::1", "localhost")


def address(text: Any) -> Address | None:
    """The IP address in a text, or None for a host name and for any other value."""
    try:
        return ipaddress.ip_address(text) if isinstance(text, str) else None
    except ValueError:
        return None


def is_local(host: str) -> bool:
    """True if the host is this machine."""
    parsed = address(host)
    return host == "localhost" if parsed is None else parsed.is_loopback


def plain(peer: str) -> str:
    """The address of a client. An IPv4 address that is mapped into IPv6 becomes IPv4 again."""
    parsed = ipaddress.ip_address(peer.partition("%")[0])
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def place(host: str, port: int) -> str:
    """HOST:PORT, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
