"""Thresholds: only tighter than the matrix, in order, for both chemistries."""

import pytest
from site_files import SiteFiles
from word_sets import words

from controller.config import cross_checks, schema, thresholds
from controller.forms.field import allowed_text
from controller.forms.refusal import in_unit
from controller.rows import records
from safety import matrix

IDS = [stage[matrix.S_ID] for stage in matrix.STAGES]
TAPERS = ("charge_taper_mV", "charge_end_mV", "discharge_taper_mV", "discharge_end_mV")


def nmc(files):
    files.replace("type", 'chemistry = "LFP" ', 'chemistry = "NMC" ')
    return files.drop("type", *TAPERS)


def test_nmc_cells_have_other_thresholds(files):
    loaded = nmc(files).load()
    changed = {name: (level, clear) for name, level, clear in matrix.NMC_THRESHOLDS}
    for stage in matrix.STAGES:
        name = stage[matrix.S_ID]
        if name not in thresholds.STAGE_SET_FROM:
            expected = changed.get(name, (stage[matrix.S_SET], stage[matrix.S_CLEAR]))
            assert loaded.stage_words[name][:2] == expected, name
    assert [loaded.rack_tables[2][key] for key in TAPERS] == [4100, 4200, 3200, 3000]


def tightened(stage):
    """[(key, one above the range, one below it)] of a stage."""
    found = []
    for key in ("set", "clear"):
        spec = schema.STAGE[stage][key]
        if spec.kind != "derived" and spec.allowed[0] != spec.allowed[1]:
            found.append((key, spec.allowed[1] + 1, spec.allowed[0] - 1))
    return found


@pytest.mark.parametrize("stage", [name for name in IDS if tightened(name)])
def test_bounds_of_a_threshold(files, stage):
    for key, *beyond in tightened(stage):
        spec = schema.STAGE[stage][key]
        for value in beyond:
            changed = SiteFiles(files.paths[0].parents[1] / f"{key}{value}")
            refusal = changed.append("site", f"[stage.{stage}]\n{key} = {value}").refusal()
            said, allowed = in_unit(value, spec.unit), allowed_text(spec)
            assert f"stage.{stage}.{key}: {said} is not allowed; allowed {allowed}" in refusal
            assert spec.unit[1] in refusal


@pytest.mark.parametrize("key, column", [("set", matrix.S_SET), ("clear", matrix.S_CLEAR)])
def test_no_range_reaches_beyond_the_matrix(key, column):
    """A tenth of the meant value, or of up to 2.5 times it, is no threshold either."""
    for stage in matrix.STAGES:
        specs, sense = schema.STAGE[stage[matrix.S_ID]], stage[matrix.S_SENSE]
        spec = specs[key]
        if spec.kind != "derived":
            assert max(bound * sense for bound in spec.allowed) == stage[column] * sense
        if spec.unit is not None and spec.unit[0] > 1 and spec.tighter == "down":
            assert 0 < spec.default * 2.5 / 10 <= spec.allowed[0] <= max(spec.default / 4 + 1, 2000)
        assert specs["set_ms"].allowed == (0, stage[matrix.S_SET_MS])
        assert specs["clear_ms"].allowed[0] == stage[matrix.S_CLEAR_MS]


def test_thresholds_that_a_file_may_tighten():
    """Every threshold with a unit; no counts, no flags, nothing that follows from a parameter."""
    stages = [stage for stage in matrix.STAGES if tightened(stage[matrix.S_ID])]
    assert {records.feature_name(stage) for stage in stages} == words(
        "offgas_ppm_max offgas_ppm_second toxic_ppm toxic_rise_ppm gas_lfl_permille_max "
        "gas_calibration_d_min air_temperature_ddegC humidity_permille ups_reserve_min "
        "cpu_temperature_ddegC noc_lost_s bus_mismatch_mV temperature_ddegC_max "
        "temperature_over_median_ddegC temperature_unexplained_ddegC "
        "temperature_rise_10s_ddegC temperature_rise_3s_ddegC cell_voltage_drop_mV "
        "temperature_ddegC_min temperature_spread_ddegC cell_voltage_mV_max "
        "cell_voltage_mV_min cell_spread_mV insulation_ohm_per_V runaway_suspicion_pct"
    )


def test_ladders():
    pairs = {
        (low[matrix.S_ID], high[matrix.S_ID]) for low, high in cross_checks.ladders(schema.LFP)
    }
    named = words(
        "27<28 28<29 34a<34b 34b<34c 31a<31b 31b<32 32<33 11<12a 9<10a 17b<17c 26a<26b 37a<37b "
        "43b<43c 19a<20a 20b<21a 25a<25b"
    )
    for low, high in [pair.split("<") for pair in named]:
        assert (low, high) in pairs and (high, low) not in pairs
    assert not [pair for pair in pairs if set(pair) & {"49", "50a", "50b", "52"}]
