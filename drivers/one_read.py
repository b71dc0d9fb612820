"""A device that one request reads: all values of a reply count, or none."""

from typing import Any

from drivers.buses import rtu
from drivers.profile import Profile
from drivers.sink import Sink


class OneRead:
    """`refused` counts the replies that `_store` does not take. The same reply counts again."""

    def __init__(
        self, profile: Profile, unit_id: int, sink: Sink, group: int, names: list[str]
    ) -> None:
        """group: into sink.fresh; names: of the registers, in rising order."""
        self.profile, self.unit_id, self.refused = profile, unit_id, 0
        self._inp, self._fresh, self._group = sink.inp, sink.fresh, group
        self._address, self._count, layout = profile.block(names)
        self._function = profile.registers[names[0]].function
        self._unpack = layout.unpack_from
        self._pdu: bytes | None = None

    def periodic(self) -> list[tuple[rtu.Request, int]]:
        """[(Request, period in us)]: the one read."""
        key, place = (self.unit_id, self.profile.family), (self._address, self._count)
        request = rtu.read_request(key, self.unit_id, self._function, *place, self._on_reply)
        return [(request, self.profile.period_ms * 1000)]

    schedule = periodic

    def _on_reply(self, pdu: bytes, now_us: int) -> None:
        if pdu != self._pdu and not self._store(pdu, self._unpack(pdu, 2)):
            self.refused += 1
            return
        self._pdu = pdu
        self._fresh[self._group] = 1

    def _store(self, pdu: bytes, values: tuple[Any, ...]) -> bool:
        """Store the values of a new reply. False, and nothing stored: it is refused."""
        raise NotImplementedError
