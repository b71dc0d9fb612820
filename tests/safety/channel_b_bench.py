"""Channel B with a relay that follows; a test may choose every field of channel A's frames."""

from bench import default_image

from safety import channel as c, frame as f, parameters as p, peer as pe, second as sc

CLOSED = sc.KEY_BIT - 1  # all shared contacts
# 0.5 s of 20 ms, less the one in which a frame may have come, less one for the relay
EXPIRY_TICKS = 23
DISAGREE_TICKS = 25


class ChannelB:
    """`contacts`: without the relay's mirror contact."""

    def __init__(self, image=None, level=0, racks=1):
        self.image = default_image(racks=racks) if image is None else image
        self.second = sc.Second(self.image, level)
        self.sender = c.Sender(f.CHANNEL_A, p.image_crc(self.image), pe.table_crc())
        self.contacts = CLOSED | sc.KEY_BIT
        self.follows = True
        self.relay = 0
        self.frame = self.sender.frame
        self.frame.put(f.SIGNAL_BITS, CLOSED)
        self.frame.put(f.KNOWN_BITS, CLOSED)

    def hear(self, **fields):
        for name, value in fields.items():
            self.frame.put([row[0] for row in f.FIELDS].index(name), value)
        self.second.receive(self.sender.finish(), f.FRAME_BYTES)
        return self

    def step(self, steps=1, elapsed=1, **fields):
        for _ in range(steps):
            self.sender.tick(elapsed)
            self.hear(**fields)
            self.alone(1, elapsed)
        return self

    def alone(self, steps=1, elapsed=1):
        for _ in range(steps):
            if self.follows:
                self.relay = self.second.permit
            self.second.step(elapsed, self.contacts | (sc.RELAY_BIT if self.relay else 0))
            if self.second.frame_due:
                self.second.report()
        return self

    @property
    def why(self):
        return pe.REASONS[self.second.reason]

    def told(self, field):
        return self.second.sender.frame.get(field)


def permitting(**options):
    bench = ChannelB(**options).step(5)
    bench.step(5, vote=1)
    if not bench.second.permit:
        raise AssertionError("channel B gives no permit: " + bench.why)
    return bench
