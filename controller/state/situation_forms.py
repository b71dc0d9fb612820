"""The forms of a situation: the known state of a cabinet, from which a forecast begins."""

from typing import NamedTuple

from controller.core.base.schedule_table import Slot


class Peak(NamedTuple):
    """The present interval of peak shaving. margin_Ws: import that the account may have missed."""

    limit_W: int
    interval_s: int
    age_s: int
    used_Ws: float
    margin_Ws: float


class Connection(NamedTuple):
    """This cabinet's share of the connection. seen_W: recent imports with the battery at 0."""

    seen_W: tuple[int, ...]
    import_W_max: int
    import_reason: int
    export_W_max: int
    share_permille: int


class Battery(NamedTuple):
    """The battery. remaining_Wh: energy above the peaks reserve; taper_ddegC: temperatures at which
    it still has full power, and has none.
    """

    charge_W_max: int
    discharge_W_max: int
    discharge_reason: int
    rated_W: int
    remaining_Wh: int
    full_Wh: int
    reserve_permille: int
    soc_permille: int
    target_permille: int
    efficiency_permille: int
    hottest_ddegC: int
    taper_ddegC: tuple[int, int]


class Tracking(NamedTuple):
    """Load tracking. choice_W: (low, high) that the caps leave to it; base_W: power that a hint
    asks for; reference: words of tracking/reference.py.
    """

    choice_W: tuple[int, int]
    base_W: int
    is_requested: bool
    is_exact: bool
    reference: tuple[int, ...]
    energy_Wh: int
    energy_share_permille: int
    path_delay_ms: int
    base_s: int | None = None  # validity of base_W; None: no end
    base_source: str = ""


class LimitHint(NamedTuple):
    """A hint that limits a power: value_W counts while valid_s > 0, then the fallback. group: a
    group of hint_groups.
    """

    source: str
    quantity: str
    group: int
    value_W: int
    valid_s: int
    fallback_W: int | None


class Step(NamedTuple):
    """An announced step of the load; end_s: end of its notice."""

    start_s: int
    step_W: int
    end_s: int | None = None


class Situation(NamedTuple):
    """The known state of a cabinet; powers in W, > 0 discharges; times in s from now.

    unknown: texts about unknown values without which there is no answer. unknown_battery: texts
    about values that are only needed if the battery is needed. heard_s: time until the heartbeat of
    the schedule's source expires; None: never.
    """

    unknown: tuple[str, ...]
    unknown_battery: tuple[str, ...]
    connection: Connection
    battery: Battery
    tracking: Tracking
    peak: Peak | None
    slots: tuple[tuple[int, int, Slot], ...]
    steps: tuple[Step, ...]
    ramp_W_per_s: int  # ramp of a cap that falls before a slot with a lower cap
    hints: tuple[LimitHint, ...] = ()
    heard_s: int | None = None
    schedule_source: str = ""
