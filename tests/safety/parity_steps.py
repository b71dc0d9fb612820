"""Random kernel steps, the same on CPython and MicroPython (heap locked): CRC of all outputs."""

import sys
from array import array

try:
    from hil.oracle.channel_b_course import default_image, heap_lock, heap_unlock
except ImportError:  # on MicroPython the course lies beside this file
    from channel_b_course import default_image, heap_lock, heap_unlock

from safety import crc, signals as s
from safety.kernel import Kernel

# other contacts are closed, other numbers are 30 (cabinet) or 1000 (converter)
USUAL = """offgas_1_ppm 0 offgas_2_ppm 0 toxic_ppm 3 air_temperature_ddegC 250 humidity_permille 400
ups_reserve_min 180 test_request 0 self_test_bits 0 peer_code 0 store_is_old 0 meter_sign 0
source_code 0 pcs_forming 0 cpu_temperature_ddegC 500
pcs_dc_voltage_mV 790000 pcs_alarm_bits 0""".split()
USUAL = dict(zip(USUAL[::2], map(int, USUAL[1::2])))
USUAL_RACK = (0, 0, 0, 240, 3290, 3300, 0, 0, 790_000, 5000, 140_000, 140_000, 500, 990, 2000, 0)
CYCLE, CALM = 1200, 900  # steps: the cabinet must have time to start before it is disturbed again


class Walk:
    def __init__(self, seed, racks, modules, tick_ms):
        self.kernel = Kernel(default_image(1, racks, modules, tick_ms))
        self.state = array("i", [seed & 0xFFFFF, 0])
        self.count = array("i", [0])
        layout = self.kernel.layout
        self.low = array("i", [0] * layout.inputs)
        self.high = array("i", [1] * layout.inputs)
        self.usual = array("i", [1] * layout.inputs)
        self._ranges(layout)
        for index in range(layout.inputs):
            self.kernel.inp[index] = self.usual[index]

    def _ranges(self, layout):
        for index, row in enumerate(s.CABINET_INPUTS):
            self._range(index, row, USUAL.get(row[0], 1 if row[1] == "bool" else 30))
        for index, row in enumerate(s.UNIT_INPUTS):
            self._range(layout.unit_input(0, index), row, USUAL.get(row[0], 1000))
        for rack in range(layout.racks):
            for index, row in enumerate(s.RACK_INPUTS):
                self._range(layout.rack_input(rack, index), row, USUAL_RACK[index])
            for module in range(layout.modules):
                at = layout.rack_input(rack, s.MODULE_TEMPERATURE_DDEGC + module)
                self.low[at], self.high[at], self.usual[at] = -600, 3000, 250

    def _range(self, at, row, usual):
        self.low[at], self.high[at], self.usual[at] = row[2], row[3], usual

    def draw(self, below):
        """The next number of the generator, 0 <= n < below (below at most 2^20)."""
        self.state[0] = (self.state[0] * 741 + 2731) & 0xFFFFF
        return (self.state[0] >> 3) % below

    def step(self):
        kernel = self.kernel
        inp, out, fresh = kernel.inp, kernel.out, kernel.fresh
        self.count[0] += 1
        calm = self.count[0] % CYCLE < CALM
        if calm and self.count[0] % CYCLE == 1:
            for at in range(len(inp)):
                inp[at] = self.usual[at]
        elif not calm and self.draw(20) == 0:
            self._disturb(inp)
        quiet = not calm and self.draw(64) == 0
        for group in range(len(fresh)):
            fresh[group] = 0 if quiet or (not calm and self.draw(16) == 0) else 1
        self._follow(inp, out)
        late = 26 if self.draw(900) == 0 else 1 + (self.draw(8) == 0)
        kernel.step(1 if calm else late)
        value = self.state[1]
        for word in out:
            value = crc.add_word(value, word)
        self.state[1] = value

    def _disturb(self, inp):
        at = self.draw(len(inp))
        span = min(self.high[at] - self.low[at], 0xFFFFE) if self.low[at] >= 0 else 0xFFFFE
        inp[at] = min(
            self.high[at], max(self.low[at], max(self.low[at], -500_000) + self.draw(span + 1))
        )

    def _follow(self, inp, out):
        inp[s.GRID_RAW_HASH] = self.draw(4096)
        inp[s.LOAD_RAW_HASH] = self.draw(4096)
        inp[s.ARMED_STORED] = out[s.ARM_REQUEST]
        inp[s.PERMIT_1_CLOSED] = out[s.PCS_ENABLE_OK] & ~out[s.WITHHOLD_ON]
        inp[s.PERMIT_2_CLOSED] = out[s.CONTACTOR_SUPPLY_OK] & ~out[s.WITHHOLD_ON]
        inp[s.RUN_REQUEST] = 0 if self.draw(300) == 0 else 1
        layout = self.kernel.layout
        for rack in range(layout.racks):
            inp[layout.rack_input(rack, s.CONTACTOR_STATE)] = (
                2 * out[layout.rack_output(rack, s.CONTACTOR_CLOSE_OK)]
            )
        ask = self.draw(40)
        inp[s.RESET_KIND] = ask if ask == 1 or ask == 2 else 0
        inp[s.KEY_RUN_OK] = 0 if ask == 2 and out[s.LATCHED_COUNT] else self.usual[s.KEY_RUN_OK]
        inp[s.KEY_SERVICE_CLOSED] = 1 - inp[s.KEY_RUN_OK]
        inp[s.RESET_FIRST_OUT] = out[s.FIRST_OUT_INSTANCE]
        inp[s.RESET_MASK] = out[s.CAUSE_MASK]


def main(seed, steps, racks, modules, tick_ms=20):
    walk = Walk(seed, racks, modules, tick_ms)
    seen = array("i", [0] * len(s.STATES))
    heap_lock()
    for _ in range(steps):
        walk.step()
        seen[walk.kernel.out[s.STATE]] += 1
    heap_unlock()
    print(
        seed, steps, racks, modules, "crc", walk.state[1], "states", " ".join(str(n) for n in seen)
    )


if __name__ == "__main__":
    main(*[int(word) for word in sys.argv[1:6]])
