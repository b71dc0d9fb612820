"""Simulates channel B, the second channel with its own permit relay, in virtual time."""

from array import array

from hil.plant.cabinet import CabinetPlant
from safety import parameters, second as sc


class VirtualChannelB:
    """Steps channel B. `sent`: bytes that it has sent since the last take()."""

    def __init__(self, plant: CabinetPlant, image: array) -> None:
        """image: the limit image of channel A."""
        self.plant, self.second = plant, sc.Second(image, 0)
        self.tick_us = image[parameters.H_TICK_MS] * 1000
        self.due_us, self.sent = 0, b""
        self.powered = True  # False: no supply, so the relay opens and nothing is sent
        self.mute = False  # fault: the sent bytes are lost
        self.stuck: dict[str, int] = {}  # fault: {contact: the level 0 or 1 at which it is stuck}
        plant.relays.channel_b_closed = False

    def receive(self, data: bytes) -> None:
        """Take bytes from channel A."""
        if self.powered:
            self.second.receive(data, len(data))

    def advance(self, now_us: int) -> None:
        """Run all steps that are due by now_us."""
        while self.due_us <= now_us:
            self.due_us += self.tick_us
            if self.powered:
                self.second.step(1, self._contacts())
                if self.second.frame_due:
                    self.sent += bytes(self.second.report())
            self.plant.relays.channel_b_closed = bool(self.powered and self.second.permit)

    def take(self) -> bytes:
        """Return the bytes that arrive at channel A, and empty `sent`."""
        data, self.sent = self.sent, b""
        return b"" if self.mute else data

    def _contacts(self) -> int:
        """Contacts of the plant in the order of CONTACT_NAMES, then the relay's mirror contact."""
        bits = 0
        for bit, name in enumerate(sc.CONTACT_NAMES[:-1]):
            closed = self.stuck.get(name, self.plant.contacts[name.removesuffix("_ok")])
            bits |= bool(closed) << bit
        closed = self.stuck.get(sc.CONTACT_NAMES[-1], self.plant.relays.channel_b_closed)
        return bits | (sc.RELAY_BIT if closed else 0)
