"""Finds the shipped profiles that fit a capture, for a person who has named a profile that does not
fit it.
"""

import functools
from typing import NamedTuple

from controller.config import can_dialects, profiles
from controller.config.profile_form import CAN_BMS
from controller.state.base import Facts
from controller.workbench import can_fits, captures, fits
from controller.workbench.decoding import Memory, held
from drivers.profile import Profile, shipped

NONE = "no shipped profile fits it"


class Fitting(NamedTuple):
    """The profiles that fit, and a line about them. On CAN, each profile has its node."""

    profiles: list[Facts]
    line: str


def of_can(path: str, *named: Profile) -> Fitting:
    """The profiles of a BMS on CAN that accept the frames of a capture. named: further profiles to
    try.
    """
    frames = captures.CanFrames(path)
    candidates = {
        profile.path: profile for profile in [*_shipped(), *named] if profile.family == CAN_BMS
    }
    judged = can_fits.fits(candidates.values(), frames)
    matches = [
        {"profile": fit.profile.path.stem, "node": fit.node} for fit in can_fits.best(judged)
    ]
    if matches:
        return Fitting(matches, _line([_named(match) for match in matches]))
    number = can_dialects.number_of([heard_id.can_id for heard_id in can_fits.heard(frames)])
    if not number:
        return Fitting([], NONE)
    name = can_dialects.names()[number - 1]
    reason = next(fit.reason for fit in judged if fit.profile.path.stem == name)
    return Fitting([], f"{NONE}; by its ids it is of {name}: {reason}")


def of_registers(memory: Memory) -> Fitting:
    """The profiles of Modbus devices that fit the registers of a capture."""

    candidates = [profile for profile in _shipped() if profile.family in fits.FAMILIES]
    judged = fits.ranked([fits.judged(profile, _read(profile, memory)) for profile in candidates])
    judged = [fit for fit in judged if not fit.reason]
    best = [fit for fit in judged if fit.rank[:2] == judged[0].rank[:2]]
    if not best or best[0].certainty == "weak":
        return Fitting([], NONE)
    names = [fit.profile.path.stem for fit in best]
    return Fitting([{"profile": name} for name in names], _line(names))


def _read(profile: Profile, memory: Memory) -> fits.Read:
    def read(*place: int) -> fits.Answer:
        data = held(profile, memory, *place)
        return "not in the capture" if data is None else data

    return read


@functools.cache
def _shipped() -> list[Profile]:
    return [profiles.load(name) for name in shipped()]


def _named(profile_and_node: Facts) -> str:
    name, node = profile_and_node["profile"], profile_and_node["node"]
    return f"{name} at node {node} (--node {node})" if node else name


def _line(names: list[str]) -> str:
    return f"{' or '.join(names)} {'fits' if len(names) == 1 else 'fit'} it"
