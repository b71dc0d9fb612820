"""The report of `firebreak probe` as lines, and the lines of a site file that follow from it."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from controller.config import devices
from controller.config.bus_schema import Bus
from controller.config.profile_form import MAP_ONLY
from controller.documents.document import wrapped
from controller.system.paths import ascii_only
from drivers.profile import Profile

BY_PATH = "/dev/serial/by-path"
WEAK = "weak"
CERTAINTY = {"identity": "fits", "plausible": "fits by its values", WEAK: "is possible"}
ROLES = {"meter": "meter_grid", "gas": "gas_1", "offgas": "offgas_1", "io": "io_1"}
VALUES_SHOWN = 8
Report = dict[str, Any]


def head(bus: Bus) -> Report:
    """A report without devices."""
    where = bus.port or bus.address or bus.channel
    found = {"bus": bus.name, "kind": bus.kind, "port": where, "baud_Bd": bus.baud_Bd}
    return found | {"through": "this process", "devices": [], "notes": []}


def of_profile(profile: Profile) -> dict[str, Any]:
    """What a report says of a profile."""
    return {
        "profile": profile.path.stem,
        "maker": profile.maker,
        "model": profile.model,
        "family": profile.family,
        "role": profile.settings.get("role") or ROLES.get(profile.family, _role(profile.family)),
        "address": devices.key_of_address(profile),
        "evidence": profile.evidence,
    }


def _role(family: str) -> str:
    return "pcs" if family.endswith("_pcs") else "bms" if family.endswith("_bms") else family


def lines(report: Report, refused: int | None) -> Iterator[str]:
    """The report for a person. refused: so many profiles that do not fit; None: each."""
    baud = f" at {report['baud_Bd']} Bd" if report["kind"] == "rtu" and report["baud_Bd"] else ""
    yield f"{report['bus']} ({report['port']}){baud}, read by {report['through']}"
    for each in report["notes"]:
        yield from wrapped("  ", each)
    for each in report.get("ids", ()):
        period = f"every {each['period_us'] // 1000} ms" if each["period_us"] else "once"
        lengths = ", ".join(map(str, each["lengths"]))
        yield f"  {each['can_id']:>8}  {each['frames']:5} frames, {period}, {lengths} bytes"
    for device in report["devices"]:
        yield from _device(report, device, refused)


def _device(report: Report, device: dict[str, Any], refused: int | None) -> Iterator[str]:
    yield ""
    if "unit_id" in device:
        also = ", ".join(map(str, device["also"]))
        more = f"; the same answers as {also}: it may ignore the unit id" if also else ""
        yield from wrapped(f"unit {device['unit_id']} answers", more)
        if device["sunspec"]:
            yield from wrapped("  SunSpec ", ascii_only(device["sunspec"]))
    sure = [each for each in device["fits"] if each["certainty"] != WEAK]
    for each in sure:
        yield from _fit(each)
    weak = [each["profile"] for each in device["fits"] if each["certainty"] == WEAK]
    if weak:
        yield from wrapped("  possible, no more: values in range: ", ", ".join(weak))
    if not sure:
        yield "  no profile fits for sure: `firebreak profile new` begins one"
    shown = list(device["refused"].items())[:refused]
    for name, reason in shown:
        yield from wrapped(f"  {name}: no: ", ascii_only(reason))
    if len(shown) < len(device["refused"]):
        yield f"  {len(device['refused']) - len(shown)} others do not fit either (--all)"
    if sure:
        yield ""
        yield from snippet(report, device, sure[0])


def _fit(fit: dict[str, Any]) -> Iterator[str]:
    node = f", node {fit['node']}" if fit.get("node") else ""
    name = f"  {fit['profile']} ({fit['maker']} {fit['model']}){node}"
    yield ascii_only(f"{name} {CERTAINTY[fit['certainty']]}")
    why = [*fit["proofs"], *fit["signs"], *fit["values"][:VALUES_SHOWN]]
    yield from wrapped("      ", "; ".join(why) or "it answers, and nothing else")
    if fit["evidence"] in MAP_ONLY:
        yield "      map only: no real reading proves this profile"
    if fit["like"]:
        names = ", ".join(fit["like"])
        yield from wrapped("      ", f"not told apart from {names}: look at its nameplate")


def snippet(report: Report, device: dict[str, Any], fit: dict[str, Any]) -> Iterable[str]:
    """Lines to paste into a site file."""
    name = report["bus"] if report["bus"] != "port" else "new"
    found = [f"[bus.{name}]", f'kind = "{report["kind"]}"'] if name == "new" else []
    if name == "new" and report["kind"] == "rtu":
        path = by_path(report["port"])
        found += [f'port = "{path}"', f"baud_Bd = {report['baud_Bd']}"]
    elif name == "new" and report["kind"] == "tcp":
        found += [f'address = "{report["port"]}"']
    elif name == "new":
        found += ['interface = "socketcan"', f'channel = "{report["port"]}"']
        found += ["bitrate_bps = 500000  # as it is set now"]
    found += [f"[device.{fit['role']}]", f'role = "{fit["role"]}"', f'profile = "{fit["profile"]}"']
    found += [f'bus = "{name}"']
    if fit["address"]:
        found += [f"{fit['address']} = {device.get('unit_id', fit.get('node', 0))}"]
    found += {"pcs": ["unit = 1"], "bms": ["rack = 1"]}.get(fit["role"], [])
    return found


def by_path(port: str, folder: str = BY_PATH) -> str:
    """The name of a serial port that stays the same when plugs move, or the port itself."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = [os.path.join(folder, name) for name in names]
    return next((each for each in paths if os.path.samefile(each, port)), port)
