"""The path from a change of the load to the battery: each part by hand, and what follows."""

import pytest

from controller.config import bus_times, configuration, families, track_path
from controller.core.image import ProcessImage
from controller.sites import FOLDER

CHARACTER_US = {9600: 1e7 / 9600, 38_400: 1e7 / 38_400, 115_200: 1e7 / 115_200}
NEAR = 0.003  # ms: each frame is rounded up to whole us
WIRE = "/dev/serial/by-path/platform-xhci-usb-0:1.5:1.0-port0"
ONE_BUS = (
    ("site", '[bus.meter_load]\nkind = "rtu"\nbaud_Bd = 115200\n', ""),
    ("site", "baud_Bd = 115200\n[device", "baud_Bd = 38400\n[device"),
    ("site", "firebreak_fast_meter", "sdm630"),
    ("site", 'bus = "meter_load"', 'bus = "meter_grid"'),
    ("cabinet", f'[bus.meter_load]\nport = "{WIRE}"\n', ""),
)


def with_sdm630(files):
    """Both meters of the example as SDM630 on one bus of 38 400 Bd."""
    for layer, old, new in ONE_BUS:
        files.replace(layer, old, new)
    return files


def parts_ms(config):
    """{part: (least, typical, most)} in ms."""
    found = track_path.path_delay(config)
    return {part.what: tuple([part[column] / 1000 for column in (1, 2, 3)]) for part in found}


def near(*values_ms):
    return pytest.approx(values_ms, abs=NEAR)


# the longest exchange on bus pcs: 13 registers of model 704 are read back
IN_FLIGHT_MS = (8 + 5 + 2 * 13) * CHARACTER_US[115_200] / 1000 + 5 + 1.75
SETPOINT_MS = 13 * CHARACTER_US[115_200] / 1000
CONVERTER = {"dead time": (60, 60, 60), "ramp": (0, 10, 50)}


def test_each_part_with_the_fast_meter(files):
    """One read: 57 characters and a turn-around of 2 ms, whole 1 ms before the tick."""
    found, read_ms = parts_ms(files.load()), 2 + 57 * CHARACTER_US[115_200] / 1000 + 1
    expected = {"hold": (0, 10, 20), "meter window": (10, 10, 10), "meter wait": (0, 10, 20)}
    expected |= {"bus meter_load": near(read_ms, read_ms, read_ms), "tick": (0, 1, 20)}
    expected |= {"bus pcs": near(SETPOINT_MS, SETPOINT_MS, SETPOINT_MS + IN_FLIGHT_MS)}
    assert found == expected | CONVERTER
    assert list(found) == [*expected, *CONVERTER]
    typical_ms = sum([each[1] for each in found.values()])
    assert typical_ms == pytest.approx(110.08, abs=0.01)


def test_each_part_with_an_sdm630(files):
    """36 registers at 38 400 Bd: 77 characters and a turn-around of 10 ms."""
    config = with_sdm630(files).load()
    found, read_ms = parts_ms(config), 10 + 77 * CHARACTER_US[38_400] / 1000 + 1
    assert found["hold"] == (0, 50, 100) and found["meter window"] == (50, 50, 50)
    assert found["meter wait"] == (0, 50, 100)
    # the energies of the other meter, 10 s apart, may cost a tick
    assert found["bus meter_grid"] == near(read_ms, read_ms, read_ms + 20)
    times_us = track_path.totals_us(track_path.path_delay(config))
    assert [time_us / 1000 for time_us in times_us] == pytest.approx([142.2, 253.2, 442.3], abs=0.1)
    control = config.control
    assert (control["track_sample_ms"], control["track_path_delay_ms"]) == (100, 253)
    assert (control["track_path_delay_ms_min"], control["track_path_delay_ms_max"]) == (113, 531)


def test_a_meter_that_is_not_read_in_phase_waits_half_a_tick(pylontech):
    """250 ms are 12.5 ticks of 20 ms. No load meter: tracking follows the grid meter."""
    found = parts_ms(pylontech.load())
    read_ms = 10 + 77 * CHARACTER_US[9600] / 1000
    all_ms = 85 * CHARACTER_US[9600] / 1000 + 10
    gap_ms = 3.5 * CHARACTER_US[9600] / 1000
    slow_ms = 25 * CHARACTER_US[9600] / 1000 + 10 + gap_ms  # the read of the energies
    latest_ms = all_ms + gap_ms - 8 * CHARACTER_US[9600] / 1000 + 20 + slow_ms
    assert found["bus meter"] == near(read_ms, read_ms + 10, latest_ms)
    assert found["hold"] == (0, 125, 250) and found["meter wait"] == (0, 50, 100)
    # a set-point each 100 ms: up to 80 ms more than with one in each tick
    frame_ms = 13 * CHARACTER_US[38_400] / 1000
    assert found["bus pcs"][:2] == near(frame_ms, frame_ms + 40)


def test_device_on_the_meter_bus_may_cost_a_tick(files):
    files.replace("type", 'bus = "gas"\nunit_id = 8', 'bus = "meter_load"\nunit_id = 8')
    least_ms, typical_ms, most_ms = parts_ms(files.load())["bus meter_load"]
    assert (typical_ms, most_ms) == near(least_ms, least_ms + 20)


def phases_us(config):
    image = ProcessImage(config.layout(), config.site_devices)
    return bus_times.meter_phases(config, families.build(config, image))


def test_each_reply_is_whole_one_millisecond_before_its_tick(files, pylontech):
    """65 characters and 2 ms, then 1 ms: due so long before a multiple of the tick."""
    lead_us = 2000 + 65 * CHARACTER_US[115_200] + 1000
    found = phases_us(files.load())
    assert found == pytest.approx({"meter_grid": -lead_us, "meter_load": -lead_us}, abs=3)
    assert phases_us(pylontech.load()) == {}, "its period is not a whole number of ticks"
    # on one bus the load meter is read last, the grid meter one exchange before
    found = phases_us(with_sdm630(files).load())
    own_us = 85 * CHARACTER_US[38_400] + 10_000
    assert found["meter_load"] == pytest.approx(-own_us - 1000, abs=3)
    assert found["meter_grid"] == pytest.approx(-2 * own_us - 1750 - 1000, abs=5)


def test_the_power_of_a_meter_of_two_reads_is_as_young_as_of_one(files):
    """Power factors and frequency, read apart, go first: 29 characters, 2 ms and the gap."""
    more = "refresh_ms = 20\nregisters_per_read_max = 18"
    config = files.with_profile("firebreak_fast_meter", "refresh_ms = 20", more).load()
    read_ms = 2 + 41 * CHARACTER_US[115_200] / 1000 + 1
    assert parts_ms(config)["bus meter_load"] == near(read_ms, read_ms, read_ms)
    lead_us = 2000 + 49 * CHARACTER_US[115_200] + 1000
    lead_us += 29 * CHARACTER_US[115_200] + 2000 + 1750
    assert phases_us(config)["meter_load"] == pytest.approx(-lead_us, abs=5)


def test_a_slower_grid_meter_beside_a_fast_load_meter(files):
    """The measured delay goes through the grid meter, whose values are older."""
    difference = "meter_delay_difference_ms"
    assert files.load().control[difference] == 0
    meter = 'role = "meter_grid"\nprofile = "{}"'.format
    files.replace("site", meter("firebreak_fast_meter"), meter("sdm630"))
    # window, wait and hold 40 ms each; 20 characters and 8 ms of turn-around more
    assert files.load().control[difference] == -130
    files.replace("site", "grid_export_W_max = 0", f"grid_export_W_max = 0\n{difference} = 7")
    assert files.load().control[difference] == 7


METER_LOAD = 'role = "meter_load"'


def test_capacitors_behind_the_load_meter_shorten_its_path(files):
    """54 J per kW are a lag of 54 ms, which the path to the grid meter does not have."""
    plain = files.load()
    files.replace("site", METER_LOAD, f"{METER_LOAD}\nbuffer_J_per_kW = 54")
    config = files.load()
    assert parts_ms(config)["capacitors"] == (-54, -54, -54)
    for key, less in (("", 54), ("_min", 43), ("_max", 65)):  # a fifth more at the bounds
        name = f"track_path_delay_ms{key}"
        assert max(20, plain.control[name] - less) == config.control[name]
    assert config.control["meter_delay_difference_ms"] == -54


@pytest.mark.parametrize("role, J_per_kW", [("load", 91), ("load", 0), ("grid", 54)])
def test_capacitors_that_no_path_has_are_refused(files, role, J_per_kW):
    meter = METER_LOAD.replace("load", role)
    files.replace("site", meter, f"{meter}\nbuffer_J_per_kW = {J_per_kW}")
    words = {91: "allowed at most 90, as", 0: "allowed 1..1000", 54: "buffer_J_per_kW"}
    said = files.refusal()
    assert words[J_per_kW] in said and "\n" not in said


def test_the_short_path_of_the_fast_cabinet():
    """10 ms of window and hold, 0 to 10 of wait, 3.6 of both buses, 1 of tick, 20 dead, 10 ramp."""
    config = configuration.load(FOLDER / "fast" / "cabinet.toml")
    found = parts_ms(config)
    assert (found["hold"], found["meter window"]) == ((0, 5, 10), (5, 5, 5))
    assert (found["dead time"], found["ramp"]) == ((20, 20, 20), (0, 10, 50))
    median_us, late_us = track_path.phases_us(track_path.path_delay(config))
    assert (median_us / 1000, late_us / 1000) == pytest.approx((49.7, 54.3), abs=0.1)
    assert median_us / 1000 <= 55 and late_us / 1000 <= 60
    assert config.control["track_path_delay_ms"] == 50 and config.control["track_sample_ms"] == 10


@pytest.mark.parametrize(
    "spreads_us, late_us", [((0,), 0), ((10_000,), 4500), ((10_000, 10_000), 6840)]
)
def test_the_late_end_of_even_spreads(spreads_us, late_us):
    """One: 0.45 of its width. Two: the corner that holds 5 % of the square."""
    parts = [track_path.PathPart("x", 0, 50_000, 0, "", each) for each in spreads_us]
    median_us, found_us = track_path.phases_us(parts)
    assert median_us == 50_000 * len(parts)
    assert found_us - median_us == pytest.approx(late_us, abs=200)


@pytest.mark.parametrize(
    "role, key, value, part, found",
    [
        ("pcs", "dead_time_ms", 20, "dead time", (20, 20, 20)),
        ("pcs", "ramp_ms", 0, "ramp", (0, 0, 0)),
        ("meter_load", "refresh_ms", 40, "meter window", (20, 20, 20)),
        ("meter_load", "turnaround_ms", 5, "bus meter_load", near(10.948, 10.948, 10.948)),
    ],
)
def test_a_device_states_a_time_of_its_data_sheet(files, role, key, value, part, found):
    layer = "type" if role == "pcs" else "site"
    files.replace(layer, f'role = "{role}"\n', f'role = "{role}"\n{key} = {value}\n')
    assert parts_ms(files.load())[part] == found


@pytest.mark.parametrize("role, key", [("pcs", "refresh_ms"), ("meter_grid", "ramp_ms")])
def test_a_time_of_another_role_is_refused(files, role, key):
    layer = "type" if role == "pcs" else "site"
    files.replace(layer, f'role = "{role}"\n', f'role = "{role}"\n{key} = 20\n')
    assert f"{key}: is not a key of a device with role {role}" in files.refusal()
