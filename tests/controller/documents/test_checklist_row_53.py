"""What the checklist says of row 53 is enough: the real kernel, given the readings that it prints,
trips.
"""

import re

import pytest

from controller.documents import checklist
from safety import matrix as m, signals as s
from tests.safety.bench import Bench

STAGE = next(stage for stage in m.STAGES if stage[m.S_ID] == "53")
# What a site may do without, with what its type then must offer and say.
WITHOUT_TOXIC = ("toxic",)
WITHOUT_GAS = ("offgas", "toxic")


def without(files, names):
    """The default cabinet without some of its gas detectors."""
    files.replace("type", '["suppression", "door"]', str(list(names)).replace("'", '"'))
    if names:
        files.append(
            "site",
            "[not_fitted]\n" + "\n".join([f'{name} = "Nora Toft, 2026-01-01"' for name in names]),
        )
    return files


def printed_readings(found):
    """{"vapour": ppm, ...} as the line of the checklist says them, in the units of the kernel."""
    text = next(test["inject"] for test in checklist.facts(found)["tests"] if test["stage"] == "53")
    forms = {
        "vapour": (
            r"vapour\D+: at least ([\d.]+) "
            r"ppm",
            1,
        ),
        "toxic": (r"hydrogen\D+: at least ([\d.]+) ppm", 1),
        "spread": (
            r"lowest cell: at least ([\d.]+) "
            r"mV",
            1,
        ),
        "over": (r"over the median: at least ([\d.]+) K", 10),
    }
    return {
        name: round(float(re.search(form, text)[1]) * factor)
        for name, (form, factor) in forms.items()
        if re.search(form, text)
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
        (WITHOUT_TOXIC, {"vapour", "spread"}),
        (WITHOUT_GAS, {"spread", "over"}),
    ],
)
@pytest.mark.parametrize("set_pct", (140, 100, 60, 31))
def test_the_readings_of_the_checklist_trip(files, names, signs, set_pct):
    files.append("site", f"[stage.53]\nset = {set_pct}\nclear = 30")
    found = without(files, names).load()
    readings = printed_readings(found)
    assert set(readings) == signs
    assert standing(found, readings)


def test_half_of_each_does_not(files):
    found = files.load()
    assert printed_readings(found) == {"vapour": 15, "toxic": 38}
    assert not standing(found, {"vapour": 10, "toxic": 25})
    assert not standing(found, {"vapour": 13, "toxic": 35})
