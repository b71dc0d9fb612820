"""safety/README.md says what the code says: its tables, its times, its files."""

import re

import assessor
import pytest
from bench import default_image
from rows import ticks

from controller import bus_times, config
from safety import matrix as m
from safety import permit
from safety import signals as s

PAGE = assessor.PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_code():
    assert PAGE == assessor.written(PAGE), "write the page anew: python tests/safety/assessor.py"


def test_every_feature_and_gate_has_words_and_every_stage_its_line():
    assert set(assessor.FEATURES) | set(assessor.GATES) == {name for names in m.FEATURES for name in names}
    for stage in m.STAGES:
        assert re.search(rf"^\| {stage[m.S_ID]} \| .*\|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("row", m.CLAUSES)
def test_what_is_unconfirmed_says_so(row):
    """Every line with a basis from general knowledge carries the question mark, and no other does."""
    lines = [line for line in assessor.stage_table().splitlines() + assessor.row_table().splitlines()
             if re.match(rf"\| {row}[a-e]? \|", line)]
    assert len(lines) == 1 + sum(stage[m.S_ROW] == row for stage in m.STAGES)
    for line in lines:
        assert ("(?)" in line) == (m.CLAUSES[row][2] == "G")


@pytest.mark.parametrize("name", [name for name, row in assessor.SOURCES.items() if row[3]])
def test_bus_times_cover_what_the_check_computes(name):
    """Period and worst case of the exchange in the example site, rounded up to 10 ms; CAN frames come all at once."""
    _, _, bus_ms, (device, what) = assessor.SOURCES[name]
    site = config.load(str(assessor.ROOT / "controller" / "sites" / "example" / "cabinet.toml"))
    for exchanges in bus_times.schedule(site).values():
        for exchange in exchanges:
            if (exchange.device, exchange.what) == (device, what):
                burst_us = (exchange.frames - 1) * exchange.time_us
                computed_us = exchange.period_us + burst_us + bus_times.response_us(exchange, exchanges)
                assert 0 <= bus_ms * 1000 - computed_us < 10_000
                return
    raise AssertionError("the example site has no such exchange")


def test_the_scan_of_the_image():
    assert assessor.image_words() == len(default_image(racks=assessor.RACKS))
    assert assessor.scan_ms() < 10_000


def test_times_of_the_prose():
    assert f"{(ticks(5000) * 20 + permit.RELAY_MS) // 1000} s after the start of closing" in PAGE
    assert f"{permit.RETRY_MS // 1000} s pause" in PAGE


def test_every_file_of_the_kernel_is_named():
    for path in assessor.PAGE.parent.glob("[a-z]*.py"):
        assert f"`{path.name}`" in PAGE
    for name in re.findall(r"`(test_\w+\.py)`", PAGE):
        assert (assessor.ROOT / "tests" / "safety" / name).is_file()


def test_states_at_rest_are_the_ones_named():
    assert [s.STATES[state] for state in permit.AT_REST] == ["inhibited", "ready"]
