"""Compares the figures of each load with those of a study (expected.toml)."""

import pathlib

from controller.system import toml_text

DATA = pathlib.Path(__file__).with_name("expected.toml")
WITHIN = 1.0  # allowed difference, points; none for `line`, which an operator limits


def rows() -> dict:
    """{(load, kind, path): {figure: expected}}."""
    records = toml_text.read(DATA)["rows"]
    return {tuple(key): figures for *key, figures in records}


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
    for figure, expected in rows().get(names, {}).items():
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
