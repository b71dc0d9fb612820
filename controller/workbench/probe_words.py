"""Makes the report of `firebreak bus probe` as lines for a person. For each device with a fitting
profile it has lines to paste into a site file.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator

from controller.config import devices, schema
from controller.config.bus_schema import Bus
from controller.config.profile_form import MAP_ONLY
from controller.documents.document import wrapped
from controller.state.base import Facts
from controller.system.paths import ascii_only
from drivers.profile import Profile

BY_PATH = "/dev/serial/by-path"
WEAK = "weak"
CERTAINTY = {"identity": "fits", "plausible": "fits by its values", WEAK: "is possible"}
ROLES = {"meter": "meter_grid", "gas": "gas_1", "offgas": "offgas_1", "io": "io_1"}
PLACES = {"pcs": "unit", "bms": "rack"}
VALUES_SHOWN = 8
# exception codes of the Modbus application protocol V1.1b3, 7
CODES = {
    4: ": it has failed",
    5: ": it still works on a request",
    6: ": it is busy, ask again",
    10: ": a gateway that has no way to it",
    11: ": a gateway, and the device behind it does not answer",
}


def head(bus: Bus) -> Facts:
    """The beginning of a report, without devices."""
    where = bus.port or bus.address or bus.channel
    report = {"bus": bus.name, "kind": bus.kind, "port": where, "baud_Bd": bus.baud_Bd}
    return report | {"through": "this process", "devices": [], "notes": []}


def of_profile(profile: Profile) -> Facts:
    """The facts of a profile in a report."""
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


def lines(report: Facts, refused_max: int | None) -> Iterator[str]:
    """The report for a person. refused_max: number of shown profiles that do not fit; None: all."""
    baud = f" at {report['baud_Bd']} Bd" if report["kind"] == "rtu" and report["baud_Bd"] else ""
    place = f"({report['port']}){baud}, read by {report['through']}"
    yield from wrapped(f"{report['bus']} ", place)
    for note in report["notes"]:
        yield from wrapped("  ", note)
    for heard_id in report.get("ids", ()):
        period = f"every {heard_id['period_us'] // 1000} ms" if heard_id["period_us"] else "once"
        lengths = ", ".join(map(str, heard_id["lengths"]))
        yield f"  {heard_id['can_id']:>8}  {heard_id['frames']:5} frames, {period}, {lengths} bytes"
    roles = Counter[str]()
    for device in report["devices"]:
        yield from _device(report, device, refused_max, roles)


def _device(
    report: Facts, device: Facts, refused_max: int | None, roles: Counter[str]
) -> Iterator[str]:
    """The lines of a device. roles: for each role, the number of earlier devices that got lines to
    paste.
    """
    yield ""
    if device.get("code"):
        code, also = device["code"], ", ".join(map(str, device["also"]))
        why = CODES.get(code, "") + (f"; so do {also}" if also else "")
        yield from wrapped(f"unit {device['unit_id']} answers with code {code}", why)
        return
    if "unit_id" in device:
        also = ", ".join(map(str, device["also"]))
        note = f"; the same answers as {also}: it may ignore the unit id"
        details = f"{note} (--units {device['also'][0]} judges another)" if also else ""
        yield from wrapped(f"unit {device['unit_id']} answers", details)
        if device["sunspec"]:
            yield from wrapped("  SunSpec ", ascii_only(device["sunspec"]))
    sure = [fit for fit in device["fits"] if fit["certainty"] != WEAK]
    for fit in sure:
        yield from _fit(fit)
    weak = [fit["profile"] for fit in device["fits"] if fit["certainty"] == WEAK]
    if weak:
        yield from wrapped("  possible, its values are in range, no more: ", ", ".join(weak))
        if not sure:
            yield "  the answers fit all of them: look at its nameplate"
    if not device["fits"]:
        yield "  no profile fits: `firebreak profile new` begins one"
    shown = list(device["refused"].items())[:refused_max]
    for name, reason in shown:
        yield from wrapped(f"  {name}: no: ", ascii_only(reason))
    if len(shown) < len(device["refused"]):
        yield f"  {len(device['refused']) - len(shown)} others do not fit either (--all)"
    if sure:
        yield ""
        roles[sure[0]["role"]] += 1
        yield from snippet(report, device, sure[0], roles)


def _fit(fit: Facts) -> Iterator[str]:
    node = f", node {fit['node']}" if fit.get("node") else ""
    name = f"{fit['profile']} ({fit['maker']} {fit['model']}){node}"
    yield from wrapped("  ", ascii_only(f"{name} {CERTAINTY[fit['certainty']]}"))
    why = [*fit["proofs"], *fit["signs"], *fit["values"][:VALUES_SHOWN]]
    yield from wrapped("      ", "; ".join(why) or "it answers, and nothing else")
    if fit["evidence"] in MAP_ONLY:
        yield "      map only: no real reading proves this profile"
    if fit["like"]:
        names = ", ".join(fit["like"])
        yield from wrapped("      ", f"it may also be {names}: look at its nameplate")


def snippet(report: Facts, device: Facts, fit: Facts, roles: Counter[str]) -> Iterable[str]:
    """Lines to paste into a site file. roles: for each role, the number of devices that got such
    lines so far, this device included.
    """
    name = report["bus"] if report["bus"] != "port" else "new"
    is_new, number = name == "new" and roles.total() == 1, roles[fit["role"]]
    lines = [f"[bus.{name}]", f'kind = "{report["kind"]}"'] if is_new else []
    if is_new and report["kind"] == "rtu":
        path = by_path(report["port"])
        lines += [f'port = "{path}"', f"baud_Bd = {report['baud_Bd']}"]
    elif is_new and report["kind"] == "tcp":
        lines += [f'address = "{report["port"]}"']
    elif is_new:
        lines += ['interface = "socketcan"', f'channel = "{report["port"]}"']
        lines += ["bitrate_bps = 500000  # as it is set now"]
    device_name, role = _named(fit["role"], number)
    lines += [f"[device.{device_name}]", f'role = "{role}"', f'profile = "{fit["profile"]}"']
    lines += [f'bus = "{name}"']
    if fit["address"]:
        lines += [f"{fit['address']} = {device.get('unit_id', fit.get('node', 0))}"]
    return lines + ([f"{PLACES[role]} = {number}"] if role in PLACES else [])


def _named(role: str, number: int) -> tuple[str, str]:
    """(name, role) of a device. number: its number among the devices of this role. The second meter
    gets another role than the first.
    """
    families = schema.ROLES[role]
    alike = [
        candidate
        for candidate, families_of_role in schema.ROLES.items()
        if families_of_role == families != ("site_device",)
    ]
    if role in PLACES or number > max(1, len(alike)):
        return f"{role}_{number}", role
    role = alike[number - 1] if alike else role
    return role, role


def by_path(port: str, folder: str = BY_PATH) -> str:
    """The name of a serial port by its place in the computer, which does not change at a restart.
    The port itself if it has no such name.
    """
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    paths = [os.path.join(folder, name) for name in names]
    return next((path for path in paths if os.path.realpath(path) == os.path.realpath(port)), port)
