"""Facts about the way of a cabinet into its site: its place comes from the journal's header, its
steps from the proof-test ledger.
"""

from collections.abc import Sequence

from controller.state.base import Facts
from controller.store import joining, proof_lines, replacements, sign_tests
from controller.store.proof_lines import Record

Ramp = tuple[int, int | None]  # (time of the boot clock, us; result of joining.ramp_began_us)


def place(header: Facts, records: Sequence[Record]) -> str:
    """The code of the place: the cabinet, its meters with their serial numbers, and where its racks
    stand on the plan of the site.
    """
    crcs, plan = header.get("device_crcs", {}), header.get("plan", {"places": [], "racks": []})
    meters = [
        device["name"]
        for device in header.get("devices", [])
        if device["role"] in sign_tests.METERS
    ]
    parts: list[tuple[object, ...]] = [
        (name, crcs.get(f"device {name}", 0), replacements.serial_of(records, name))
        for name in meters
    ]
    parts += [
        (plan_place["name"], plan_place["x_mm"], plan_place["y_mm"])
        for plan_place in plan["places"]
        if plan_place["name"] in plan["racks"]
    ]
    return joining.code(name_of(header), parts)


def name_of(header: Facts) -> str:
    """The name of the cabinet."""
    return str(list(header.get("names", {"cabinet": ""}).values())[-1])


def facts(header: Facts, records: Sequence[Record], ramp: Ramp) -> Facts:
    """{state, ready_permille, kept_permille, place, provisioned_utc, steps, hours}.

    steps: {step: {utc, by, words}} of the done ones. hours: from the provision to the last done
    step; None: unknown.
    """
    code = place(header, records)
    progress = joining.progress(records, code, *ramp)
    hours, last = None, list(progress.steps.values())[-1:]
    if progress.provisioned and last:
        hours = (proof_lines.seconds(last[0]) - proof_lines.seconds(progress.provisioned)) / 3600
    return {
        "state": progress.state,
        "ready_permille": progress.ready_permille,
        "kept_permille": progress.kept_permille,
        "place": code,
        "provisioned_utc": progress.provisioned and progress.provisioned.recorded_utc,
        "steps": {
            name: {
                "utc": step.recorded_utc,
                "by": step.tester,
                "words": step.remark.removeprefix(joining.remark(code, "")),
            }
            for name, step in progress.steps.items()
        },
        "hours": hours,
    }
