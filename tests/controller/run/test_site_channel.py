"""A site device gets nothing before its first reply since the start of the controller."""

from array import array
from types import SimpleNamespace

from controller.core.site_devices.layout import SiteDevice, words
from controller.core.site_devices.roles import ROLES
from controller.core.site_devices.signals_view import Site
from controller.run.site_channel import SiteChannel


class Wire:
    """Driver, gate and port in one: keeps what is sent."""

    refused_mask, refused_value, other_device = 0b10, -7, 3

    def __init__(self):
        self.sent, self.is_read = [], True

    def service(self, now_us):
        return ()

    def write(self, name, value, now_us, rests=False):
        return SimpleNamespace(frame=value)

    def written_at(self, name):
        return 0, 0

    def move(self, address, exponent):
        pass

    def read_back(self, name):
        return None

    def check(self, frame, low, high):
        return 0

    def value(self, frame):
        return frame

    def submit(self, request):
        self.sent.append(request.frame)


def test_before_its_first_reply_a_device_gets_no_0_that_would_stop_an_engine():
    role = ROLES["genset"]
    settings = {row[0]: row[4] or 1 for row in role.parameters}
    device = SiteDevice(role, 1, 15, settings)
    image, wire = SimpleNamespace(inp=array("i", [0] * len(words(device)))), Wire()
    site = Site((device,), image.inp, 0, 20)
    channel = SiteChannel(wire, wire, {"run": wire}, image, 4)
    (view,) = site.devices
    actuator = SimpleNamespace(view=view, actuator=role.actuators[0], value=0)
    # the power alone does not show whether the engine runs
    for fresh in (b"\0\0\0\0", b"\1\0\1\1", b"\0\1\0\0"):
        assert wire.sent == []
        site.step(fresh, 1)
        wire.is_read = fresh != b"\0\1\0\0"
        channel.write([actuator], 0)
    assert wire.sent == [], "its power may still be reported"
    wire.is_read = True
    channel.write([actuator], 0)
    assert wire.sent == [0] and view.sent("run") == 0
    site.step(bytes(4), 10_000)
    channel.write([actuator], 0)
    assert not view.is_known and wire.sent == [0, 0], "a device that fell silent gets its 0"
