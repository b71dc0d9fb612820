"""Makes the rig's cabinet.toml: a copy of the simulated cabinet's file with the rig's wires."""

import json
import os
from collections.abc import Mapping
from typing import Any

from controller.system import toml_text


def text(
    order: dict, wires: dict[str, dict[str, str]], plugs: Mapping[str, dict[str, str]] | None = None
) -> str:
    """The text of cabinet.toml. The used keys of `order` are `site`, the file of the simulated
    cabinet; `can_interface`; `control`, keys of [control]; `cabinet_more`, text for the end.

    wires: the result of WiredCabinet.places; plugs: keys of the buses on which the rig simulates
    nothing.
    """
    path = os.path.abspath(order["site"])
    content = toml_text.read(path)
    content["extends"] = _beside(path, content["extends"])
    content["name"] = f"Rig: {content['name']}"
    for device in content.get("device", {}).values():
        if device.get("profile", "").endswith(".toml"):
            device["profile"] = _beside(path, device["profile"])
    if "file" in content.get("plan", {}):
        content["plan"]["file"] = _beside(path, content["plan"]["file"])
    if order.get("control"):
        content.setdefault("control", {}).update(order["control"])
    for name, wire in wires["ports"].items():
        table = content if name == "channel_b" else content.setdefault("bus", {})
        key = "port" if wire.startswith("/") else "address"
        table.setdefault(name, {})[key] = wire
    interface = order.get("can_interface", "socketcand")
    cans = {
        name: {"interface": interface, "channel": channel}
        for name, channel in wires["cans"].items()
    }
    for name, plug in {**cans, **(plugs or {})}.items():
        content.setdefault("bus", {}).setdefault(name, {}).update(plug)
    return toml(content) + order.get("cabinet_more", "")


def _beside(path: str, name: str) -> str:
    """The absolute path of a file that is named in the file at `path`."""
    return os.path.normpath(os.path.join(os.path.dirname(path), name))


def toml(content: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """The tables as TOML. A text, number, truth value or list is written as in JSON."""
    plain = {key: value for key, value in content.items() if not isinstance(value, dict)}
    lines = [f"[{'.'.join(path)}]"] if path else []
    lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in plain.items()]
    more = [toml(content[key], (*path, key)) for key in content if key not in plain]
    return "\n".join([*lines, *more]) + ("\n" if not more else "")
