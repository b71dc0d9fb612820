"""Every row, stage and feature of the matrix by its name, from the files of this folder."""

from controller.rows import (
    air,
    cabinet,
    cells,
    control,
    electrical,
    evidence,
    fire,
    gas,
    heat,
    silence,
)
from controller.rows.shapes import Stage
from safety import matrix

# in the order in which missing equipment is blamed
_TOPICS = (gas, fire, air, cells, cabinet, silence, electrical, heat, control, evidence)
ROWS = {row.number: row for row in sorted([row for topic in _TOPICS for row in topic.ROWS])}
_IDS: list = [stage[matrix.S_ID] for stage in matrix.STAGES]
STAGES = {each: Stage(each) for each in _IDS} | {
    stage.id: stage for row in ROWS.values() for stage in row.stages
}
FEATURES = {name: each for topic in _TOPICS for name, each in topic.FEATURES.items()}
EQUIPMENT = {
    name: each for topic in _TOPICS for name, each in getattr(topic, "EQUIPMENT", {}).items()
}
WIRED = {number: row.wired for number, row in ROWS.items() if row.wired}


def feature_name(stage: tuple, index=matrix.S_FEATURE) -> str:
    """Name of what a stage of the matrix looks at, or of its gate."""
    return matrix.FEATURES[stage[matrix.S_SCOPE]][stage[index]]


def feature(stage: tuple, index: int = matrix.S_FEATURE):
    """The Feature that a stage of the matrix looks at, or its gate."""
    return FEATURES[feature_name(stage, index)]


def features(stage: tuple) -> list:
    """What a stage of the matrix looks at, and its gate if it has one: a list."""
    places = (matrix.S_FEATURE, matrix.S_GATE)
    return [feature(stage, at) for at in places if stage[at] != matrix.NO_GATE]


def by_row() -> dict:
    """{row: [stage of the matrix]}, rows rising, stages by their letter."""
    found = {number: [] for number in ROWS}
    for stage in sorted(matrix.STAGES, key=lambda each: each[matrix.S_ID]):
        found[stage[matrix.S_ROW]].append(stage)
    return found
