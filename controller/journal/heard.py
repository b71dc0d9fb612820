"""Finds the state of each freshness group of inputs: fresh, silent or frozen.

A page shows no value of a silent or frozen group. For a row of the cause-and-effect matrix that
watches several devices, the module also finds those that are the cause.
"""

import contextlib
from array import array
from collections.abc import Sequence
from typing import Protocol

from controller.journal.frame import Frame
from safety import matrix as m, parameters as p, signals as s
from safety.features import SILENCES
from safety.kernel import Kernel

METERS = {s.G_METER_GRID: s.GRID_RAW_HASH, s.G_METER_LOAD: s.LOAD_RAW_HASH}  # {group: its hash}
DETECTORS = {
    s.G_GAS_1: s.GAS_1_OK,
    s.G_GAS_2: s.GAS_2_OK,
    s.G_OFFGAS_1: s.OFFGAS_1_OK,
    s.G_OFFGAS_2: s.OFFGAS_2_OK,
    s.G_TOXIC: s.TOXIC_OK,
}
WATCHED = {
    **{feature: range(first, end) for feature, first, end in SILENCES},
    m.F_GAS_DETECTORS_SILENT: (*DETECTORS,),
    m.F_GAS_DETECTORS_LOST: (*DETECTORS,),
}
SILENT_MS, FROZEN_MS = 2000, 5000  # for an image of another version
WITH_FAULT = m.F_GAS_DETECTORS_FAULTY, m.F_GAS_DETECTORS_LOST


class Heard(Protocol):
    """The state of each freshness group of a cabinet."""

    def is_silent(self, group: int) -> bool:
        """True if no value of the group came within its budget."""

    def age_ticks(self, group: int) -> int:
        """Ticks since the last news of this group."""

    def is_frozen(self, group: int) -> bool:
        """True for a meter that repeats the same words; False for every other group."""


class OfFrames:
    """The Heard of a reader without a core. Give it every frame, in order."""

    def __init__(self, image: array, layout: s.Layout):
        """image: the safety image."""
        tick_ms, frozen_ms = image[p.H_TICK_MS], FROZEN_MS
        self._budgets: Sequence[int] = [p.ticks(SILENT_MS, tick_ms)] * layout.groups
        with contextlib.suppress(ValueError):
            kernel = Kernel(image)
            self._budgets, frozen_ms = kernel.features.ages.budget_ticks, kernel.frozen_ms
        self._frozen_ticks, self.ticks = p.ticks(frozen_ms, tick_ms), 0
        self._fresh_at = [-s.INT_MAX] * layout.groups
        self._hashes: dict[int, tuple[int | None, int]] = dict.fromkeys(METERS, (None, 0))

    def feed(self, frame: Frame, inp: Sequence[int]) -> None:
        """Take a frame. inp: the inputs of the frame."""
        self.ticks += frame.elapsed_ticks
        fresh_group = frame.fresh.find(1)
        while 0 <= fresh_group < len(self._fresh_at):
            self._fresh_at[fresh_group] = self.ticks
            fresh_group = frame.fresh.find(1, fresh_group + 1)
        for group, hash_index in METERS.items():
            if frame.fresh[group] and inp[hash_index] != self._hashes[group][0]:
                self._hashes[group] = inp[hash_index], self.ticks

    def is_silent(self, group: int) -> bool:
        """True if the group is silent for the kernel."""
        return self.age_ticks(group) > self._budgets[group]

    def age_ticks(self, group: int) -> int:
        """Ticks since the last news of this group."""
        return self.ticks - self._fresh_at[group]

    def is_frozen(self, group: int) -> bool:
        """True if the meter is frozen for the kernel, also while off the grid."""
        return group in METERS and self.ticks - self._hashes[group][1] >= self._frozen_ticks


def behind(devices: Sequence[dict], inp: Sequence[int], heard: Heard, stage: tuple) -> list[str]:
    """Names of the devices (in the header) that are the cause of a stage.

    They are silent, frozen or faulty. A stage may begin one tick before a device counts as silent;
    then the device with the oldest values is the cause.
    """
    if stage[m.S_SCOPE] != s.CABINET:
        return []
    known = [device for device in devices if device["role"] in s.CABINET_GROUPS]
    names = {s.CABINET_GROUPS.index(device["role"]): device["name"] for device in known}
    feature = stage[m.S_FEATURE]
    watched = [group for group in WATCHED.get(feature, ()) if group in names]
    causes = {group for group in watched if heard.is_silent(group)}
    if feature == m.F_METER_FROZEN_MS:
        causes |= {group for group in METERS if heard.is_frozen(group)}
    if feature in WITH_FAULT:
        answering = [group for group in DETECTORS if not heard.is_silent(group)]
        causes |= {group for group in answering if not inp[DETECTORS[group]]}
    if watched and not causes:
        causes = {max(watched, key=heard.age_ticks)}
    return [names[group] for group in sorted(causes & names.keys())]


def named(sentence: str, devices: Sequence[str]) -> str:
    """The sentence of a row after the names of the devices that cause the row."""
    return f"{', '.join(devices)}: {sentence}"
