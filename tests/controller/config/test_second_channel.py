"""The wire to channel B, and a permit that outlasts three lost frames."""

import pytest

from controller.config import configuration, cross_checks, profiles
from safety import channel, frame, peer
from tests.tables import cases

LOST = "the permit of channel B must outlast 3 lost frames in a row, one every 2 ticks"


@pytest.fixture
def unloaded(monkeypatch):
    """The buses of the example are too slow for the shortest expiries."""
    monkeypatch.setattr(configuration.bus_times, "check", lambda values, found: None)


def paced(files, tick_ms, expiry_ms):
    files.second_channel().replace("type", "tick_ms = 20 ", f"tick_ms = {tick_ms} ")
    files.replace("type", "permit_expiry_ms = 500 ", f"permit_expiry_ms = {expiry_ms} ")
    text = (profiles.FOLDER / "io_8in_8out.toml").read_text()
    text = text.replace("expiry_ms = 500 ", f"expiry_ms = {expiry_ms} ")
    (files.paths[0].parent / "io.toml").write_text(text)
    return files.replace("type", 'profile = "io_8in_8out"', 'profile = "io.toml"')


def after_lost(loaded, frames):
    """Reason of a channel in the tick before a frame, after `frames` lost ones."""
    image, receiver = loaded.safety_image, channel.Receiver(frame.CHANNEL_A)
    one = peer.Peer(image, loaded.image_map(), receiver, 1, 2)
    sender = channel.Sender(frame.CHANNEL_A, 1, 2)
    reason = peer.NOT_HEARD
    for each in range(2 + frames):  # the first one only begins
        if each < 2 and receiver.feed(sender.finish(), frame.FRAME_BYTES):
            one.heard()
        for _ in range(frame.FRAME_EVERY_TICKS):
            sender.tick(1)
            one.update(1, 0, 0)
            reason = one.reason
    return reason


@cases("""tick_ms  expiry_ms
    10  110 | 10  111 | 20  200 | 20  201 | 40  400 | 50  500""")
def test_permit_that_outlasts_three_lost_frames(files, unloaded, tick_ms, expiry_ms):
    loaded = paced(files, tick_ms, expiry_ms).load()
    assert after_lost(loaded, cross_checks.LOST_FRAMES_MIN) == peer.OK


@cases("""tick_ms  expiry_ms  line
    10  109  "permit_expiry_ms: 109 is not allowed; allowed 110..500 with tick_ms = 10"
    20  199  "permit_expiry_ms: 199 is not allowed; allowed 200..500 with tick_ms = 20"
    20  40  "permit_expiry_ms: 40 is not allowed; allowed 200..500 with tick_ms = 20"
    50  499  "permit_expiry_ms: 499 is not allowed; allowed 500..500 with tick_ms = 50"
    100  500  "tick_ms: 100 is not allowed; allowed 10, 20, 25, 40, 50"
    100  80  "tick_ms: 100 is not allowed; allowed 10, 20, 25, 40, 50"
""")
def test_permit_too_short(files, unloaded, monkeypatch, tick_ms, expiry_ms, line):
    said = paced(files, tick_ms, expiry_ms).refusal()
    assert said == f"types/firebreak_645.toml:cabinet.{line}: {LOST}"
    monkeypatch.setattr(cross_checks, "_expiry_ms_min", lambda tick_ms: 0)
    lost = after_lost(files.load(), cross_checks.LOST_FRAMES_MIN)
    assert lost in (peer.SILENT, peer.NOT_HEARD), "it would not have held"


@cases("""tick_ms  baud_Bd  allowed
    20  9600  "19200, 38400, 57600, 115200" | 10  19_200  "38400, 57600, 115200"
    20  19_200  None | 10  38_400  None | 25  9600  None""")
def test_line_carries_a_frame_before_the_next_is_due(files, unloaded, tick_ms, baud_Bd, allowed):
    """48 bytes of ten bits every two ticks: at 9600 Bd they take 50 ms."""
    paced(files, tick_ms, 500).append("cabinet", f"baud_Bd = {baud_Bd}")
    if allowed is None:
        assert files.load().channel_b.baud_Bd == baud_Bd
    else:
        assert files.refusal() == (
            f"example/cabinet.toml:channel_b.baud_Bd: {baud_Bd} is not allowed; allowed "
            f"{allowed}: a frame has 48 bytes and leaves every {2 * tick_ms} ms"
        )


@pytest.mark.parametrize("tick_ms, expiry_ms", [(100, 500), (20, 100)])
def test_without_a_second_channel_any_expiry_is_allowed(files, unloaded, tick_ms, expiry_ms):
    paced(files, tick_ms, expiry_ms).say("type", "cabinet.second_channel", '"none"')
    files.replace("cabinet", '[channel_b]\nport = "/dev/serial/by-path/b"', "")
    assert files.load().tick_ms == tick_ms
