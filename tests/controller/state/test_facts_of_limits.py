"""The numbers behind a limit: they multiply out to it, they name the rack that decides, and every
limit has words.
"""

import pytest
from watched import Watched, action, of_scenario

from controller.console.pages import causes
from controller.core import reasons
from controller.state import base, limits
from safety import bounds, tapers


def narrowed(folder, **override):
    """Running, then rack 3's BMS tells something else."""
    watched = Watched(folder, lambda t_s: 450_000.0 if t_s > 15 else 300_000.0).run(14.0)
    watched.rig.cabinet.devices["bms_3"].overrides.update(
        {name.replace("__", "."): value for name, value in override.items()}
    )
    return watched.run(17.0)


def test_the_bms_limit_multiplies_out_to_the_power_it_leaves(tmp_path):
    """As in the draft of the page: amps of the weakest rack x racks x volts x losses
    (Battery-Emulator #1316).
    """
    watched = narrowed(tmp_path, LIMITS__discharge_current_max=36.4)
    facts = watched.facts("why")
    assert facts["binding"]["label"] == "R217"
    cause = facts["cause"]
    assert (cause["kind"], cause["rack"], cause["racks_online"], cause["is_rating"]) == (
        "bms_current",
        3,
        3,
        False,
    )
    amps_dA = cause["rack_current_mA"] // 100 * cause["sharing_permille"] // 1000
    power_W = tapers.scale_W(amps_dA * 3 * cause["voltage_V"] // 10, cause["efficiency_permille"])
    assert power_W == cause["limit_W"] == facts["limits"]["high_W"] == facts["setpoint_W"]
    assert cause["cell"]["rack"] == 3 and 3000 < cause["cell"]["voltage_mV"] < 3400
    assert facts["without"]["setpoint_W"] == facts["request_W"] and facts["without"]["next"] is None
    words = causes.sentences(cause)
    assert (
        "Rack 3 allows 36.4 A."
    ) in words and f"= {power_W / 1000:.1f} kW at the AC terminals." in words


def test_a_limit_of_zero_is_zero_and_is_named(tmp_path):
    """CCL = 0 means 0 (dbus-serialbattery issues 107, 297, 445); its reason is the BMS, not "not
    running".
    """
    facts = narrowed(tmp_path, LIMITS__discharge_current_max=0.0).facts("why")
    assert (facts["setpoint_W"], facts["binding"]["code"], facts["cause"]["limit_W"]) == (0, 217, 0)


def test_a_limit_that_rises_again_says_how_fast(tmp_path):
    """Recovery is slow on purpose (Battery-Emulator #2607): the rating is named, but it is not what
    holds back.
    """
    facts = Watched(tmp_path).run(4).facts("why")
    rising = facts["limits"]["high_cause"]["recovering"]
    assert rising["now_W"] == facts["limits"]["high_W"] < rising["to_W"] == 250_000
    assert rising["W_per_s"] == 12_500
    assert "rises again by 12.5 kW/s" in causes.sentences(facts["limits"]["high_cause"])
    assert causes.remedy(facts["limits"]["high_reason"], facts["limits"]["high_cause"]).startswith(
        "Nothing: it rises"
    )


@pytest.mark.parametrize(
    "name, at_s, code, kind, words",
    [
        (
            "bms_silent",
            33.9,
            reasons.KERNEL_DISCHARGE[bounds.L_BMS_SILENCE],
            "bms_silence",
            "Rack 2's BMS was last heard",
        ),
        ("over_temperature", 35, reasons.KERNEL_DISCHARGE[bounds.L_TEMPERATURE_TAPER], None, ""),
        ("estop", 33, None, None, ""),
    ],
)
def test_scenarios_bring_their_cause(tmp_path, name, at_s, code, kind, words):
    facts = of_scenario(name, tmp_path).run(at_s).facts("why")
    if kind:
        assert (facts["binding"]["code"], facts["cause"]["kind"]) == (code, kind)
        assert words in causes.sentences(facts["cause"])


def test_an_interlock_that_stops_names_its_rows(tmp_path):
    watched = Watched(tmp_path, actions=[action(10, "estop_press")]).run(10.2)
    facts = watched.facts("why")
    cause = facts["limits"]["high_cause"]
    assert (facts["limits"]["high_reason"]["code"], cause["kind"]) == (231, "stop")
    assert [row["stage"] for row in cause["rows"]] == ["1a", "1b"]
    assert causes.sentences(cause).startswith("Row 1a emergency stop (cabinet)")
    assert "Find out why it was pressed" in causes.remedy(facts["limits"]["high_reason"], cause)


def test_a_controlled_stop_is_no_row(tmp_path):
    facts = (
        Watched(tmp_path, lambda t_s: 450_000.0, [action(9, "run_request", on=False)])
        .run(9.1)
        .facts("why")
    )
    assert facts["limits"]["high_cause"]["rows"] == []
    assert causes.sentences(facts["limits"]["high_cause"]) == (
        "A controlled stop: the cabinet is stopping."
    )


@pytest.mark.parametrize("seconds", [0.06, 1.0, 12.0])
def test_every_limit_has_its_numbers_and_its_words_at_any_time(tmp_path, seconds):
    """Also of a cabinet in which nothing is heard or joined yet: no number is made up."""
    shadow = Watched(tmp_path).run(seconds).shadow
    for codes in (reasons.KERNEL_CHARGE, reasons.KERNEL_DISCHARGE):
        for code, name in zip(codes, bounds.LIMITS):
            found = limits.cause(shadow, code)
            assert found["kind"] == name
            words = causes.sentences(found)
            assert words.endswith(".") and "None" not in words
    for code in (
        reasons.RESERVE_SOFT,
        reasons.RESERVE_HARD,
        reasons.GRID_IMPORT,
        reasons.GRID_EXPORT,
        reasons.SETPOINT_RAMP,
    ):
        assert causes.sentences(limits.cause(shadow, code)).endswith(".")
    assert limits.cause(shadow, reasons.LOAD_TRACKING) is None


def test_nobody_knows_a_cell_of_a_rack_that_is_not_heard(tmp_path):
    watched = Watched(
        tmp_path, actions=[action(5, "device_fault", device="bms_2", fault="silent")]
    ).run(6.2)
    assert (
        limits.cell(watched.shadow, 1, 0) is None and limits.cell(watched.shadow, 0, 0)["rack"] == 1
    )


@pytest.mark.parametrize("soc, binds", [(0.15, "R402"), (0.10, "R241")])
def test_a_reserve_says_what_is_kept(tmp_path, soc, binds):
    """The load rises by less than the connection allows, so nothing obliges the battery."""
    watched = Watched(tmp_path, lambda t_s: 300_000.0 + (90_000.0 if t_s > 12 else 0), soc=soc).run(
        12.4
    )
    facts = watched.facts("why")
    names = {
        facts[stage]["high_reason"]["label"]: facts[stage]["high_cause"]
        for stage in ("caps", "limits")
    }
    cause = names[binds]
    assert (
        cause["is_reached"]
        and cause["soc_permille"] <= cause["reserve_permille"] < cause["opens_at_permille"]
    )
    assert "kept are" in causes.sentences(cause)


def test_without_takes_away_one_bound_and_no_other(tmp_path):
    """Load beyond both import limits: the fallback of a source obliges to more than the connection
    does.
    """
    facts = (
        Watched(tmp_path, lambda t_s: 600_000.0 if t_s > 24 else 300_000.0, soc=0.15)
        .run(34)
        .facts("why")
    )
    assert facts["binding"]["code"] == reasons.GRID_CAP_HINT
    hinted, connected = facts["obligations"]["standing"]
    assert facts["setpoint_W"] == hinted["low_W"] > connected["low_W"] > 95_000
    assert facts["without"] == {
        "setpoint_W": connected["low_W"],
        "next": base.reason(reasons.GRID_IMPORT),
    }
    (entry,) = facts["cause"]["hints"]
    assert (entry["source"], entry["state"], entry["value_W"]) == ("site_ems", "fallback", 450_000)


def test_a_hint_in_force_is_the_cause(tmp_path):
    watched = of_scenario("hint_import_limit", tmp_path).run(50)
    facts = watched.facts("why")
    assert causes.sentences(facts["cause"]) == (
        "site_ems: import <= 400 kW, 10 s left, then fallback 450 kW."
    )
    watched.run(62)
    hinted, _ = watched.facts("why")["obligations"]["standing"]
    assert causes.sentences(hinted["cause"]) == (
        "site_ems: import <= 450 kW, its fallback, until heartbeat and hint."
    )
