"""Names of the stage instances. A stage of the cause-and-effect matrix has one instance for the
cabinet, or one for each unit or rack.
"""

from safety import matrix, signals as s


def stage_instances(layout: s.Layout) -> list[str]:
    """Names in the kernel's order, such as "1a" (cabinet), "41a.unit1" and "29.rack2"."""
    names = []
    for scope, name, count in (
        (s.CABINET, "", 1),
        (s.UNIT, ".unit", layout.units),
        (s.RACK, ".rack", layout.racks),
    ):
        for number in range(1, count + 1):
            names += [
                stage[matrix.S_ID] + (name and f"{name}{number}")
                for stage in matrix.STAGES
                if stage[matrix.S_SCOPE] == scope
            ]
    return names
