"""Compares the figures of each load with those of a study (expected.toml)."""

import pathlib

from controller.system import toml_text

RECORDS = toml_text.read(pathlib.Path(__file__).with_suffix(".toml"))["rows"]
# {(load, kind, path): {figure: expected}}
ROWS = {tuple(key): figures for *key, figures in RECORDS}
WITHIN = 1.0  # allowed difference, points; none for `line`, which an operator limits


def measured(row: dict) -> dict:
    """The figures of a row that the study names; None: the load has no such figure."""
    ours, plain = row["ways"]["ours"], row["ways"]["plain"]
    two_s, ten_s = ours["residual_pct"]["2"], ours["residual_pct"]["10"]
    plain_2s = plain["residual_pct"]["2"]
    return {
        "rms_2s": two_s and two_s["rms"],
        "p99_2s": two_s and two_s["p99"],
        "rms_10s": ten_s and ten_s["rms"],
        "less_300s": ours["range_300s_less_pct"],
        "line": row["rules"]["ours"]["line"],
        "over_plain": two_s and two_s["rms"] - plain_2s["rms"],
    }


def compared(row: dict) -> list:
    """[{figure, expected, measured, is_met}] of a row that the study has. A better value is met."""
    names = row["load"], row["kind"], row["path"]
    figures, results = measured(row), []
    for figure, expected in ROWS.get(names, {}).items():
        value = figures[figure]
        over = value is not None and (value - expected) * (-1 if figure == "less_300s" else 1)
        results.append(
            {
                "figure": figure,
                "expected": expected,
                "measured": value,
                "is_met": value is not None and over <= (0.0 if figure == "line" else WITHIN),
            }
        )
    return results
