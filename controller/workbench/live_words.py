"""Shows the frames of a bus as lines for a person, for `firebreak bus sniff`. Profiles decode the
frames. A line has the values that have changed since the last frame.
"""

from collections.abc import Iterable

from controller.config.profile_form import CAN_BMS
from controller.workbench import can_fits
from controller.workbench.can_decoding import RackDecoder
from controller.workbench.decoding import RegisterDecoder
from controller.workbench.exchanges import Exchanges, Failure, ModbusEvent
from controller.workbench.findings import Found, Value
from controller.workbench.rtu_stream import REPLY, REQUEST, Piece
from drivers.buses.rtu import place_of
from drivers.profile import Profile


class CanWords:
    """Makes lines of the frames of a CAN bus. A frame that repeats its values gives no line."""

    def __init__(self, known: Iterable[tuple[int, Profile]]):
        """known: (node, profile) of each known rack."""
        self._racks = [
            (node, RackDecoder(profile, node))
            for node, profile in known
            if profile.family == CAN_BMS
        ]
        self._last: dict[tuple[int, int], bytes] = {}

    def take(self, time_us: int, can_id: int, data: bytes) -> list[str]:
        """Lines for one frame. [] if it has the same values as the last frame with this id."""
        is_same = self._last.get((can_id, len(data))) == data
        self._last[can_id, len(data)] = data
        texts = [
            f"{_text(finding)} (node {node})"
            for node, rack in self._racks
            for finding in rack.take(time_us, can_id, data)
        ]
        if is_same and not texts:
            return []
        text = ", ".join(texts) or data.hex(" ").upper()
        return [f"{_clock(time_us)} {can_fits.shown(can_id):>8} {text}"]


def _text(finding: Found) -> str:
    if isinstance(finding, Value):
        return f"{finding.name} {finding.value:.6g} {finding.unit}".rstrip()
    return f"{finding.name} refused: {finding.reason}"


class ModbusWords:
    """Makes lines of the frames of a Modbus RTU bus. The profile of a unit decodes its replies."""

    def __init__(self, known: dict[int, Profile] | Profile):
        self._known = known
        self._decoders: dict[int, RegisterDecoder] = {}
        self._exchanges = Exchanges()

    def take(self, time_us: int, piece: Piece) -> list[str]:
        """The lines for one frame."""
        clock, data = _clock(time_us), piece.data
        if piece.direction not in (REQUEST, REPLY):
            shown = f"{clock} ? {data.hex(' ').upper()}"
            return [f"{shown}: no frame: noise, another baud rate, or two that speak at once"]
        events = self._exchanges.take(time_us, piece.direction, data)
        lines = [f"{clock} < {self._words(event, data)}" for event in events]
        if piece.direction == REQUEST:
            address, count = place_of(data)
            lines.append(f"{clock} > unit {data[0]}: function {data[1]}, {address}, {count}")
        return lines

    def _words(self, event: ModbusEvent, data: bytes) -> str:
        if isinstance(event, Failure):
            place = f" of {event.place}" if event.place else ""
            return f"unit {event.unit_id}{place}: {event.reason}" if place else event.reason
        decoder = self._decoder(event.unit_id)
        parts = (
            decoder.take(event.time_us, event.function, event.address, event.words)
            if decoder
            else ()
        )
        text = ", ".join(map(_text, parts)) or f"{event.address}: {data[3:-2].hex(' ', 2).upper()}"
        if decoder and decoder.profile.models:
            text += " (its SunSpec chain was not heard from its beginning)"
        return f"unit {event.unit_id}: {text}"

    def _decoder(self, unit_id: int) -> RegisterDecoder | None:
        profile = self._known if isinstance(self._known, Profile) else self._known.get(unit_id)
        if profile and unit_id not in self._decoders:
            self._decoders[unit_id] = RegisterDecoder(profile)
        return self._decoders.get(unit_id)


def _clock(time_us: int) -> str:
    """The time of day, UTC."""
    whole_ms = time_us // 1000
    hours, minutes, seconds = [whole_ms // unit for unit in (3_600_000, 60_000, 1000)]
    return f"{hours % 24:02d}:{minutes % 60:02d}:{seconds % 60:02d}.{whole_ms % 1000:03d}"
