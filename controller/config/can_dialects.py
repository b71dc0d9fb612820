"""Finds the shipped profile of a BMS that fits the ids of the frames on a CAN bus."""

import functools
from collections.abc import Collection
from typing import NamedTuple

from controller.config import profiles
from controller.config.profile_form import CAN_BMS
from drivers import can_messages
from drivers.profile import FOLDER, shipped as shipped_names

NODES = range(16)  # nodes for which the ids of a profile with addresses are tried


class Dialect(NamedTuple):
    """The ids of one profile at one node."""

    name: str
    required: frozenset[int]
    known: frozenset[int]
    forbidden: frozenset[int]


names = functools.cache(shipped_names)  # profiles are numbered from 1, in the order of these names


@functools.cache
def shipped() -> tuple[Dialect, ...]:
    """The dialects of the shipped profiles of family can_bms."""
    dialects = []
    for name in names():
        text = (FOLDER / f"{name}.toml").read_text(encoding="ascii")
        if f'family = "{CAN_BMS}"' not in text:
            continue
        profile = profiles.load(name)
        stride, forbidden = profile.settings["node_stride"], profile.settings["forbidden"]
        for node in NODES if stride else (0,):
            ids = list(can_messages.ids(profile, node))
            required = frozenset(message.can_id for message in ids if message.is_required)
            known = frozenset(message.can_id for message in ids)
            dialects.append(Dialect(name, required, known, frozenset(forbidden)))
    return tuple(dialects)


def number_of(ids: Collection[int]) -> int:
    """The number of the profile that fits these ids best. 0 if none fits."""
    ids_heard = frozenset(ids)
    fitting = [
        dialect
        for dialect in shipped()
        if dialect.required <= ids_heard and not dialect.forbidden & ids_heard
    ]
    if not fitting:
        return 0
    best = max(fitting, key=lambda dialect: (len(dialect.required), len(dialect.known & ids_heard)))
    return names().index(best.name) + 1
