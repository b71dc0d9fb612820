"""Matrix and checklist print both ends of each taper of the kernel, in every format."""

import copy
import functools

import pytest

from controller.config import configuration, tapers
from controller.documents import (
    checklist,
    checklist_page,
    document,
    effect_words,
    matrix_facts,
    matrix_page,
)
from controller.rows.records import BY_ID
from controller.sites import EXAMPLE
from safety import bounds, matrix as m, signals as s
from tests.safety.bench import Bench

# {signal of a taper: (its rack inputs, its limit in the kernel)}
INPUTS = {
    "temperature_ddegC_max": (
        lambda layout: [s.MODULE_TEMPERATURE_DDEGC + each for each in range(layout.modules)],
        bounds.L_TEMPERATURE_TAPER,
    ),
    "cell_voltage_mV_max": (lambda layout: [s.CELL_VOLTAGE_MV_MAX], bounds.L_CELL_VOLTAGE_TAPER),
    "cell_voltage_mV_min": (lambda layout: [s.CELL_VOLTAGE_MV_MIN], bounds.L_CELL_VOLTAGE_TAPER),
    "soc_permille": (lambda layout: [s.SOC_PERMILLE], bounds.L_SOC_TAPER),
}
INPUTS["temperature_ddegC_min"] = INPUTS["temperature_ddegC_max"]
WITH_SIGNAL = [taper for taper in tapers.TAPERS if taper.signal in INPUTS]


@functools.cache
def example():
    return configuration.load(EXAMPLE)


@functools.cache
def _running():
    return Bench(example().safety_image).run()


def limit_W(taper, value):
    """(limit, rated) in W of this taper in the kernel when every rack reports `value`."""
    bench = copy.deepcopy(_running())
    signals, which = INPUTS[taper.signal]
    for rack in range(bench.layout.racks):
        for signal in signals(bench.layout):
            bench.set_rack(signal, value, rack)
    bench.step(3)
    return [
        bench.kernel.bounds.limit_W[taper.ways[0] * bounds.LIMIT_COUNT + each]
        for each in (which, bounds.L_PCS_RATED)
    ]


def printed(taper, found):
    wanted = taper.stage, taper.what, " and ".join([tapers.WAYS[way] for way in taper.ways])
    facts = tapers.facts(found)
    return next(each for each in facts if (each["stage"], each["what"], each["power"]) == wanted)


def test_the_printed_ends_of_a_taper_are_those_of_the_kernel():
    for taper in WITH_SIGNAL:
        ((full_at, none_at),) = printed(taper, example())["ends"]
        step = 1 if none_at > full_at else -1
        places = (full_at, full_at + step, none_at - step, none_at)
        found = [limit_W(taper, value) for value in places]
        rated_W = found[0][1]
        (full, _), (less, _), (little, _), (none, _) = found
        assert full == rated_W > less > little > none == 0, taper
    ((warn_ms, ramp_ms),) = printed(
        next(taper for taper in tapers.TAPERS if taper.stage == "40a"), example()
    )["ends"]
    bench = copy.deepcopy(_running())
    bench.silent = {bench.layout.rack_group(0, group) for group in range(len(s.RACK_GROUPS))}
    limits = []
    for _ in range(ramp_ms // example().tick_ms + 1):
        bench.step()
        limits.append(bench.kernel.bounds.limit_W[bounds.L_BMS_SILENCE])
    rated_W = bench.kernel.bounds.limit_W[bounds.L_PCS_RATED]
    assert limits.count(rated_W) == warn_ms // example().tick_ms
    assert limits.index(0) + 1 == ramp_ms // example().tick_ms


def test_the_documents_have_all_tapers_of_the_kernel():
    limits = {INPUTS[taper.signal][1] for taper in WITH_SIGNAL} | {bounds.L_BMS_SILENCE}
    named = {name for name in bounds.LIMITS if "taper" in name or "silence" in name}
    assert {bounds.LIMITS[each] for each in limits} == named
    both_ways = ("temperature_ddegC_max", "temperature_ddegC_min", "soc_permille")
    wanted = {(name, way) for name in both_ways for way in (0, 1)}
    wanted |= {("cell_voltage_mV_max", 0), ("cell_voltage_mV_min", 1)}
    assert {(taper.signal, *taper.ways) for taper in WITH_SIGNAL} == wanted


TAPERED = {
    "18a": "charging tapers from 35 degC to none at 45 degC",
    "18b": "discharging tapers from 45 degC to none at 55 degC",
    "25a": "charging tapers from 10 degC to none at 0 degC",
    "25b": "discharging tapers from -10 degC to none at -20 degC",
    "27": "charging tapers from 3.5 V to none at 3.6 V",
    "31a": "discharging tapers from 3 V to none at 2.8 V",
    "40a": "charging and discharging taper from 0.5 s to none at 1 s",
}


def test_every_document_has_every_taper():
    """This includes the taper of the state of charge, which has no stage."""
    for stage, words in TAPERED.items():
        assert words in effect_words.effects(BY_ID[stage], example())
    general = matrix_facts.facts()
    documents = ((matrix_page, general), (matrix_page, matrix_facts.facts(example())))
    for page, facts in (*documents, (checklist_page, checklist.facts(example()))):
        text = document.markdown(page.blocks(facts))
        assert facts is general or all(words in text for words in TAPERED.values())
        assert "from 97 % to none at 100 %" in text and "from 3 % to none at 0 %" in text
        ends = [each["ends"] for each in facts["tapers"] if each["what"] == "state of charge"]
        assert ends == [[(970, 1000)], [(30, 0)]]


def test_the_ends_are_those_of_the_site(pylontech):
    words = "charging tapers from 3.5 V to none at 3.6 V [from 4.1 V to none at 4.2 V]"
    assert effect_words.effects(BY_ID["27"])[-1] == words
    assert [fact["stage"] for fact in tapers.facts() if "nmc" in fact] == ["27", "31a"]
    found = pylontech.load()
    reported = {fact["what"] for fact in tapers.facts(found)}
    assert reported == {"silence of the BMS", "state of charge"}
    assert not [words for words in effect_words.effects(BY_ID["27"], found) if "taper" in words]
    test = next(test for test in checklist.facts(example())["tests"] if test["stage"] == "18a")
    assert test["demands"][-1].startswith("charging tapers")


@pytest.mark.parametrize("stage, at_mV", [("27", 3550), ("31a", 2900)])
def test_the_basis_of_a_taper_that_begins_before_its_row_is_the_project(stage, at_mV):
    fact = next(fact for fact in tapers.facts() if fact["stage"] == stage)
    full_mV, none_mV = fact["ends"][0]
    assert BY_ID[stage][m.S_SET] == at_mV and abs(none_mV - full_mV) > abs(none_mV - at_mV)
    assert fact["basis"].startswith(f"row {stage.rstrip('a')} ") and "project" in fact["basis"]
