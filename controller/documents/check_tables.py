"""The tables of `firebreak check` that a refused file has too: peak shaving and the buses.

Then also the worst case of a stop, part by part, which follows from the buses.
"""

from collections.abc import Iterable, Iterator, Sequence

from controller.config import bus_times
from controller.config.bus_times import Exchange
from controller.config.configuration import Config
from controller.core.parameters import SHARE
from controller.core.policies.peak_shaving import OFF_W
from controller.documents.document import wrapped
from controller.system.paths import ascii_only


def tables(config: Config, left_out: Sequence[str] = ()) -> str:
    """Peak shaving and the load of the buses. left_out: keys that do not count."""
    head = (
        f"REFUSED. What it says all the same{', without ' * bool(left_out)}{', '.join(left_out)}:"
    )
    lines = [head, *peak_shaving(config), *buses(config, bus_times.schedule(config))]
    return ascii_only("\n".join(lines))


def peak_shaving(config: Config) -> Iterator[str]:
    """The limit of the mean import, and how long the battery can keep it."""
    control = config.control
    limit_W, share = control["peak_import_W_max"], control[SHARE]
    yield from ("", "PEAK SHAVING")
    if limit_W >= OFF_W:
        yield "  off: control.peak_import_W_max is not set"
        return
    rated_W = sum([each["rated_W"] for each in config.unit_tables])
    kept = control["soc_reserve_backup_permille"]
    usable_Wh = control["energy_Wh"] * (1000 - kept) // 1000
    part = "" if share == 1000 else f"; {share} permille of it is this cabinet's"
    yield (
        f"  import   at most {limit_W / 1000:g} kW as the mean of {control['peak_interval_s']} s "
        f"by the clock{part}"
    )
    yield (
        f"  battery  {rated_W / 1000:g} kW for {usable_Wh / rated_W:.1f} h, from full down to the "
        f"backup reserve of {kept} permille"
    )


def buses(config: Config, schedule: dict[str, list[Exchange]]) -> Iterator[str]:
    """The cyclic exchanges of each bus and how busy they keep it."""
    more = "times include turn-around and gaps; a stop is sent first"
    yield from ("", f"BUSES (cyclic messages; {more})")
    for bus in config.buses:
        busy_pct = bus_times.utilisation_permille(schedule[bus.name]) / 10
        speed = f"{bus.bitrate_bps} bit/s" if bus.kind == "can" else ""
        speed = speed or (
            "Modbus TCP" if bus.kind == "tcp" else f"{bus.baud_Bd} Bd {bus.characters}"
        )
        allowed_pct = bus_times.UTILISATION_PERMILLE_MAX // 10
        port = bus.port or bus.address or f"{bus.interface} {bus.channel}"
        yield from wrapped(
            f"  {bus.name}: ", f"{speed}, {busy_pct:.1f} % busy (allowed {allowed_pct} %), {port}"
        )
        for each in schedule[bus.name]:
            yield (
                f"    {each.device[:15]:15} {each.what:18} {each.frames:3} x "
                f"{each.time_us / 1000:7.2f} ms every {each.period_us / 1000:7g} ms"
            )


def latencies(config: Config, schedule: dict[str, list[Exchange]]) -> Iterator[str]:
    """The worst case of a stop, part by part."""
    parts = bus_times.stop_latency(config, schedule)
    what = "WORST CASE, E-STOP CONTACT TO THE BYTES THAT DROP THE PERMIT"
    yield from ("", f"{what} (all devices answering)")
    for part in parts:
        yield from wrapped(f"  {part.what:12} {part.time_us / 1000:7.2f} ms  ", part.basis)
    yield f"  {'sum':12} {_sum_ms(parts):7.2f} ms"
    for unit in range(config.units):
        total_ms = _sum_ms(bus_times.pcs_stop_latency(config, schedule, unit))
        yield f"  to the last byte of the stop frame of PCS {unit + 1}: {total_ms:.2f} ms"
    yield from wrapped(
        "  ",
        "The hard-wired chain (E-stop, 25 % gas relay) waits for none of these parts. Not counted: "
        "a tick that is late, a device that does not answer, the contactor itself.",
    )


def _sum_ms(parts: Iterable[bus_times.Latency]) -> float:
    return sum([part.time_us for part in parts]) / 1000
