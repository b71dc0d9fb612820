"""Makes a record of every row, stage and feature of the matrix from the tables of this folder."""

import collections
from typing import Any, TypeVar

from controller.core.base.texts import table
from controller.rows import (
    air,
    cabinet,
    cells,
    control,
    electrical,
    fire,
    gas,
    heat,
    plausibility,
    silence,
)
from controller.rows.shapes import MODELS, Equipment, Feature, MatrixStage, Row, Stage, Wired
from safety import matrix

# in the order in which missing equipment is named
_TOPICS = (gas, fire, air, cells, cabinet, silence, electrical, heat, control, plausibility)
Shape = TypeVar("Shape", Feature, Equipment, Wired)
BY_ID: dict[str, MatrixStage] = {str(stage[matrix.S_ID]): stage for stage in matrix.STAGES}


def _whole(name: str) -> str:
    """The tables of this name from all topics, as one text."""
    return "\n".join(getattr(topic, name, "") for topic in _TOPICS)


def _rows(texts: str, stages: str) -> dict[int, Row]:
    """{number: Row}, rising. texts: a line "number basis | what | name | sentence | remedy" for
    each row, and "stage | sentence | remedy" for each stage whose texts differ. stages: "stages |
    field | value".
    """
    rows: dict[int, Row] = {}
    stage_fields: dict[str, dict[str, Any]] = collections.defaultdict(dict)
    for key, *parts in table(texts):
        number, _, basis = key.partition(" ")
        if basis:
            text, code, sentence, remedy = parts
            rows[int(number)] = Row(int(number), basis, text, code, sentence, remedy)
        else:
            stage_fields[number] |= dict(zip(("sentence", "remedy"), parts))
    for names, field, *value in table(stages):
        for name in names.split():
            stage_fields[name][field] = value[0] if value else True
    for name in sorted(stage_fields):
        row = rows[int(name.rstrip("abcdefg"))]
        rows[row.number] = row._replace(stages=(*row.stages, Stage(name, **stage_fields[name])))
    return dict(sorted(rows.items()))


def _records(blank: Shape, text: str, models: dict[str, Shape] | None = None) -> dict[str, Shape]:
    """{name: record} of a table with lines "name | texts of the record | facts".

    facts: "field value; field value". A value may be several names, and a fact that is true has no
    value. "like NAME" takes every fact of an earlier record or a model. "contact NAME" takes the
    contact of this equipment.
    """
    text_fields = blank._fields[: -len(blank._field_defaults)]
    records: dict[str, Shape] = {}
    for name, *parts in table(text):
        record = blank
        for fact in filter(None, ";".join(parts[len(text_fields) :]).split(";")):
            field, _, value = fact.strip().partition(" ")
            if field == "like":
                record = (records | (models or {}))[value]
            else:
                record = record._replace(**_fact(blank, field, value))
        filled: dict[str, Any] = {field: cell for field, cell in zip(text_fields, parts) if cell}
        records[name] = record._replace(**filled)
    return records


def _fact(blank: Shape, field: str, value: str) -> dict[str, Any]:
    """{field: value of its type}."""
    if field == "contact" and isinstance(blank, Feature):
        return {"equipment": (value,), "contacts": (value.removesuffix("_ok") + "_ok",)}
    kind = type(blank._field_defaults[field])
    return {field: kind(value.split() if kind is tuple else value or True)}


ROWS = _rows(_whole("TEXTS"), _whole("STAGES"))
STAGES = {name: Stage(name) for name in BY_ID} | {
    stage.id: stage for row in ROWS.values() for stage in row.stages
}
FEATURES = _records(Feature("", ""), _whole("FEATURES"), _records(Feature("", ""), MODELS))
EQUIPMENT = _records(Equipment(""), _whole("EQUIPMENT"))
_WIRED = _records(Wired(""), _whole("WIRED"))
WIRED = {row: _WIRED[str(row)] for row in ROWS if str(row) in _WIRED}


def feature_name(stage: MatrixStage, index: int = matrix.S_FEATURE) -> str:
    """Name of the feature of a stage of the matrix, or of its gate."""
    return str(matrix.FEATURES[stage[matrix.S_SCOPE]][stage[index]])


def feature(stage: MatrixStage, index: int = matrix.S_FEATURE) -> Feature:
    """The Feature of a stage of the matrix, or of its gate."""
    return FEATURES[feature_name(stage, index)]


def features(stage: MatrixStage) -> list[Feature]:
    """The Feature of a stage of the matrix, and the Feature of its gate if the stage has one."""
    places = (matrix.S_FEATURE, matrix.S_GATE)
    return [feature(stage, place) for place in places if stage[place] != matrix.NO_GATE]


def by_row() -> dict[int, list[MatrixStage]]:
    """{row: [stage of the matrix]}, rows rising, stages by their letter."""
    stages: dict[int, list[MatrixStage]] = {number: [] for number in ROWS}
    for stage in sorted(matrix.STAGES, key=lambda stage: stage[matrix.S_ID]):
        stages[int(stage[matrix.S_ROW])].append(stage)
    return stages
