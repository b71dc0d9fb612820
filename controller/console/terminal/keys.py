"""Turns the bytes of a terminal into keys. A key is a printable ASCII character or one of five
controls. Other bytes are dropped.
"""

ENTER, ERASE, CANCEL, INTERRUPT, REDRAW = "\r", "\b", "\x1b", "\x03", "\x0c"
_CONTROLS = {0x0D: ENTER, 0x0A: ENTER, 0x08: ERASE, 0x7F: ERASE, 0x03: INTERRUPT, 0x0C: REDRAW}
_SEQUENCE_BYTES_MAX = 16
ESC, LF = 0x1B, 0x0A
_PLAIN, _ESCAPED, _IN_SEQUENCE = range(3)


class Decoder:
    """Turns bytes into keys. The bytes may come in pieces of any size. An escape sequence (arrow,
    function key) gives no key.
    """

    _state, _length = _PLAIN, 0
    _before: int | None = None

    @property
    def is_open(self) -> bool:
        """True after an escape byte, while further bytes may still make it an escape sequence."""
        return self._state != _PLAIN

    def feed(self, data: bytes) -> list[str]:
        """Keys of these bytes."""
        return [key for byte in data if (key := self._take(byte)) is not None]

    def quiet(self) -> list[str]:
        """Call this after a time without bytes. If the last byte was an escape, it was the key
        CANCEL. Returns the keys.
        """
        is_alone = self._state == _ESCAPED
        self._state = _PLAIN
        return [CANCEL] if is_alone else []

    def _take(self, byte: int) -> str | None:
        before, self._before = self._before, byte
        if byte == ESC:
            self._state, self._length = _ESCAPED, 0
            return None
        if self._state == _PLAIN:
            if byte == LF and before == 0x0D:  # some terminals end lines with CR LF
                return None
            return chr(byte) if 0x20 <= byte <= 0x7E else _CONTROLS.get(byte)
        self._in_escape(byte)
        return None

    def _in_escape(self, byte: int) -> None:
        self._length += 1
        if self._state == _ESCAPED and byte in b"[O":
            self._state = _IN_SEQUENCE
        elif self._state == _ESCAPED or 0x40 <= byte <= 0x7E or self._length > _SEQUENCE_BYTES_MAX:
            self._state = _PLAIN
