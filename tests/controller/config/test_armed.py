"""Every stage is armed with its equipment, not armed where accepted by name, else refused."""

import pytest
from site_files import SITES
from word_sets import words

from controller.config import configuration, equipment, hma, schema, stage_states, wired
from controller.config.equipment import EQUIPMENT
from controller.documents import check, check_rows
from controller.rows import records
from safety import matrix, second_image as si, signals
from tests.tables import cases, table

IDS = [stage[matrix.S_ID] for stage in matrix.STAGES]
WHO = "N. N., 2026-01-01: test"
# Missing equipment that disarms a stage of the default cabinet; nothing disarms the others.
LACKS = {
    stage: names.split()
    for names, stages in table("""
    suppression | '3' ; smoke heat | '4' ; smoke | '5' ; fire_trouble | 6a 6b ; offgas | 7 8b 8c
    offgas_2 | 8a ; toxic | 9 10a 10b ; gas | 11 12a 12b ; gas offgas toxic | 13a 13b 13c 14
    airflow | 15a 15b ; damper | 16a 16b ; hvac | 17a ; climate | 17b 17c 42c ; cell_voltage | '30'
    bms_fault | 40e ; leak | 42a ; coolant | 42b ; ups | 43a 43b 43c 43d ; door | 48a 48b
    supervised noc | 46a 46b 46c ; key_service | 47b ; climate ups | '52'
    """)
    for stage in stages.split()
}


WITH_DEVICE = [name for name, one in EQUIPMENT.items() if one.roles]


@pytest.fixture
def files(files):
    return files.replace("type", '["suppression", "door"]', str(list(EQUIPMENT)).replace("'", '"'))


def without(files, names):
    if set(names) & set(hma.PREVENTION_NEEDS):
        files.say("type", "hma.explosion_control", '"68"')
    if "gas" in names:
        files.say("type", "hma.gas_required_by", "nothing")
    rows = [row for row, how in records.WIRED.items() if how.contact not in names]
    files.say("type", "hma.hard_wired_rows", rows)
    if "supervised" in names and "noc" not in names:
        files.say("type", "hma.noc_source", '"site_ems"')
    return files.without(names)


def states(loaded):
    """{stage: {(state, equipment)}} over all instances."""
    found = {}
    for stage, index in stage_states.instances(loaded.topology):
        state = stage_states.stage_state(stage, loaded.topology, index)
        found.setdefault(stage[matrix.S_ID], set()).add(state)
    return found


def armed(loaded):
    """{stage: {0, 1}}: the armed words of the image."""
    found = {}
    image = loaded.safety_image[loaded.image_map().armed :]
    for (stage, _), word in zip(stage_states.instances(loaded.topology), image):
        found.setdefault(stage[matrix.S_ID], set()).add(word)
    return found


def detectors(files, *roles):
    files.drop("site", *{role.removesuffix("_2").removesuffix("_1") for role in roles})
    for address, role in enumerate(roles, 3):
        profile = "toxic_detector" if role == "toxic" else "offgas_detector"
        table = f'[device.{role}]\nrole = "{role}"\nprofile = "{profile}"\nbus = "gas"'
        files.append("type", f"{table}\nunit_id = {address}")
    return files


def test_every_stage_is_armed_with_all_equipment(files):
    files.second_channel().replace("type", "noc_derate = false", "noc_derate = true")
    loaded = without(files, ["supervised"]).load()
    assert states(loaded) == dict.fromkeys(IDS, {(stage_states.ARMED, "")})
    assert armed(loaded) == dict.fromkeys(IDS, {1})


@pytest.mark.parametrize("names", sorted({tuple(names) for names in LACKS.values()}))
def test_not_armed_and_named_without_its_equipment(files, names):
    loaded = without(files, names).load()
    found, image = states(loaded), armed(loaded)
    text = " ".join(check.report(loaded).split())
    assert f"accepted by: {WHO}" in text
    for stage in [stage for stage, lacks in LACKS.items() if tuple(lacks) == names]:
        ((state, name),) = found[stage]
        assert state == stage_states.NOT_FITTED and name in names and image[stage] == {0}
        assert stage_states.accepted(loaded.topology, name) == WHO
        row = records.BY_ID[stage][matrix.S_ROW]
        assert any(
            stage in stages and words == "not fitted" and lacks == name
            for stages, words, lacks in check_rows.row_states(loaded)[row]
        )


@pytest.mark.parametrize("names", ["smoke heat", "gas offgas toxic", "climate ups"])
def test_one_of_several_kinds_keeps_a_stage_armed(files, names):
    loaded = without(files, names.split()[1:]).load()
    kept = [stage for stage, lacks in LACKS.items() if lacks == names.split()]
    assert kept and all(armed(loaded)[stage] == {1} for stage in kept)


def test_what_may_be_left_out_does_not_disarm_the_others(files):
    found = states(without(files, list(EQUIPMENT)).load())
    others = {name: found[name] for name in IDS if name not in LACKS}
    alone = {(stage_states.NOT_FITTED, stage_states.SECOND_CHANNEL)}
    assert others == {**dict.fromkeys(others, {(stage_states.ARMED, "")}), "51": alone}


@pytest.mark.parametrize("name", WITH_DEVICE)
def test_missing_device_is_refused_with_its_rows(files, name):
    role = EQUIPMENT[name].roles[0]
    files.cut_device(role)
    refusal = files.refusal()
    assert f"no device with role {role}: " in refusal and f"or not_fitted.{name}" in refusal
    for row in equipment.rows_of(name):
        assert equipment.with_clauses([row]) in refusal


def test_third_module_is_needed_for_its_contacts(files):
    files.cut_device("io_3")
    assert files.refusal() == (
        "example/cabinet.toml:device: no device with role io_3: "
        f"{equipment.with_clauses([16, 17, 42, 46, 47])} would not be armed; allowed exactly one, "
        "or not_fitted.damper and not_fitted.hvac and not_fitted.leak and not_fitted.coolant and "
        "not_fitted.supervised and not_fitted.key_service"
    )
    names = "damper hvac leak coolant supervised aux_load key_service"
    without(files, names.split())
    files.replace("type", '"pre_alarm_on", ""', '"pre_alarm_on", "shunt_trip_on"')
    assert files.load().cabinet["io_3_fitted"] == 0


def test_each_stage_that_a_bms_may_keep_to_itself_is_in_one_table(pylontech):
    """Decided per stage: no general rule assigns the work of others to the BMS."""
    pylontech.replace("type", '"offgas",', '"offgas", "offgas_2",')
    detectors(pylontech, "offgas_1").without(["offgas_2"])
    found = {stage: next(iter(each))[0] for stage, each in states(pylontech.load()).items()}
    by_bms = {stage for stage, state in found.items() if state == stage_states.BY_BMS}
    unreported = {stage for stage, state in found.items() if state == stage_states.NOT_REPORTED}
    assert by_bms == {name for name, stage in records.STAGES.items() if stage.by_bms}
    assert by_bms == words("18a 18b 19a 19b 20a 20b 21a 25a 25b 27 28 29 31a 31b 32 33")
    assert unreported == {name for name, stage in records.STAGES.items() if stage.not_by_bms}
    assert unreported == words("8c 21b 22 23a 23b 24 26a 26b 34a 34b 34c 45a 45b 45c 45d 53")


def test_every_stage_that_compares_needs_more_than_one_to_compare():
    for stage in matrix.STAGES:
        why = records.STAGES[stage[matrix.S_ID]].not_by_bms
        compares = "with each other" in why or "with its rack" in why
        assert bool(records.feature(stage).compares) == compares


@cases("""name  rows
    "insulation"  (37,) | "bms_cells"  (24, 34) | "bms_temperatures"  (21, 22, 23, 26, 45, 53)
    "bms_sensors"  (45,)""")
def test_unreported_values_need_an_acceptance(pylontech, name, rows):
    """One line names every row; without a vapour detector row 8 is absent."""
    assert pylontech.drop("site", name).refusal() == (
        f"pylontech/cabinet.toml:not_fitted.{name}: is missing: {equipment.with_clauses(rows)} "
        f"{'are' if len(rows) > 1 else 'is'} not armed on rack 1, because no device reports "
        f"{name}; allowed who accepted it, when (YYYY-MM-DD) and why, on one line of ASCII"
    )
    _, lines = configuration.survey(pylontech.paths[2])
    assert len(lines) == 1, "document matrix --site names it and goes on"
    assert set(rows) <= set(equipment.rows_of(name))


def test_only_racks_whose_bms_does_not_report_are_named(files):
    files.rack_3_of_pylontech().without(["insulation", "bms_temperatures", "bms_sensors"])
    line = f"{equipment.with_clauses([24, 34])} are not armed on rack 3"
    assert f"not_fitted.bms_cells: is missing: {line}" in files.refusal()
    loaded = files.append("site", f'bms_cells = "{WHO}"').load()
    armed_here = (stage_states.ARMED, "")
    assert states(loaded)["34a"] == {armed_here, (stage_states.NOT_REPORTED, "bms_cells")}
    assert states(loaded)["29"] == {armed_here, (stage_states.BY_BMS, "")}
    assert armed(loaded)["29"] == armed(loaded)["34a"] == {0, 1}


def test_suspicion_and_heating_need_two_signs(pylontech):
    unreported = {(stage_states.NOT_REPORTED, "bms_temperatures")}
    assert states(pylontech.load())["53"] == unreported
    found = states(detectors(pylontech, "offgas_1", "offgas_2").load())
    assert found["53"] == unreported, "vapour alone agrees with nothing"
    assert found["8c"] == unreported and found["8a"] == found["8b"] == {(stage_states.ARMED, "")}
    detector = 'role = "toxic"\nprofile = "toxic_detector"\nbus = "gas"\nunit_id = 5'
    pylontech.drop("site", "toxic").append("type", f"[device.toxic]\n{detector}")
    assert states(pylontech.load())["53"] == {(stage_states.ARMED, "")}


@cases("""missing  derate  expected
    []  "false"  ["BY_PANEL", "NOT_ASKED", "BY_PANEL"]
    []  "true"  ["BY_PANEL"] * 3
    ["supervised"]  "false"  ["ARMED", "NOT_ASKED", "ARMED"]
    ["supervised"]  "true"  ["ARMED"] * 3
    ["noc"]  "true"  ["BY_PANEL"] * 3
    ["supervised", "noc"]  "false"  ["NOT_FITTED"] * 3""")
def test_row_46(files, missing, derate, expected):
    loaded = without(files.say("type", "hma.noc_derate", derate), missing).load()
    found = states(loaded)
    for stage, name in zip(("46a", "46b", "46c"), expected):
        assert {state for state, _ in found[stage]} == {getattr(stage_states, name)}
        assert armed(loaded)[stage] == {int(name in ("ARMED", "BY_PANEL"))}


def test_second_channel_arms_row_51_and_needs_no_rows_in_wire(files):
    files.second_channel().drop("type", "hard_wired_rows = ", "hard_wired_accepted = ")
    loaded = files.load()
    assert armed(loaded)["51"] == {1} and loaded.hma["hard_wired_rows"] is None


def second(files, names, rows):
    line = f"hard_wired_rows = {rows}" if rows is not None else "# hard_wired_rows"
    files.second_channel().replace("type", "hard_wired_rows = [1, 2, 3, 12, 30, 44]", line)
    if "gas" in names:
        files.replace("type", 'explosion_control = "both"', 'explosion_control = "68"')
        files.drop("type", "gas_required_by = ")
    return files.without(names)


def test_contact_of_the_bms_that_is_missing_by_mistake(files):
    files = second(files, [], None).replace("type", '"bms_fault_ok"', '""')
    _, lines = configuration.survey(files.paths[2])
    assert len(lines) == 1 and '"bms_fault_ok" is not mapped' in lines[0]


@pytest.mark.parametrize("rows", (None, "[30]"))
@pytest.mark.parametrize(
    "names",
    [
        [name for bit, name in enumerate(("gas", "cell_voltage", "bms_fault")) if number >> bit & 1]
        for number in range(8)
    ],
)
def test_rows_that_must_act_without_the_controller_do(files, names, rows):
    """Channel B, which arms itself from the limit image, or a wire does."""
    try:
        loaded = second(files, names, rows).load()
    except configuration.ConfigError:
        return
    own = si.own_image(loaded.safety_image)
    cabinet = [stage for stage in matrix.STAGES if stage[matrix.S_SCOPE] == signals.CABINET]
    acting = [stage for stage, word in zip(cabinet, own[si.image_map_of(own).armed :]) if word]
    act = {stage[matrix.S_ROW] for stage in acting} | set(loaded.hma["hard_wired_rows"] or ())
    assert {1, 2, 3, 44} <= act
    assert ("gas" in names or 12 in act) and ("cell_voltage" in names or 30 in act)


def test_row_that_is_not_fitted_need_not_be_in_wire(files):
    """A type names row 3 for all its sites: where nothing is released it is in no wire."""
    loaded = without(files, ["gas", "suppression", "cell_voltage"]).load()
    assert loaded.hma["hard_wired_rows"] == [1, 2, 36, 44] == wired.rows(loaded)
    files.replace("type", "= [1, 2, 36, 44]", "= [1, 2, 3, 30, 36, 44]")
    assert wired.rows(files.load()) == [1, 2, 36, 44]


def test_a_site_names_no_row_in_wire_that_it_has_not_fitted(files):
    without(files, ["suppression"]).say("type", "hma.hard_wired_rows", "nothing")
    files.say("site", "hma.hard_wired_rows", [1, 2, 3, 12, 30, 36, 44])
    why = "has no contact, because not_fitted.suppression is set"
    allowed = f"allowed [1, 2, 12, 30, 36, 44]: {equipment.with_clauses([3])} {why}"
    assert files.refusal().endswith(allowed)


@pytest.mark.parametrize("row", [2, 3, 36])
def test_the_analysis_may_name_an_exception(files, row):
    rows = [each for each in records.WIRED if each != row]
    files.drop("type", "dc_fuse = ")
    files.say("type", "hma.hard_wired_rows", rows)
    assert f"row {row} " in files.refusal()
    accepted = '"J. Doe, 2026-03-01: the panel trips the AC breaker"'
    files.say("type", f"hma.not_wired_{row}", accepted)
    assert wired.rows(files.load()) == rows
    files.second_channel()
    assert wired.rows(files.load()) == rows


@cases("""missing  key  value
    []  "offgas_detectors"  2 | ["offgas_2"]  "offgas_detectors"  1
    ["offgas"]  "offgas_detectors"  0 | []  "smoke_zones"  2 | ["smoke_2"]  "smoke_zones"  1
    ["smoke"]  "smoke_zones"  0 | ["heat"]  "heat_fitted"  0 | ["toxic"]  "toxic_fitted"  0
    ["climate"]  "climate_fitted"  0 | ["ups"]  "ups_fitted"  0
    ["supervised"]  "supervised_fitted"  0 | ["gas"]  "gas_required"  1
    ["gas", "offgas"]  "gas_required"  1 | ["gas", "offgas", "toxic"]  "gas_required"  0
    ["door"]  "door_fitted"  0""")
def test_counts_follow_from_what_is_fitted(files, missing, key, value):
    assert without(files, missing).load().cabinet[key] == value


def test_two_detectors_of_fire_make_row_5(files):
    loaded = without(files, ["smoke_2"]).load()
    assert armed(loaded)["5"] == {1}, "smoke and heat"
    loaded = files.append("site", f'heat = "{WHO}"').load()
    assert (armed(loaded)["4"], armed(loaded)["5"]) == ({1}, {0})


def test_gas_beside_an_open_door_needs_gas_detection(files):
    assert armed(without(files, ["gas", "offgas", "toxic"]).load())["48b"] == {0}


def test_every_contact_is_required_optional_or_equipment():
    always = words("estop_1_ok estop_2_ok fire_alarm_ok key_run_ok permit_1_closed permit_2_closed")
    always |= set(equipment.OPTIONAL)
    for name in [name for names in schema.INPUT_NAMES.values() for name in names]:
        assert bool(equipment.of_signal(name)) != (name in always), name
    for name in EQUIPMENT:
        without_rows = name in ("site_device_map", "bms_limits", "pcs_stored")
        assert equipment.rows_of(name) or without_rows, name
    roles = [role for one in EQUIPMENT.values() for role in one.roles]
    assert set(roles) < set(schema.ROLES)


def test_every_cabinet_feature_is_required_or_equipment():
    own = set()
    for stage in [each for each in matrix.STAGES if each[matrix.S_SCOPE] == signals.CABINET]:
        each = records.feature(stage)
        if not {*each.equipment, *each.one_of, *each.votes} & set(EQUIPMENT):
            own.add(records.feature_name(stage))
    assert own == words(
        "estop_1_ok estop_2_ok estop_discrepancy fire_alarm_ok closing_failures image_changed "
        "step_late_ms late_steps boot_not_clean boot_store_unreadable self_test_bits "
        "cpu_temperature_ddegC key_run_ok io_silence_ms meter_silence_ms meter_frozen_ms "
        "peer_code image_approved_ok meter_sign grid_over_permille grid_over_by_charging_permille "
        "grid_export_by_battery_permille"
    )


@pytest.mark.parametrize("name", ("example", "pylontech"))
def test_the_examples_are_accepted(name):
    loaded = configuration.load(SITES / name / "cabinet.toml")
    for stage, index in stage_states.instances(loaded.topology):
        state, lacks = stage_states.stage_state(stage, loaded.topology, index)
        assert state not in stage_states.TO_ACCEPT or stage_states.accepted(loaded.topology, lacks)
