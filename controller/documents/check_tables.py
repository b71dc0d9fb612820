"""Makes the parts of `firebreak check` about peak shaving, profiles, buses, the worst case of an
emergency stop, the delay of load tracking, and the network.
"""

from collections.abc import Iterable, Iterator, Sequence

from controller.config import (
    approval,
    bus_times,
    can_profile,
    converters,
    maps,
    meter_profile,
    track_path,
    unit_access,
    wear_profile,
)
from controller.config.bus_times import Schedule
from controller.config.cabinet_config import Config
from controller.config.devices import METERS, Device, key_of_address
from controller.core.parameters import SHARE
from controller.core.policies.peak_shaving import OFF_W
from controller.core.tracking import strict
from controller.documents.document import wrapped
from controller.store import stored_record, two_copies
from controller.system.paths import ascii_only

# The test of a grid meter's direction was tried with the swinging load of the example site. It
# came to a result with a meter that has a new value each 250 ms, but not with 500 ms.
TESTED_MS = 250
RANGE = "range_5s_W_max"


def tables(config: Config, left_out: Sequence[str] = ()) -> str:
    """The text about a refused file. It has only the parts about peak shaving and buses. left_out:
    the refused keys, without which the file was read.
    """
    without = f", without {', '.join(left_out)}" if left_out else ""
    head = f"REFUSED. What it says all the same{without}:"
    lines = [head, *peak_shaving(config), *buses(config, bus_times.schedule(config))]
    return ascii_only("\n".join(lines))


def peak_shaving(config: Config) -> Iterator[str]:
    """Lines about the limit of the mean import, and how long the battery can keep this limit."""
    control = config.control
    limit_W, share = control["peak_import_W_max"], control[SHARE]
    yield from ("", "PEAK SHAVING")
    if limit_W >= OFF_W:
        yield "  off: control.peak_import_W_max is not set"
        return
    rated_W = sum(unit_table["rated_W"] for unit_table in config.unit_tables)
    reserve_permille = control["soc_reserve_backup_permille"]
    usable_Wh = control["energy_Wh"] * (1000 - reserve_permille) // 1000
    part = "" if share == 1000 else f"; {share} permille of it is this cabinet's"
    yield (
        f"  import   at most {limit_W / 1000:g} kW as the mean of {control['peak_interval_s']} s "
        f"by the clock{part}"
    )
    yield (
        f"  battery  {rated_W / 1000:g} kW for {usable_Wh / rated_W:.1f} h, from full down to the "
        f"backup reserve of {reserve_permille} permille"
    )


NO_SIGNATURE = (
    "Modbus TCP has no signature: whoever can answer in its place moves the battery within its "
    "limits; give it a network of its own"
)


def profiles(config: Config) -> Iterator[str]:
    """Lines about register maps that no captured reading proves, and about unstated facts."""
    yield from ("", "PROFILES OF THE DEVICES")
    yield from _map_only(config)
    for device in config.devices:
        notes = [*_of_meter(device)] if device.role in METERS else []
        notes += converters.words_of(config, device)
        if count := len(wear_profile.unstated(device.profile)):
            notes.append(f"its profile does not say of {count} writes whether they are stored")
        is_remote = device.bus in [bus.name for bus in config.buses if bus.kind == "tcp"]
        notes += can_profile.lacks(device.profile) if device.profile.signals else []
        notes += [NO_SIGNATURE] if is_remote and device.role in (*METERS, "pcs", "bms") else []
        for note in notes:
            yield from wrapped(f"  {device.name}: ", note)


def _map_only(config: Config) -> Iterator[str]:
    """Lines about devices whose register map no captured reading proves. They say which functions
    depend on the map, and who accepted it.
    """
    for name, devices in maps.map_only(config.devices).items():
        names = ", ".join(device.name for device in devices)
        yield from wrapped("  map only: ", f"{names}; {maps.NO_READING}")
        yield from wrapped("    on it depend ", maps.rests_on(devices))
        yield from wrapped(f"    not_fitted.{name}: ", config.topology.not_fitted[name])


def _of_meter(device: Device) -> Iterator[str]:
    """Lines about checks that are impossible with this meter, and about a slow grid meter."""
    yield from meter_profile.lacks(device.profile)
    sample_ms = track_path.sample_ms(device)
    if device.role == "meter_grid" and sample_ms > TESTED_MS:
        yield (
            f"a new value each {sample_ms} ms only: beside a load that swings the test of its "
            "direction stays undecided, and nothing is charged (row 50c)"
        )


def devices(config: Config) -> Iterator[str]:
    """Each device with its place. A column is as wide as its longest word."""
    rows = [("device", "role", "profile", "bus", "address", "period")]
    for device in config.devices:
        role = device.role if device.index < 0 else f"{device.role} {device.index + 1}"
        address = str(device.address) if key_of_address(device.profile) else "-"
        period = f"{device.profile.period_ms} ms"
        rows.append((device.name, role, device.profile.path.stem, device.bus, address, period))
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        texts = [word.ljust(width) for word, width in zip(row[:4], widths)]
        numbers = [word.rjust(width) for word, width in zip(row[4:], widths[4:])]
        yield from wrapped(f"  {texts[0]}  ", "  ".join([*texts[1:], *numbers]))


def buses(config: Config, schedule: Schedule) -> Iterator[str]:
    """The cyclic exchanges of each bus and how busy they keep it."""
    remark = "times include turn-around and gaps; a stop is sent first"
    yield from ("", f"BUSES (cyclic messages; {remark})")
    for bus in config.buses:
        busy_pct = bus_times.utilisation_permille(schedule[bus.name]) / 10
        speeds = {
            "can": f"{bus.bitrate_bps} bit/s",
            "tcp": "Modbus TCP",
            "rtu": f"{bus.baud_Bd} Bd {bus.characters}",
        }
        allowed_pct = bus_times.UTILISATION_PERMILLE_MAX // 10
        port = bus.port or bus.address or f"{bus.interface} {bus.channel}"
        yield from wrapped(
            f"  {bus.name}: ",
            f"{speeds[bus.kind]}, {busy_pct:.1f} % busy (allowed {allowed_pct} %), {port}",
        )
        width = max([15, *[len(exchange.device) for exchange in schedule[bus.name]]])
        for exchange in schedule[bus.name]:
            yield (
                f"    {exchange.device:{width}} {exchange.what:18} {exchange.frames:3} x "
                f"{exchange.time_us / 1000:7.2f} ms every {exchange.period_us / 1000:7g} ms"
            )


def latencies(config: Config, schedule: Schedule) -> Iterator[str]:
    """The longest time from the emergency-stop contact to the frame that drops the permit, with its
    parts.
    """
    parts = bus_times.stop_latency(config, schedule)
    title = "WORST CASE, E-STOP CONTACT TO THE BYTES THAT DROP THE PERMIT"
    yield from ("", f"{title} (all devices answering)")
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
    return sum(part.time_us for part in parts) / 1000


def stored_ms(config: Config, state_directory: str) -> int:
    """The delay of load tracking that a controller has measured and stored, ms. 0 if no delay is
    stored, or if this user may not read the store.
    """
    record = two_copies.Store(state_directory).load().record
    return (
        stored_record.delay_of(record.path_delay, approval.path_identity(config)) if record else 0
    )


def path(config: Config, schedule: Schedule, measured_ms: int) -> Iterator[str]:
    """The delay from a change of the load to the power of the battery, with its parts, and the
    delays that load tracking accepts. measured_ms: the result of stored_ms.
    """
    parts, control = track_path.path_delay(config, schedule), config.control
    without_hold = [part for part in parts if part.what != track_path.HOLD]
    yield from ("", "PATH OF LOAD TRACKING, CHANGE OF THE LOAD TO POWER OF THE BATTERY (ms)")
    yield f"  {'':18} {'least':>7} {'typical':>7} {'most':>7}"
    for part in parts:
        times = _columns((part.least_us, part.typical_us, part.most_us))
        yield from wrapped(f"  {part.what[:18]:18} {times}  ", part.basis)
    yield f"  {'sum':18} {_columns(track_path.totals_us(parts))}"
    totals = _columns(track_path.totals_us(without_hold))
    yield f"  {'of one value':18} {totals}  the sum without {track_path.HOLD}"
    median_us, late_us = track_path.phases_us(parts)
    yield f"  {'at any phase':18} median {median_us / 1000:.1f}, p95 {late_us / 1000:.1f}"
    yield from wrapped(
        "  ",
        f"Load tracking uses a delay of {control[track_path.DELAY]} ms and a new value every "
        f"{control[track_path.SAMPLE]} ms. It accepts a measured delay from "
        f"{control[track_path.DELAY_MIN]} to {control[track_path.DELAY_MAX]} ms.",
    )
    yield _stored_line(control, measured_ms)


def range_5s(config: Config) -> Iterator[str]:
    """Lines about a rule that limits how much the grid power may vary in 5 s. They show which share
    of a load step the battery still follows under this rule.
    """
    allowed_W, delay_ms = (config.control[key] for key in (RANGE, track_path.DELAY))
    if allowed_W == strict.NO_RULE_W:
        return
    # If steps are at least 2 s apart, a delay changes a mean of 2 s by this percentage of the step.
    late_pct = delay_ms // 20
    yield from ("", f"RANGE IN 5 S THAT THE OPERATOR ALLOWS, {allowed_W / 1000:g} kW")
    yield f"  {'steps of the load, kW':24} {'followed, %':>12} {'2 s means, %':>13}"
    for tenths in (4, 5, 6, 7, 8):
        share_pct = 100 * strict.share(allowed_W, tenths * allowed_W // 10) // strict.ONE
        stays_pct = 100 - share_pct * (100 - late_pct) // 100
        yield f"  {tenths * allowed_W / 10_000:24.1f} {share_pct:12} {stays_pct:13}"
    yield from wrapped(
        "  ",
        f"Load tracking follows steps up and down that nobody foresees by this share. The last "
        f"column is the part of their change between means of 2 s that the grid keeps; without "
        f"the rule it keeps {late_pct} %. Movement whose following is proven is followed whole.",
    )


def _stored_line(control: dict[str, int], measured_ms: int) -> str:
    prefix = "Each start measures the delay;"
    if not measured_ms:
        return f"  {prefix} no measured delay of this path is stored."
    is_accepted = control[track_path.DELAY_MIN] <= measured_ms <= control[track_path.DELAY_MAX]
    remark = "." if is_accepted else ", outside this range and not used."
    return f"  {prefix} stored: {measured_ms} ms{remark}"


def _columns(times_us: Iterable[float]) -> str:
    return " ".join(f"{time_us / 1000:7.1f}" for time_us in times_us)


def network(config: Config) -> Iterator[str]:
    """The addresses that the service reaches, and how to allow them in its unit."""
    hosts, unknown = unit_access.addresses(config), unit_access.nameless(config)
    if not hosts:
        yield from ("", "NETWORK OF THE SERVICE: none")
        return
    yield from ("", "NETWORK OF THE SERVICE (its unit allows no other address)")
    for name, host in hosts.items():
        remark = (
            ": THE SERVICE CANNOT LOOK UP A NAME, give its IPv4 address" if name in unknown else ""
        )
        yield from wrapped(f"  {name}: ", f"{host}{remark}")
    yield from wrapped(
        "  ",
        f"sudo ./flash.sh install writes them into {unit_access.DROP_IN}. Without it: firebreak "
        f"check --drop-in FILE | sudo tee {unit_access.DROP_IN}; sudo systemctl daemon-reload",
    )
