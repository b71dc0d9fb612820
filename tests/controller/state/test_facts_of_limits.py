"""The numbers behind a limit: they multiply out to it, and every limit has words."""

from types import SimpleNamespace

import pytest
from cabinet_bench import believed
from site_files import SiteFiles
from watched import EACH_20_MS, Watched, action, silent

from controller.console.pages import causes
from controller.core.base import reasons
from controller.core.kernel_readings import KernelReadings
from controller.core.policies import hint_outputs
from controller.state import base, limits, status, trend
from safety import bounds, matrix as m, rack_limits as rl, signals as s, tapers
from tests.tables import cases


def narrowed(folder, current_A):
    watched = Watched(folder, lambda t_s: 450_000.0 if t_s > 15 else 300_000.0).run(14.0)
    bms = watched.rig.cabinet.devices["bms_3"]
    bms.overrides["LIMITS.discharge_current_max"] = current_A
    return watched.run(16.0).facts("why")


def test_the_bms_limit_multiplies_out_to_its_power(tmp_path):
    """Amps of the weakest rack x racks x volts x losses (Battery-Emulator #1316)."""
    facts = narrowed(tmp_path, 36.4)
    cause, limit_W = facts["cause"], facts["setpoint_W"]
    assert (facts["binding"]["label"], cause["kind"]) == ("R217", "bms_current")
    assert (cause["rack"], cause["racks_online"], cause["is_rating"]) == (3, 3, False)
    amps_dA = cause["rack_current_mA"] // 100 * cause["sharing_permille"] // 1000
    power_W = tapers.scale_W(amps_dA * 3 * cause["voltage_V"] // 10, cause["efficiency_permille"])
    assert power_W == cause["limit_W"] == facts["limits"]["high_W"] == limit_W
    assert cause["cell"]["rack"] == 3 and 3000 < cause["cell"]["voltage_mV"] < 3400
    assert facts["without"] == {"setpoint_W": facts["request_W"], "next": None}
    words = causes.sentences(cause)
    assert "Rack 3 allows 36.4 A." in words
    assert f"= {power_W / 1000:.1f} kW at the AC terminals." in words


def test_a_bms_limit_of_zero_leaves_zero_and_is_named(tmp_path):
    """CCL = 0 means 0 (dbus-serialbattery issues 107, 297, 445); its reason is the BMS."""
    facts = narrowed(tmp_path, 0.0)
    assert (facts["setpoint_W"], facts["binding"]["code"], facts["cause"]["limit_W"]) == (0, 217, 0)


def test_a_recovering_limit_shows_its_rate(tmp_path):
    """A slow recovery, and not the rating, holds the power back (Battery-Emulator #2607)."""
    high = Watched(tmp_path, settings=EACH_20_MS).run(4).facts("why")["limits"]
    cause = high["high_cause"]
    rising = cause["recovering"]
    assert rising["now_W"] == high["high_W"] < rising["to_W"] == 250_000
    assert rising["W_per_s"] == 12_500 and "rises again by 12.5 kW/s" in causes.sentences(cause)
    assert causes.remedy(high["high_reason"], cause).startswith("Nothing: the limit rises")


def test_an_interlock_that_stops_names_its_rows(tmp_path):
    pressed = Watched(tmp_path, actions=[action(10, "estop_press")], settings=EACH_20_MS)
    found = pressed.run(10.2).facts("why")["limits"]
    cause, reason = found["high_cause"], found["high_reason"]
    assert (reason["code"], cause["kind"]) == (231, "stop")
    assert [row["stage"] for row in cause["rows"]] == ["1a", "1b"]
    assert causes.sentences(cause).startswith("Row 1a emergency stop (cabinet)")
    assert "Find out why it was pressed" in causes.remedy(reason, cause)
    stop = [action(9, "run_request", on=False)]
    stopped = Watched(tmp_path, lambda t_s: 450_000.0, stop, settings=EACH_20_MS)
    facts = stopped.run(9.1).facts("why")
    cause = facts["limits"]["high_cause"]
    assert cause["rows"] == []
    assert causes.sentences(cause) == "A controlled stop: the cabinet is stopping."


CONTROL = "RESERVE_PEAKS RESERVE_BACKUP GRID_IMPORT GRID_EXPORT SETPOINT_RAMP".split()


def test_every_limit_has_numbers_and_words_at_any_time(tmp_path):
    """Also before the first frame and without a connected rack: no number is invented."""
    watched = Watched(tmp_path, actions=[silent(12.1, "bms_2")])
    for at_s in (0.06, 1.0, 12.0):
        shadow = watched.run(at_s).shadow
        for codes in (reasons.KERNEL_CHARGE, reasons.KERNEL_DISCHARGE):
            for code, name in zip(codes, bounds.LIMITS):
                found = limits.cause(shadow, code)
                assert found["kind"] == name
                words = causes.sentences(found)
                assert words.endswith(".") and "None" not in words
        for name in CONTROL:
            assert causes.sentences(limits.cause(shadow, getattr(reasons, name))).endswith(".")
        assert limits.cause(shadow, reasons.LOAD_TRACKING) is None
    shadow = watched.run(13.3).shadow
    assert limits.cell(shadow, 1, 0) is None and limits.cell(shadow, 0, 0)["rack"] == 1


@pytest.mark.parametrize("soc, stage, label", [(0.15, "caps", "R402"), (0.10, "limits", "R241")])
def test_a_reserve_shows_its_numbers(tmp_path, soc, stage, label):
    """The load stays within the connection, so there is no obligation."""
    watched = Watched(tmp_path, lambda t_s: 390_000.0 if t_s > 12 else 300_000.0, soc=soc)
    facts = watched.run(12.4).facts("why")
    found = {each: facts[each]["high_reason"]["label"] for each in ("caps", "limits")}
    cause = facts[stage]["high_cause"]
    assert found[stage] == label and cause["is_reached"]
    assert cause["soc_permille"] <= cause["reserve_permille"] < cause["opens_at_permille"]
    assert "The reserve is" in causes.sentences(cause)


def test_without_removes_only_the_binding_bound(tmp_path):
    """The load exceeds both import limits; the fallback of the source needs more than the
    connection.
    """
    watched = Watched(tmp_path, lambda t_s: 600_000.0 if t_s > 24 else 300_000.0, soc=0.15)
    facts = watched.run(34).facts("why")
    assert facts["binding"]["code"] == reasons.GRID_CAP_HINT
    hinted, connected = facts["obligations"]["standing"]
    assert facts["setpoint_W"] == hinted["low_W"] > connected["low_W"] > 95_000
    following = base.reason(reasons.GRID_IMPORT)
    assert facts["without"] == {"setpoint_W": connected["low_W"], "next": following}
    (entry,) = facts["cause"]["hints"]
    assert (entry["source"], entry["state"], entry["value_W"]) == ("site_ems", "fallback", 450_000)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two converters, rack 1 alone behind the second one."""
    folder = tmp_path_factory.mktemp("two")
    files = SiteFiles(folder).two_units().say("type", "unit.2.rack_sharing_permille", 900)
    return Watched(
        folder, lambda t_s: 450_000.0 if t_s > 12 else 300_000.0, settings=believed(files.load())
    ).run(14)


def test_each_of_two_converters_has_its_own_numbers(two, monkeypatch):
    units = two.facts("why")["units"]
    assert [each["unit"] for each in units] == [1, 2] and units[1]["charge_W_max"] <= 100_000
    for each in units:
        values = [each[name] for name in ("setpoint_W", "read_back_W", "measured_W")]
        assert values == pytest.approx([each["sent_W"]] * 3, rel=0.01)
    assert units[0]["sent_W"] > 2 * units[1]["sent_W"] > 50_000
    assert base.battery_W(two.shadow) == sum([each["measured_W"] for each in units])
    assert [rack["unit"] for rack in two.facts("racks")["racks"]] == [2, 1, 1]
    names = "unit rack racks_online sharing_permille".split()
    for code in (216, 217):
        cause = limits.cause(two.shadow, code)
        assert [cause[name] for name in names] == [2, 1, 1, 900] and cause["limit_W"] <= 100_000
    first = two.shadow.layout.unit_group(0, s.G_PCS_MEASURE)
    monkeypatch.setattr(base, "is_known", lambda seen, group: group == first)
    assert base.unit_value(two.shadow, 1, s.PCS_POWER_W) is None


def test_the_reason_of_a_limit_is_that_of_the_unit_which_withholds_most(two):
    """Only the second one of two units is derated; its code names the limit of the cabinet."""
    core = two.shadow.core
    at, before = core.layout.unit_output, core.kernel.out[:]
    for unit, (limit_W, number) in enumerate(((250_000, 1), (50_000, bounds.L_DERATE))):
        core.kernel.out[at(unit, s.CHARGE_W_MAX)] = limit_W
        core.kernel.out[at(unit, s.CHARGE_REASON)] = number
    limit = KernelReadings(core.kernel, core.rated_W).limit()
    core.kernel.out[:] = before
    assert core.rated_W == [250_000, 100_000]
    assert (limit.charge_W_max, limit.charge_reason) == (300_000, 212 + 2 * bounds.L_DERATE)


def test_a_limit_is_explained_for_the_unit_that_it_binds(two, monkeypatch):
    """The racks of unit 2 allow less than those of unit 1, but its rating is still lower."""
    limits_W = {(0, bounds.L_BMS_CURRENT): 150_000, (1, bounds.L_BMS_CURRENT): 120_000}
    limits_W[1, bounds.L_PCS_RATED] = 100_000
    facts = type(two.shadow.core.facts)
    monkeypatch.setattr(
        facts, "limit_W", lambda _, unit, way, number: limits_W.get((unit, number), 200_000)
    )
    code = limits.CODES[1][bounds.L_BMS_CURRENT]
    assert limits.cause(two.shadow, code)["unit"] == 1


@pytest.mark.parametrize("way", (0, 1))
@cases("""number  word  unit  ends
    bounds.L_CELL_VOLTAGE_TAPER  rl.RL_CELL_VOLTAGE  "mV"  [(3500, 3600), (3000, 2800)]
    bounds.L_SOC_TAPER  rl.RL_SOC  "permille"  [(970, 1000), (30, 0)]
    bounds.L_TEMPERATURE_TAPER  rl.RL_TEMPERATURE  "ddegC"  [(350, 450), (450, 550)]
    bounds.L_TEMPERATURE_TAPER  rl.RL_TEMPERATURE  "ddegC"  [(100, 0), (-100, -200)]
    bounds.L_BMS_SILENCE  rl.RL_SILENCE  "ms"  [(500, 1000)] * 2""")
def test_the_rack_with_the_smallest_share_is_named_with_its_taper(
    two, number, word, unit, ends, way
):
    shadow, half = two.shadow, sum(ends[way]) // 2
    kernel, of_rack_3 = shadow.core.kernel, 2 * m.RACK_FEATURE_COUNT
    word += way * (unit != "ms")
    for rack, left_permille in enumerate((100, 500, 400)):
        kernel.bounds.rack_limit[rack * rl.RACK_LIMITS + word] = left_permille
    kernel.bounds.limit_W[way * bounds.LIMIT_COUNT + number] = 1  # of unit 1
    kernel.features.ages.oldest_ticks[3] = 40
    for feature, wanted in zip((m.F_TEMPERATURE_DDEGC_MAX, m.F_TEMPERATURE_DDEGC_MIN), (max, min)):
        kernel.features.value[kernel.features.rack_base + of_rack_3 + feature] = wanted(250, half)
    found = limits.cause(shadow, limits.CODES[way][number])
    assert (found["unit"], found["rack"], found["left_permille"]) == (1, 3, 400)
    assert (found[f"full_at_{unit}"], found[f"none_at_{unit}"]) == ends[way]
    assert found.get("module_ddegC", half) == half and found.get("age_ms", 800) == 800


def of_racks(monkeypatch, values):
    """A shadow of three racks; values: {index: of each rack}."""
    monkeypatch.setattr(base, "rack_value", lambda seen, rack, index: values[index][rack])
    core = SimpleNamespace(facts=SimpleNamespace(rack_parameter=lambda *_: 1))
    return SimpleNamespace(core=core, layout=SimpleNamespace(racks=3), chain=lambda index: index)


def test_racks_that_differ(monkeypatch):
    cells = {s.CELL_VOLTAGE_MV_MIN: (3300, 3290, 3280), s.CELL_POSITION_MIN: (0, 2 * 32 + 31, 0)}
    cells |= {s.CELL_VOLTAGE_MV_MAX: (3310, 3390, 3320), s.CELL_POSITION_MAX: (0, 5 * 32 + 7, 0)}
    seen = of_racks(monkeypatch, cells | {s.SOC_PERMILLE: (600, 420, 510)})
    names = "rack module cell voltage_mV spread_mV".split()
    found = [[limits.cell(seen, 1, way)[name] for name in names] for way in (0, 1)]
    assert found == [[2, 6, 8, 3390, 100], [2, 3, 32, 3290, 100]]
    assert limits._soc(seen) == {"soc_permille": 420, "rack": 2}
    hottest = [{"temperature_ddegC_max": ddegC} for ddegC in (250, 310, 280)]
    monkeypatch.setattr(trend.facts_of_racks, "temperatures", lambda seen, rack: hottest[rack])
    monkeypatch.setattr(base, "cabinet_value", lambda *_: 1)
    monkeypatch.setattr(base, "battery_W", lambda *_: 1)
    sample = list(trend.sample_of(seen).values())[6:]
    assert sample == [510, 3280, 3390, 310], "mean charge, lowest and highest cell, hottest module"
    seen = of_racks(monkeypatch, dict.fromkeys(cells, (1, 1, 1)) | {s.SOC_PERMILLE: (6, 5, None)})
    assert limits._soc(seen) == {"soc_permille": None, "rack": 3}
    assert trend.sample_of(seen)["soc_permille"] is None


@cases("""remaining_Wh  battery_W  left
    *((10_000, 999, (10_000, None)), (10_000, 1000, (10_000, 36_000)))
    *((-1, 5000, (None, None)), (10_000, None, (10_000, None)), (0, 5000, (0, 0)))""")
def test_the_time_to_the_reserve(monkeypatch, remaining_Wh, battery_W, left):
    outputs = {hint_outputs.O_REMAINING_WH: remaining_Wh}
    monkeypatch.setattr(status.hints, "table_outputs", lambda seen: outputs)
    monkeypatch.setattr(base, "battery_W", lambda seen: battery_W)
    monkeypatch.setattr(base, "cabinet_value", lambda *_: 1)
    found = status._power(None)
    assert (found["remaining_Wh"], found["reserve_in_s"]) == left


def test_a_silent_bms_leaves_no_temperature_behind_the_taper(tmp_path):
    watched = Watched(tmp_path, actions=[silent(5, "bms_1")], settings=EACH_20_MS)
    code = reasons.KERNEL_DISCHARGE
    for at_s, is_known in ((5, True), (5.8, False)):
        found = limits.cause(watched.run(at_s).shadow, code[bounds.L_TEMPERATURE_TAPER])
        assert (found["rack"], found["module_ddegC"] is not None) == (1, is_known)
    assert "module - C" in causes.sentences(found)
