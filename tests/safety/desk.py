"""The features of a kernel that is never stepped."""

from bench import Inputs, default_image

from safety import matrix as m, parameters as p, signals as s
from safety.kernel import Kernel

RACK_INPUTS = [row[0] for row in s.RACK_INPUTS]


class Desk(Inputs):
    def __init__(self, units=1, racks=1, modules=15, **changed):
        image = default_image(units=units, racks=racks, modules=modules, **changed)
        self.image = image
        self.map = p.ImageMap(units, racks, m.STAGES_PER_SCOPE)
        self.kernel = Kernel(image)
        self.features, self.layout = self.kernel.features, self.kernel.layout
        self.inp, self.out, self.modules = self.kernel.inp, self.kernel.out, modules
        self.silent = set()

    def step(self, steps=1, elapsed=1):
        for _ in range(steps):
            for group in range(self.layout.groups):
                self.kernel.fresh[group] = 0 if group in self.silent else 1
            self.features.update(elapsed)
        return self

    def silence_rack(self, group, rack=0):
        return self.silence(self.layout.rack_group(rack, group)).step(26)

    rack = Inputs.set_rack

    def put(self, rack=0, **values):
        for name, value in values.items():
            self.rack(RACK_INPUTS.index(name), value, rack)
        return self

    def temperatures(self, values, rack=0):
        for module, value in enumerate(values):
            self.rack(s.MODULE_TEMPERATURE_DDEGC + module, value, rack)
        return self
