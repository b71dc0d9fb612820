"""The network of the controller's service, as `firebreak check` shows it."""

from collections.abc import Iterator

from controller.config import unit_access
from controller.config.cabinet_config import Config
from controller.documents.document import wrapped


def lines(config: Config) -> Iterator[str]:
    """The addresses that the service reaches, and how its unit is opened for them."""
    found, unknown = unit_access.addresses(config), unit_access.nameless(config)
    if not found:
        yield from ("", "NETWORK OF THE SERVICE: none")
        return
    yield from ("", "NETWORK OF THE SERVICE (its unit allows no other address)")
    for name, host in found.items():
        more = ": THE SERVICE CANNOT LOOK UP A NAME, give its IPv4 address" * (name in unknown)
        yield from wrapped(f"  {name}: ", f"{host}{more}")
    yield from wrapped(
        "  ",
        f"sudo ./flash.sh install writes them into {unit_access.DROP_IN}. Without it: firebreak "
        f"check --drop-in FILE | sudo tee {unit_access.DROP_IN}; sudo systemctl daemon-reload",
    )
