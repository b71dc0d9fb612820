"""Converts the set-point of a converter to the frames of its profile, and back.

A profile lists the frames in the order in which they are written. A frame has one or several values
in consecutive registers, and each value has a role:
    power      signed, positive discharges; the scale may turn the sign or make it a percentage
    magnitude  the same number for both directions; a mode gives the direction
    charge, discharge   0 while the power has the other direction
    mode       one raw value each for charge, discharge, idle
    constant   a raw value that never changes
"""

from drivers.buses import rtu
from drivers.profile import Register, SetpointFrame, Settings, Words
from drivers.register_codec import Codec
from drivers.sunspec import Places

CHARGE, DISCHARGE, IDLE = "charge", "discharge", "idle"
WAYS = {IDLE: 0, CHARGE: -1, DISCHARGE: 1}  # if raw values are equal, the later way counts


def way_of(power_W: int) -> int:
    """1 for a discharge, -1 for a charge, 0 for no power."""
    return (power_W > 0) - (power_W < 0)


class Frame:
    """One frame of the set-point. Each frame is one write."""

    def __init__(self, frame: SetpointFrame, settings: Settings, places: Places | None = None):
        """settings: for `scale_by`. places: the registers of the profile on a device."""
        self._places = places
        self.function, self.address = frame.function, frame.address
        self.registers = frame.values
        self._codecs = [Codec(register, settings) for register in frame.values]
        self.count = sum([register.words for register in frame.values])

    def words(self, power_W: int) -> Words:
        """The register values for this power. ValueError if a value does not fit."""
        encoded: list[int] = []
        for register, codec in zip(self.registers, self._codecs):
            encoded += codec.words(_asked(register, power_W))
        return tuple(encoded)

    def values(self, data: bytes) -> list[tuple[Register, int | None]]:
        """[(register, its value)] of registers that were read back."""
        pairs, offset = [], 0
        for register, codec in zip(self.registers, self._codecs):
            size = 2 * register.words
            pairs.append((register, codec.read(data[offset : offset + size])[0]))
            offset += size
        return pairs

    def plain_words(self, name: str) -> list[Register]:
        """A register to read for each word of the frame."""
        return [
            Register(
                name=f"{name}{index}",
                address=self.address + index,
                function=rtu.READ_HOLDING_REGISTERS,
                type="u16",
                code="H",
                words=1,
                count=1,
                low=0,
                high=0xFFFF,
                scale=1,
                scale_by="",
                offset=0,
                mask=0,
                invalid=[],
                values={},
                word_order="big",
                byte_order="big",
            )
            for index in range(self.count)
        ]

    def request(
        self,
        unit_id: int,
        content: Words,
        on_reply: rtu.OnReply = rtu.ignore,
        on_failure: rtu.OnFailure = rtu.ignore,
    ) -> rtu.Request:
        """The write of these registers.

        All frames of a unit share one key, so a newer frame replaces one that still waits.
        """
        address = self._places.of(self.address) if self._places else self.address
        key = unit_id, "write setpoint"
        return rtu.write_request(
            self.function, key, unit_id, address, content, on_reply=on_reply, on_failure=on_failure
        )


def _asked(register: Register, power_W: int) -> int:
    """The value of one register for this power."""
    role = register.role
    if role == "constant":
        return int(register.equals)
    if role == "mode":
        way = way_of(power_W)
        return int(getattr(register, next(name for name in WAYS if WAYS[name] == way)))
    if role in (CHARGE, DISCHARGE):
        return max(0, power_W if role == DISCHARGE else -power_W)
    return abs(power_W) if role == "magnitude" else power_W


def power_W(values: list[tuple[Register, int | None]]) -> int | None:
    """The power for these registers. None if they contradict each other or have no meaning."""
    of_role: dict[str, list[int]] = {}
    way: int | None = None
    for register, value in values:
        if value is None:
            return None
        if register.role == "mode":
            way = {getattr(register, name): WAYS[name] for name in WAYS}.get(value)
            if way is None:
                return None
        of_role.setdefault(register.role, []).append(value)
    if way == 0:
        return 0
    asked = [way * magnitude for magnitude in of_role.get("magnitude", ())] if way else []
    asked += [-charge for charge in of_role.get(CHARGE, ()) if way != 1]
    asked += [discharge for discharge in of_role.get(DISCHARGE, ()) if way != -1]
    asked = [power for power in asked if power] + of_role.get("power", [])
    if len({way_of(power) for power in asked}) > 1:
        return None
    return max(asked, key=abs, default=0)
