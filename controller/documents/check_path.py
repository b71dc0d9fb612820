"""The path of load tracking, as `firebreak check` shows it: its parts, and the stored delay."""

from collections.abc import Iterable, Iterator

from controller.config import path_identity, track_path
from controller.config.bus_times import Exchange
from controller.config.configuration import Config
from controller.documents.document import wrapped
from controller.store import stored_record, two_copies


def stored_ms(config: Config, state_directory: str) -> int:
    """The path delay, ms, that a controller stored. 0: none, or this user may not read it."""
    record = two_copies.Store(state_directory).load().record
    return stored_record.delay_of(record.path_delay, path_identity.of(config)) if record else 0


def lines(config: Config, schedule: dict[str, list[Exchange]], measured_ms: int) -> Iterator[str]:
    """The path, part by part, and the delays that load tracking accepts; see stored_ms."""
    parts, control = track_path.path_delay(config, schedule), config.control
    of_value = [part for part in parts if part.what != track_path.HOLD]
    yield from ("", "PATH OF LOAD TRACKING, CHANGE OF THE LOAD TO POWER OF THE BATTERY (ms)")
    yield f"  {'':18} {'least':>7} {'typical':>7} {'most':>7}"
    for part in parts:
        times = _columns((part.least_us, part.typical_us, part.most_us))
        yield from wrapped(f"  {part.what[:18]:18} {times}  ", part.basis)
    yield f"  {'sum':18} {_columns(track_path.totals_us(parts))}"
    totals = _columns(track_path.totals_us(of_value))
    yield f"  {'of one value':18} {totals}  the sum without {track_path.HOLD}"
    yield from wrapped(
        "  ",
        f"Load tracking uses a delay of {control[track_path.DELAY]} ms and a new value every "
        f"{control[track_path.SAMPLE]} ms. It accepts a measured delay from "
        f"{control[track_path.DELAY_MIN]} to {control[track_path.DELAY_MAX]} ms.",
    )
    yield _stored(control, measured_ms)


def _stored(control: dict[str, int], measured_ms: int) -> str:
    words = "Each start measures the delay;"
    if not measured_ms:
        return f"  {words} no measured delay of this path is stored."
    is_accepted = control[track_path.DELAY_MIN] <= measured_ms <= control[track_path.DELAY_MAX]
    more = "." if is_accepted else ", outside this range and not used."
    return f"  {words} stored: {measured_ms} ms{more}"


def _columns(times_us: Iterable[float]) -> str:
    return " ".join([f"{time_us / 1000:7.1f}" for time_us in times_us])
