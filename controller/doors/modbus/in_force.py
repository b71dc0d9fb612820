"""Fills models 704 and 715 with the values in force for a source, never those it asked for."""

from collections.abc import Mapping
from typing import NamedTuple

from controller.doors.feed import Facts
from controller.doors.modbus.controls import FULL, HEARTBEAT, LIMIT, SET, Controls, Group
from controller.doors.modbus.image import Value

LASTING = ("valid", "resting")


class InForce(NamedTuple):
    """A value in force. is_on: True for a hint, False for a fallback. left_s: time to its end."""

    value_W: int
    is_on: bool
    left_s: int
    fallback_W: int | None


def of(state: Facts, source: str | None, quantity: str) -> InForce | None:
    """The value in force for a quantity of a source, or None."""
    for hint in state["hints"]:
        if (hint["source"], hint["quantity"]) == (source, quantity):
            value_W, is_on = hint["value_W"], hint["state"] in LASTING
            if quantity == "power_W":
                value_W = _reached_W(state, source, value_W)
            return InForce(value_W, is_on, hint["valid_s"], hint["fallback_W"])
    return None


def _reached_W(state: Facts, source: str | None, value_W: int) -> int:
    """The part of a request that is in force; 0 if another source is in control."""
    if state["binding_sources"]["control"] != source:
        return 0
    return int(min(max(value_W, state["available_low_W"]), state["available_high_W"]))


def newest(state: Facts, began_s: float, controls: Controls, quantity: str) -> InForce | None:
    """The answer of the loop if it is newer than the state, otherwise the result of `of`.

    began_s: when the reading of the state began.
    """
    of_state = of(state, controls.shared.name, quantity)
    answered_s, value_W, left_s = controls.shared.answers.get(quantity, (0.0, None, 0))
    if answered_s < began_s:
        return of_state
    if value_W is None:
        return None
    return InForce(value_W, left_s > 0, left_s, of_state.fallback_W if of_state else None)


def enabled(state: Facts, began_s: float, controls: Controls) -> set[Group]:
    """The groups that have a hint in force."""
    in_force = {
        group: newest(state, began_s, controls, group.quantities[-1]) for group in (LIMIT, SET)
    }
    return {group for group, value in in_force.items() if value and value.is_on}


def points(
    state: Facts, began_s: float, controls: Controls | None, valid_s: int
) -> dict[str, Value]:
    """The points for a master. A client without a source gets those of the sources that bind."""
    if controls is None:
        binding = state["binding_sources"]
        limit = of(state, binding["discharge_W_max"], LIMIT.quantities[-1])
        request = of(state, binding["control"], SET.quantities[-1])
        return _shown(state["rated_W"], limit, request, {}, valid_s)
    request = newest(state, began_s, controls, SET.quantities[-1])
    limits = [newest(state, began_s, controls, quantity) for quantity in LIMIT.quantities]
    # Both directions share one register. It shows the wider limit, or none if a direction has no
    # limit.
    known = [limit for limit in limits if limit is not None]
    limit = max(known, key=lambda limit: limit.value_W) if len(known) == len(limits) else None
    shown = _shown(state["rated_W"], limit, request, controls.stored, valid_s)
    return {**shown, HEARTBEAT: controls.heartbeat}


def _shown(
    rated_W: int,
    limit: InForce | None,
    request: InForce | None,
    stored: Mapping[str, int],
    valid_s: int,
) -> dict[str, Value]:
    is_set = request is not None and request.is_on
    fallback_W = limit.fallback_W if limit else None
    return {
        "704.WMaxLimPctEna": int(limit is not None),
        "704.WMaxLimPct": _percent(limit.value_W, rated_W)
        if limit
        else _written(stored, "WMaxLimPct"),
        "704.WMaxLimPctRvrt": None if fallback_W is None else _percent(fallback_W, rated_W),
        "704.WMaxLimPctEnaRvrt": int(fallback_W is not None),
        "704.WMaxLimPctRvrtTms": _written(stored, "WMaxLimPctRvrtTms") or valid_s,
        "704.WMaxLimPctRvrtRem": limit.left_s if limit else 0,
        "704.WSetEna": int(is_set),
        "704.WSetMod": _written(stored, "WSetMod"),
        "704.WSet": request.value_W if request and is_set else _written(stored, "WSet"),
        "704.WSetPct": _percent(request.value_W, rated_W)
        if request and is_set
        else _written(stored, "WSetPct"),
        "704.WSetRvrtTms": _written(stored, "WSetRvrtTms") or valid_s,
        "704.WSetRvrtRem": request.left_s if request and is_set else 0,
    }


def _written(stored: Mapping[str, int], name: str) -> int | None:
    return stored.get(f"704.{name}")


def _percent(value_W: int, rated_W: int) -> int | None:
    """The power in hundredths of a percent of the rating, at most 100 %."""
    if not rated_W:
        return None
    part = (abs(value_W) * FULL + rated_W // 2) // rated_W
    return min(FULL, part) * (1 if value_W > 0 else -1)
