"""The readings that the checklist prints for row 53 trip it in the real kernel."""

import re

import pytest

from controller.documents import checklist
from safety import matrix as m, signals as s
from tests.safety.bench import Bench

STAGE = next(stage for stage in m.STAGES if stage[m.S_ID] == "53")
FORMS = {
    "vapour": (r"vapour\D+: at least ([\d.]+) ppm", 1),
    "toxic": (r"hydrogen\D+: at least ([\d.]+) ppm", 1),
    "spread": (r"lowest cell: at least ([\d.]+) mV", 1),
    "over": (r"over the median: at least ([\d.]+) K", 10),
}


def without(files, names):
    """The default cabinet without some of its gas detectors."""
    files.replace("type", '["suppression", "door"]', str(list(names)).replace("'", '"'))
    if names:
        lines = "\n".join([f'{name} = "Nora Toft, 2026-01-01"' for name in names])
        files.append("site", f"[not_fitted]\n{lines}")
    return files


def printed_readings(found):
    """{"vapour": ppm, ...} as the line of the checklist says them, in the units of the kernel."""
    text = next(test["inject"] for test in checklist.facts(found)["tests"] if test["stage"] == "53")
    matches = {name: (re.search(form, text), factor) for name, (form, factor) in FORMS.items()}
    return {
        name: round(float(match[1]) * factor) for name, (match, factor) in matches.items() if match
    }


def standing(found, readings):
    """True if row 53 stands a while after these readings."""
    bench = Bench(found.safety_image)
    bench.step(200)
    assert "53" not in bench.standing()
    bench.inp[s.OFFGAS_1_PPM] = readings.get("vapour", 0)
    bench.inp[s.TOXIC_PPM] = readings.get("toxic", 0)
    bench.set_rack(s.CELL_VOLTAGE_MV_MIN, 3300 - readings.get("spread", 0))
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC, 250)
    for module in range(1, bench.layout.modules):
        bench.set_rack(s.MODULE_TEMPERATURE_DDEGC + module, 250)
    bench.set_rack(s.MODULE_TEMPERATURE_DDEGC, 250 + readings.get("over", 0))
    bench.step(STAGE[m.S_SET_MS] // found.tick_ms + 100)
    return "53" in bench.standing()


@pytest.mark.parametrize(
    "names, signs",
    [
        ((), {"vapour", "toxic"}),
        (("toxic",), {"vapour", "spread"}),
        (("offgas", "toxic"), {"spread", "over"}),
    ],
)
def test_the_readings_of_the_checklist_trip(files, names, signs):
    without(files, names).append("site", "[stage.53]\nset = 0\nclear = 30")
    before = 0
    for set_pct in (140, 100, 60, 31):
        files.replace("site", f"set = {before}\nclear", f"set = {set_pct}\nclear")
        before, found = set_pct, files.load()
        readings = printed_readings(found)
        assert set(readings) == signs and standing(found, readings), set_pct


def test_half_of_each_does_not(files):
    found = files.load()
    assert printed_readings(found) == {"vapour": 15, "toxic": 38}
    assert not standing(found, {"vapour": 10, "toxic": 25})
    assert not standing(found, {"vapour": 13, "toxic": 35})
