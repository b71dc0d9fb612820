"""The numbers behind a limit: they multiply out to it, and every limit has words."""

import pytest
from watched import Watched, action

from controller.console.pages import causes
from controller.core import reasons
from controller.state import base, limits
from safety import bounds, tapers


def narrowed(folder, current_A):
    watched = Watched(folder, lambda t_s: 450_000.0 if t_s > 15 else 300_000.0).run(14.0)
    bms = watched.rig.cabinet.devices["bms_3"]
    bms.overrides["LIMITS.discharge_current_max"] = current_A
    return watched.run(17.0).facts("why")


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


def test_a_limit_of_zero_is_zero_and_is_named(tmp_path):
    """CCL = 0 means 0 (dbus-serialbattery issues 107, 297, 445); its reason is the BMS."""
    facts = narrowed(tmp_path, 0.0)
    assert (facts["setpoint_W"], facts["binding"]["code"], facts["cause"]["limit_W"]) == (0, 217, 0)


def test_a_limit_that_rises_again_says_how_fast(tmp_path):
    """Recovery is slow on purpose (Battery-Emulator #2607): the rating is not what holds back."""
    high = Watched(tmp_path).run(4).facts("why")["limits"]
    cause = high["high_cause"]
    rising = cause["recovering"]
    assert rising["now_W"] == high["high_W"] < rising["to_W"] == 250_000
    assert rising["W_per_s"] == 12_500 and "rises again by 12.5 kW/s" in causes.sentences(cause)
    assert causes.remedy(high["high_reason"], cause).startswith("Nothing: it rises")


def test_an_interlock_that_stops_names_its_rows(tmp_path):
    found = Watched(tmp_path, actions=[action(10, "estop_press")]).run(10.2).facts("why")["limits"]
    cause, reason = found["high_cause"], found["high_reason"]
    assert (reason["code"], cause["kind"]) == (231, "stop")
    assert [row["stage"] for row in cause["rows"]] == ["1a", "1b"]
    assert causes.sentences(cause).startswith("Row 1a emergency stop (cabinet)")
    assert "Find out why it was pressed" in causes.remedy(reason, cause)
    stop = [action(9, "run_request", on=False)]
    facts = Watched(tmp_path, lambda t_s: 450_000.0, stop).run(9.1).facts("why")
    cause = facts["limits"]["high_cause"]
    assert cause["rows"] == []
    assert causes.sentences(cause) == "A controlled stop: the cabinet is stopping."


CONTROL = "RESERVE_SOFT RESERVE_HARD GRID_IMPORT GRID_EXPORT SETPOINT_RAMP".split()


def test_every_limit_has_numbers_and_words_at_any_time(tmp_path):
    """Also while nothing is heard or joined yet: no number is made up."""
    silent = action(12.1, "device_fault", device="bms_2", fault="silent")
    watched = Watched(tmp_path, actions=[silent])
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
def test_a_reserve_says_what_is_kept(tmp_path, soc, stage, label):
    """The load rises by less than the connection allows, so nothing obliges the battery."""
    watched = Watched(tmp_path, lambda t_s: 390_000.0 if t_s > 12 else 300_000.0, soc=soc)
    facts = watched.run(12.4).facts("why")
    found = {each: facts[each]["high_reason"]["label"] for each in ("caps", "limits")}
    cause = facts[stage]["high_cause"]
    assert found[stage] == label and cause["is_reached"]
    assert cause["soc_permille"] <= cause["reserve_permille"] < cause["opens_at_permille"]
    assert "kept are" in causes.sentences(cause)


def test_without_takes_away_one_bound_and_no_other(tmp_path):
    """Load beyond both import limits: a source's fallback obliges to more than the connection."""
    watched = Watched(tmp_path, lambda t_s: 600_000.0 if t_s > 24 else 300_000.0, soc=0.15)
    facts = watched.run(34).facts("why")
    assert facts["binding"]["code"] == reasons.GRID_CAP_HINT
    hinted, connected = facts["obligations"]["standing"]
    assert facts["setpoint_W"] == hinted["low_W"] > connected["low_W"] > 95_000
    following = base.reason(reasons.GRID_IMPORT)
    assert facts["without"] == {"setpoint_W": connected["low_W"], "next": following}
    (entry,) = facts["cause"]["hints"]
    assert (entry["source"], entry["state"], entry["value_W"]) == ("site_ems", "fallback", 450_000)
