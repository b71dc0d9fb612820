"""Steps the kernel with a healthy cabinet's inputs, on CPython and MicroPython.

As on a board, the heap is locked during a step. So the search for free memory on a used heap (2.9
of 4.6 million instructions) is not counted. The module imports only safety.
"""

from array import array

try:
    from hil.oracle.channel_b_course import default_image, heap_lock, heap_unlock
except ImportError:  # on MicroPython both files are in one folder
    from channel_b_course import default_image, heap_lock, heap_unlock  # type: ignore[no-redef]

from safety import signals as s
from safety.kernel import Kernel

START_STEPS = 1100  # 22 s: contactors closed, limits recovered
USUALLY_0 = ("test_request", "key_service_closed", "store_is_old")  # yes-or-no inputs, healthy at 0
HEALTHY = (
    (s.GAS_1_CALIBRATION_D, 90),
    (s.GAS_2_CALIBRATION_D, 90),
    (s.OFFGAS_1_CALIBRATION_D, 90),
    (s.OFFGAS_2_CALIBRATION_D, 90),
    (s.TOXIC_CALIBRATION_D, 90),
    (s.AIR_TEMPERATURE_DDEGC, 250),
    (s.HUMIDITY_PERMILLE, 400),
    (s.UPS_RESERVE_MIN, 180),
    (s.CPU_TEMPERATURE_DDEGC, 500),
)
HEALTHY_RACK = (
    (s.CELLS_ONLINE, 240),
    (s.CELL_VOLTAGE_MV_MIN, 3290),
    (s.CELL_VOLTAGE_MV_MAX, 3300),
    (s.RACK_VOLTAGE_MV, 790000),
    (s.CHARGE_CURRENT_MA_MAX, 140000),
    (s.DISCHARGE_CURRENT_MA_MAX, 140000),
    (s.SOC_PERMILLE, 500),
    (s.SOH_PERMILLE, 990),
    (s.INSULATION_KOHM, 2000),
)


def fill(inp: "array[int]", layout: s.Layout) -> None:
    """Write healthy values into the inputs of a layout."""
    for signal, row in enumerate(s.CABINET_INPUTS):
        inp[signal] = 1 if row[1] == "bool" and row[0] not in USUALLY_0 else 0
    for signal, value in HEALTHY:
        inp[signal] = value
    for unit in range(layout.units):
        inp[layout.unit_input(unit, s.PCS_DC_VOLTAGE_MV)] = 790000
        inp[layout.unit_input(unit, s.PCS_STATE)] = s.PCS_RUNNING
    for rack in range(layout.racks):
        for signal, value in HEALTHY_RACK:
            inp[layout.rack_input(rack, signal)] = value
        for module in range(layout.modules):
            inp[layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC + module)] = 250 + module % 4


def follow(inp: "array[int]", out: "array[int]", layout: s.Layout, number: int) -> None:
    """Let the field follow the last outputs: relays, contactors and meters."""
    inp[s.GRID_RAW_HASH] = inp[s.LOAD_RAW_HASH] = number
    inp[s.ARMED_STORED] = out[s.ARM_REQUEST]
    inp[s.PERMIT_1_CLOSED] = out[s.PCS_ENABLE_OK] & ~out[s.WITHHOLD_ON]
    inp[s.PERMIT_2_CLOSED] = out[s.CONTACTOR_SUPPLY_OK] & ~out[s.WITHHOLD_ON]
    for rack in range(layout.racks):
        closed = out[layout.rack_output(rack, s.CONTACTOR_CLOSE_OK)]
        inp[layout.rack_input(rack, s.CONTACTOR_STATE)] = (
            s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN
        )


class Steps:
    """A kernel in which every group of signals is fresh: the most work that a step can have."""

    def __init__(self, racks: int, modules: int) -> None:
        self.kernel = Kernel(default_image(1, racks, modules))
        self.number = 0
        fill(self.kernel.inp, self.kernel.layout)

    def prepare(self) -> None:
        """Prepare a step, so that `kernel.step(1)` is the step alone."""
        kernel = self.kernel
        self.number += 1
        follow(kernel.inp, kernel.out, kernel.layout, self.number)
        for group in range(len(kernel.fresh)):
            kernel.fresh[group] = 1

    def start(self) -> None:
        """Step until the cabinet runs. ValueError if it does not."""
        for _ in range(START_STEPS):
            self.prepare()
            self.kernel.step(1)
        if self.kernel.out[s.STATE] != s.RUNNING:
            reason = self.kernel.out[s.INHIBIT_REASON]
            raise ValueError("the cabinet did not start: inhibit reason %d" % reason)


def main(racks: int, modules: int, steps: int, stepping: int) -> None:
    """Start, prepare `steps` times and (if `stepping`) step; the host counts instructions."""
    bench = Steps(racks, modules)
    bench.start()
    for _ in range(steps):
        bench.prepare()
        if stepping:
            heap_lock()
            bench.kernel.step(1)
            heap_unlock()
    print(bench.kernel.out[s.STATE])
