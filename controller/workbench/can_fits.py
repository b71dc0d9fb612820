"""Finds the profiles of a BMS that fit the frames on a CAN bus, and says why others do not fit.

A profile fits if no forbidden id came, and if every required id came with an allowed length. In
addition the driver of the profile must have accepted frames. The driver checks bytes, counters and
ranges, and needs frames for two periods.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from controller.config import can_dialects
from controller.workbench import profile_bench
from drivers import can_dialect, can_messages
from drivers.can_bms import CanBms
from drivers.can_codec import EXTENDED
from drivers.profile import Profile

Frame = tuple[int, int, bytes]  # time in us, id, data
REFUSAL_SENTENCES = {
    can_dialect.MISSING: "the required id {id} is missing",
    can_dialect.STOPPED: "the id {id} has stopped",
    can_dialect.REFUSED: "every frame of {id} is refused: a value is out of range or has none",
}


class Heard(NamedTuple):
    """The frames of one id. frames: their number. period_us: mean time between two frames, 0 if
    only one came. lengths: data bytes of its frames.
    """

    can_id: int
    frames: int
    period_us: int
    lengths: list[int]


class CanFit(NamedTuple):
    """The result for a profile at a node (address of the BMS). known: ids of the profile's messages
    that came. taken: number of frames that the driver accepted. reason: why the profile does not
    fit, or "".
    """

    profile: Profile
    node: int
    known: list[int]
    taken: int
    reason: str


def shown(can_id: int) -> str:
    """An id as candump prints it."""
    return f"{can_id & ~EXTENDED:08X}" if can_id & EXTENDED else f"{can_id:03X}"


def heard(frames: Iterable[Frame]) -> list[Heard]:
    """The frames of every id on the bus, in the order of the ids."""
    counts, lengths = Counter[int](), defaultdict[int, set[int]](set)
    first_us, last_us = dict[int, int](), dict[int, int]()
    for time_us, can_id, data in frames:
        counts[can_id] += 1
        lengths[can_id].add(len(data))
        first_us.setdefault(can_id, time_us)
        last_us[can_id] = time_us
    return [
        Heard(
            can_id,
            count,
            (last_us[can_id] - first_us[can_id]) // max(1, count - 1),
            sorted(lengths[can_id]),
        )
        for can_id, count in sorted(counts.items())
    ]


def fits(profiles: Iterable[Profile], frames: Iterable[Frame]) -> list[CanFit]:
    """The results for every profile. A profile with addresses has a result for each node that fits,
    or one for the nearest node if none fits. `frames` is read several times.
    """
    profile_fits: list[CanFit] = []
    ids = {heard_id.can_id: heard_id for heard_id in heard(frames)}
    for profile in profiles:
        nodes = can_dialects.NODES if profile.settings["node_stride"] else (0,)
        node_fits = [_judged(profile, node, frames, ids) for node in nodes]
        best = max(node_fits, key=lambda fit: len(fit.known))
        profile_fits += [fit for fit in node_fits if not fit.reason] or [best]
    return sorted(profile_fits, key=lambda fit: (bool(fit.reason), -len(fit.known), -fit.taken))


def best(profile_fits: Sequence[CanFit]) -> list[CanFit]:
    """The results that explain the most ids of the bus. If there are several, the frames cannot
    decide between them.
    """
    return [
        fit
        for fit in profile_fits
        if not fit.reason and len(fit.known) == len(profile_fits[0].known)
    ]


def _judged(profile: Profile, node: int, frames: Iterable[Frame], ids: dict[int, Heard]) -> CanFit:
    known = sorted({message_id.can_id for message_id in can_messages.ids(profile, node)} & set(ids))
    reason = next(_reasons(profile, node, ids), "")
    taken = time_us = 0
    if not reason:
        driver, _ = profile_bench.build(profile, node=node)
        for time_us, can_id, data in frames if known else ():
            driver.on_frame(can_id, data, time_us)
        taken = driver.frames
        if not taken:
            reason = _refusal(driver, time_us)
    return CanFit(profile, node, known, taken, reason)


def _reasons(profile: Profile, node: int, ids: dict[int, Heard]) -> Iterator[str]:
    for foreign_id in profile.settings["forbidden"]:
        if foreign_id in ids:
            yield f"the id {shown(foreign_id)} is of another dialect"
    message_ids = list(can_messages.ids(profile, node))
    for can_id, _, _, is_required in message_ids:
        if is_required and can_id not in ids:
            yield f"the required id {shown(can_id)} did not come"
    for can_id, name, _, _ in message_ids:
        row = profile.messages[name]
        for length in ids[can_id].lengths if can_id in ids else ():
            if not row["bytes"] <= length <= row["bytes_max"]:
                allowed = f"{row['bytes']}..{row['bytes_max']}"
                yield f"messages.{name} ({shown(can_id)}) has {length} bytes; allowed {allowed}"


def _refusal(driver: CanBms, now_us: int) -> str:
    """Why the driver took no frame."""
    if driver.bad_frames:
        return "frames with a wrong length, check byte or counter"
    state, can_id = driver.report(now_us)
    sentence = REFUSAL_SENTENCES.get(state, "two periods were not heard, or no value is in range")
    return sentence.format(id=shown(can_id))
