"""Path delay of load tracking, as `firebreak check` shows it."""

from collections.abc import Iterator

from controller.record import store, stored_record
from controller.site import path_identity
from controller.site.config import Config


def stored_ms(config: Config, state_directory: str) -> int:
    """Path delay, ms, that a controller has measured on this path and stored; 0: none, or no store
    that this user may read.
    """
    record = store.Store(state_directory).load().record
    return stored_record.delay_of(record.path_delay, path_identity.of(config)) if record else 0


def lines(control: dict, measured_ms: int) -> Iterator[str]:
    """Nominal and measured path delay of load tracking."""
    low_ms, high_ms = control["track_path_delay_ms_min"], control["track_path_delay_ms_max"]
    yield from (
        "",
        "PATH DELAY OF LOAD TRACKING (each start measures it with the grid meter's test)",
    )
    yield f"  nominal  {control['track_path_delay_ms']:5} ms"
    if not measured_ms:
        yield "  measured     - (nothing stored for this path)"
        return
    is_believed = low_ms <= measured_ms <= high_ms
    words = "believed" if is_believed else "not believed: the nominal one is used"
    yield f"  measured {measured_ms:5} ms, {words} (range {low_ms} .. {high_ms} ms)"
