"""Every row, stage and feature of the matrix by its name, from the files of this folder."""

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
from controller.rows.shapes import Feature, Stage
from safety import matrix

# in the order in which missing equipment is named
_TOPICS = (gas, fire, air, cells, cabinet, silence, electrical, heat, control, plausibility)
ROWS = {row.number: row for row in sorted([row for topic in _TOPICS for row in topic.ROWS])}
_IDS: list[str] = [str(stage[matrix.S_ID]) for stage in matrix.STAGES]
STAGES = {each: Stage(each) for each in _IDS} | {
    stage.id: stage for row in ROWS.values() for stage in row.stages
}
FEATURES = {name: each for topic in _TOPICS for name, each in topic.FEATURES.items()}
EQUIPMENT = {
    name: each for topic in _TOPICS for name, each in getattr(topic, "EQUIPMENT", {}).items()
}
WIRED = {number: row.wired for number, row in ROWS.items() if row.wired}


def feature_name(stage: tuple, index: int = matrix.S_FEATURE) -> str:
    """Name of the feature of a stage of the matrix, or of its gate."""
    return str(matrix.FEATURES[stage[matrix.S_SCOPE]][stage[index]])


def feature(stage: tuple, index: int = matrix.S_FEATURE) -> Feature:
    """The Feature of a stage of the matrix, or of its gate."""
    return FEATURES[feature_name(stage, index)]


def features(stage: tuple) -> list[Feature]:
    """The Feature of a stage of the matrix, and its gate's if it has one."""
    places = (matrix.S_FEATURE, matrix.S_GATE)
    return [feature(stage, at) for at in places if stage[at] != matrix.NO_GATE]


def by_row() -> dict[int, list[tuple]]:
    """{row: [stage of the matrix]}, rows rising, stages by their letter."""
    found: dict[int, list[tuple]] = {number: [] for number in ROWS}
    for stage in sorted(matrix.STAGES, key=lambda each: each[matrix.S_ID]):
        found[int(stage[matrix.S_ROW])].append(stage)
    return found
