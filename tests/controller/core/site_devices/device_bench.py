"""One control function with devices, on a view of its own."""

from views import Tick, setup, site_of

from controller.core.base.answers import BaseRequest
from controller.core.policies.hint_table import HintTable
from controller.core.policies.schedule import Schedule
from controller.core.site_devices import layout

TICK_MS = 20


class Bench:
    """One control function with devices whose words are set by name."""

    def __init__(self, function, *devices, **settings):
        self.site = site_of(devices, TICK_MS)
        names = [name for each in devices for name in layout.words(each)]
        self.place = {name: at for at, name in enumerate(names)}
        self.setup = made = setup(TICK_MS, site=self.site, **settings)
        made.functions[HintTable.NAME] = HintTable(made)
        made.functions[Schedule.NAME] = Schedule(made)
        self.function = function(made)
        self.hear()

    def hear(self, is_fresh=True, **words):
        """A report after a silence of 4 s: every state in it counts at once."""
        for name, value in words.items():
            self.site.inp[self.place[name.replace("__", ".")]] = value
        count = layout.signals([each.device for each in self.site.devices])
        self.site.step(bytes(count), 200)
        self.site.step(bytes([is_fresh] * count), 1 if is_fresh else 1000)

    def step(self, ticks=1, low_W=-250_000, high_W=250_000, **known):
        """[(actuator, answer)]."""
        self.seen = seen = Tick(site=self.site, **known)
        seen.low_W, seen.high_W = low_W, high_W
        return [tuple(each) for each in self.function.step(seen, seen, ticks)]

    def asked(self, times=1, **known):
        """{actuator: (request, reason)} of the last of so many ticks."""
        for _ in range(times):
            answers = self.step(**known)
        return {n: (*one,) for n, one in answers if isinstance(one, BaseRequest)}
