"""Driver of a rack BMS on CAN. Its profile has messages, signals, fault bits, frames to the BMS."""

from typing import Any

from drivers.can_codec import EXTENDED, sealed, word
from drivers.can_dialect import SIGN, Dialect
from drivers.can_messages import UNUSED, Messages
from drivers.profile import Table
from drivers.rack_bms import RackBms
from drivers.sink import Sink
from safety import signals as s


class CanBms(RackBms):
    """One rack. bad_frames: frames with a wrong length or check byte, or a repeated counter."""

    def _set_up(self, sink: Sink) -> None:
        profile = self.profile
        self._node_offset = self.node * profile.settings["node_stride"]
        self._sources = self._messages = Messages(profile, self.node, self._sizes)
        self.is_sealed = self._messages.is_sealed
        self.dialect = Dialect(profile, self._messages)
        self._forbidden = frozenset(profile.settings["forbidden"])
        periods_ms = [row["period_ms"] for row in profile.sent.values()]
        self.command_period_us = 1000 * min(periods_ms or [1000])
        self._command_count = -1
        self.sent_frames = dict.fromkeys(profile.sent, 0)

    def periodic(self) -> list[Any]:
        """[], because a BMS on CAN sends without requests; `command` returns the frames to it."""
        return []

    def can_ids(self) -> tuple[int, ...]:
        """The ids of this BMS, and the ids that would show another dialect."""
        return (*self._messages.by_id, *self._forbidden)

    def rows(self) -> list[Table]:
        """The row of the profile for each id of this BMS."""
        return [message.row for message in self._messages.by_id.values()]

    def on_frame(self, can_id: int, data: bytes, now_us: int) -> bool:
        """Take one frame. True if it concerns this BMS."""
        message = self._messages.by_id.get(can_id)
        if message is None:
            if can_id in self._forbidden:
                self.dialect.foreign_id = can_id
            return can_id in self._forbidden
        frame = word(data)
        source = message.source(frame, data)
        if source is None:
            self.bad_frames += 1
            self._messages.groups[s.G_BMS_STATE].is_new = True  # this group has the counter
        elif source is not UNUSED:
            self.dialect.note_frame(source, now_us)
            accepts = self.dialect.accepts(now_us) and not self.is_sign_wrong
            if accepts and self._take(source, frame, now_us, frame.little & source.mask):
                self.frames += 1
            else:
                self.refused += 1
        return True

    def command(self, close_ok: int) -> list[tuple[int, bytes]]:
        """[(id, data)] that are due; call it every `command_period_us`.

        Nothing is sent during the time of confirmation (`confirm_us`), or after an id of another
        dialect. Afterwards frames that only ask for values are sent; other frames only once the
        dialect is confirmed.
        """
        self._command_count += 1
        is_silent = self._command_count * self.command_period_us <= self.dialect.confirm_us
        if self.dialect.foreign_id is not None or is_silent and not self.dialect.is_confirmed:
            return []
        frames = []
        for name, row in self.profile.sent.items():
            if not (row["asks"] or self.dialect.is_confirmed):
                continue
            if self._command_count % (row["period_ms"] * 1000 // self.command_period_us) == 0:
                data = row["data_close"] if close_ok and row["data_close"] else row["data"]
                self.sent_frames[name] += 1
                can_id = self._sent_id(row)
                frames.append((can_id, sealed(row, can_id, data, self.sent_frames[name])))
        return frames

    def sent_ids(self) -> tuple[int, ...]:
        """The ids of the frames to the BMS."""
        return tuple(map(self._sent_id, self.profile.sent.values()))

    def _sent_id(self, row: Table) -> int:
        can_id: int = row["id"] + (self._node_offset if row["addressed"] else 0)
        return can_id | (EXTENDED if row["extended"] else 0)

    def report(self, now_us: int) -> tuple[int, int]:
        """(state of can_dialect.py, the id that it is about or 0), for the page `links`."""
        return (SIGN, 0) if self.is_sign_wrong else self.dialect.report(now_us)
