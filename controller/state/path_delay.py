"""Path delay: from a change of the load to the battery's answer, as load tracking uses it."""

from controller.core.policies import meter_sign, path_delay
from controller.journal.snapshot import Shadow
from controller.state.base import Facts

# in the order of the codes of meter_sign.O_DELAY_SOURCE
SOURCES = ("nominal", "measured", "stored", "not believed")


def facts(shadow: Shadow) -> Facts:
    """{used_ms, source: one of SOURCES, found_ms, nominal_ms, believed_ms: [lowest, highest]}."""
    first, settings = shadow.core.out_at[meter_sign.MeterSign.NAME], shadow.core.settings
    found_ms = shadow.out[first + meter_sign.O_DELAY_MS]
    source = shadow.out[first + meter_sign.O_DELAY_SOURCE]
    nominal_ms = settings["track_path_delay_ms"]
    is_used = source in path_delay.USED
    low_ms, high_ms = settings["track_path_delay_ms_min"], settings["track_path_delay_ms_max"]
    return {
        "used_ms": found_ms if is_used else nominal_ms,
        "source": SOURCES[source],
        "found_ms": found_ms or None,
        "nominal_ms": nominal_ms,
        "believed_ms": [low_ms, high_ms],
    }
