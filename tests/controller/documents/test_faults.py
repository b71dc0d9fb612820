"""`firebreak document faults`: every input and output has its faults and their detection."""

import pytest

from controller.documents import fault_table
from controller.rows import records
from safety import signals as s

FACTS = fault_table.facts()
LINES = [line for key in ("groups", "contacts", "values", "outputs") for line in FACTS[key]]


def lines_of(name, fault=""):
    return [line for line in LINES if name in line["signals"] and line["fault"].startswith(fault)]


def test_every_input_and_output_has_a_fault():
    assert fault_table.missing(FACTS) == []
    inputs = [each[0] for each in s.CABINET_INPUTS + s.UNIT_INPUTS + s.RACK_INPUTS]
    for name in (*inputs, *s.CABINET_GROUPS, *s.UNIT_GROUPS, *s.RACK_GROUPS):
        assert lines_of(name), name
    outputs = [each[0] for each in s.CABINET_OUTPUTS]
    assert outputs[: outputs.index("notify_maintenance")] == sorted(
        fault_table.COILS, key=outputs.index
    )


@pytest.mark.parametrize("key, name", [("values", "soc_permille"), ("outputs", "fan_on")])
def test_a_signal_without_a_fault_is_listed(key, name):
    less = [line for line in FACTS[key] if name not in line["signals"]]
    found = fault_table.missing(FACTS | {key: less})
    assert f"faults.toml: {key}: {name}" in found
    more = [*FACTS[key], {"signals": ["nothing"]}]
    assert fault_table.missing(FACTS | {key: more}) == [f"faults.toml: {key}: nothing"]


def test_the_stages_of_a_contact_detect_its_faults():
    for name in fault_table.CONTACTS:
        opens, *stuck = lines_of(name)
        for stage in opens["stages"]:
            contacts = records.feature(records.BY_ID[stage]).contacts
            assert name in contacts or stage == "44e"
        assert stuck or opens["stages"] == ["44e"]
    assert lines_of("estop_2_ok", "wire")[0]["stages"] == ["1b"]
    assert lines_of("estop_2_ok", "stays")[0]["stages"] == ["1c"]
    assert lines_of("airflow_ok", "wire")[0]["stages"] == ["15a"]
    assert lines_of("smoke_1_ok", "wire")[0]["stages"] == ["4"]
    (shared,) = lines_of("gas_relay_ok", "stays")
    assert shared["stages"] == ["51"] and shared["how"].endswith("proof test every 180 days")
    (alone,) = lines_of("door_ok", "stays")
    assert (alone["stages"], alone["safe"], alone["within_ms"]) == ([], "no", None)


def test_the_stages_of_a_fault_set_its_safety_and_its_time():
    assert lines_of("bms_pack")[0]["safe"] == "yes" and lines_of("bms_pack")[0]["within_ms"] == 3040
    assert lines_of("climate")[0]["safe"] == "partly"


def test_outputs_without_the_controller():
    assert [name for name, level in FACTS["expired"].items() if level == "on"] == [
        "fan_on",
        "red_lamp_on",
    ]
