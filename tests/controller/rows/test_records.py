"""The records in controller/rows match the matrix and name only real things."""

from controller.config import equipment, schema, time_chain
from controller.rows import records, shapes
from safety import matrix as m, parameters as p

PARAMETERS = {row[0] for row in (*p.CABINET_PARAMETERS, *p.UNIT_PARAMETERS, *p.RACK_PARAMETERS)}


def test_every_row_stage_and_feature_of_the_matrix_has_its_record_and_no_other():
    assert set(records.ROWS) == {stage[m.S_ROW] for stage in m.STAGES}
    for number, stages in records.by_row().items():
        recorded = [stage.id for stage in records.ROWS[number].stages]
        names = [stage[m.S_ID] for stage in stages]
        assert recorded == [name for name in names if name in recorded], "in order, each once"
    assert set(records.FEATURES) == {name for names in m.FEATURES for name in names}


def test_a_record_names_only_existing_things():
    contacts = {name for names in schema.INPUT_NAMES.values() for name in names}
    for name, each in records.FEATURES.items():
        fitted = {*each.equipment, *each.one_of, *each.votes, each.bms} - {""}
        assert fitted <= set(equipment.EVERY), name
        assert set(each.contacts) <= contacts and set(each.roles) <= set(schema.ROLES), name
        assert each.sensor in ("", shapes.AT_ONCE, *time_chain.ASSUMED_MS), name
        waits = {each.silence, *each.ladder} - {"", *shapes.WAITS}
        assert waits <= PARAMETERS, name
    for row, how in records.WIRED.items():
        assert {how.contact} - {""} <= set(equipment.EQUIPMENT), row
        assert set(how.instead) <= set(schema.HMA), row
    assert {stage.set_from for stage in records.STAGES.values()} - {""} <= PARAMETERS


def test_a_stage_has_by_bms_or_not_by_bms_never_both():
    assert not [name for name, each in records.STAGES.items() if each.by_bms and each.not_by_bms]
