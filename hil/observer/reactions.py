"""Computes reaction times: from a cause on the observer's timeline to its effect."""

OFF, ON = "pcs_enable_off_sent", "pcs_enable_on_sent"
Timeline = list[tuple[int, str, str]]  # (us, event, detail)
COMMAND = "the command that drops the PCS enable"
# reaction: (cause, effect, event that ends the effect, text). The time runs from the first cause
# to the first effect after it.
REACTIONS = {
    "estop": ("estop_press", OFF, ON, f"E-stop pressed to {COMMAND}"),
    "estop_to_pcs_frame": (
        "estop_press",
        "pcs_stop_sent",
        "pcs_start_sent",
        "E-stop pressed to the stop frame of the PCS",
    ),
    "estop_bytes_to_permit": ("estop_1_open_seen", OFF, ON, f"E-stop read to {COMMAND}"),
    "estop_to_power_zero": (
        "estop_press",
        "power_zero",
        "power_flowing",
        "E-stop pressed to zero power",
    ),
    "pcs_silent": (
        "pcs_silent",
        OFF,
        ON,
        "last frame of the PCS to the command that drops its enable",
    ),
    "pcs_silent_open": (
        "pcs_silent",
        "contactor_open",
        "contactor_close",
        "last frame of the PCS to open contactors",
    ),
    "bms_ramp": (
        "bms_silent",
        "setpoint_zero_sent",
        "setpoint_sent",
        "last frame of the BMS to set-point zero",
    ),
    "bms_stop": ("bms_silent", OFF, ON, f"last frame of the BMS to {COMMAND}"),
    "bms_open": (
        "bms_silent",
        "contactor_open",
        "contactor_close",
        "last frame of the BMS to open contactors",
    ),
    "kill_pcs_enable": (
        "controller_kill",
        "pcs_enable_off",
        "pcs_enable_on",
        "controller killed to PCS enable off",
    ),
    "kill_contactor": (
        "controller_kill",
        "contactor_open",
        "contactor_close",
        "controller killed to open contactors",
    ),
}


def first(timeline: Timeline, name: str, from_us: int = 0) -> int | None:
    """Time of the first event of that name at or after from_us, us; None without such an event."""
    times_us = (time_us for time_us, event, _ in timeline if event == name and time_us >= from_us)
    return next(times_us, None)


def reaction_ms(timeline: Timeline) -> dict[str, float | None]:
    """{name: ms} for every entry of REACTIONS. None if cause or effect is missing, or if the effect
    was present before the cause: a later effect then has another cause.
    """
    return {name: _reaction_ms(timeline, *events) for name, (*events, _) in REACTIONS.items()}


def _reaction_ms(timeline: Timeline, cause: str, effect: str, undone: str) -> float | None:
    start_us = first(timeline, cause)
    if start_us is None:
        return None
    before = [name for time_us, name, _ in timeline if time_us < start_us]
    states = [name for name in before if name in (effect, undone)]
    end_us = first(timeline, effect, start_us)
    if end_us is None or not states or states[-1] == effect:
        return None
    return round((end_us - start_us) / 1000.0, 3)
