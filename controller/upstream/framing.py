"""Where a message ends and the next begins in a stream of bytes: JSON lines, or msgpack, told apart
by the first byte.

JSON: one object per line; an empty line is no message, but ends what noise was before it. msgpack:
one map after the other, or each behind its length as four bytes, big-endian. A map never begins
with 0x00 and a length below 16 MB always does. Buffers are bounded: a line that is too long is
dropped up to its end; in msgpack nothing can be found again after nonsense, so the connection ends.
"""

import json
import struct

import msgpack

MESSAGE_BYTES_MAX = 4096
LENGTH = struct.Struct(">I")
_MAPS = (*range(0x80, 0x90), 0xDE, 0xDF)
_BLANK = b" \t\r\n"
NOT_YET = object()  # no message is whole
# What json and msgpack raise on nonsense; recursion: brackets nested a thousand deep.
_NONSENSE = (ValueError, RecursionError, msgpack.UnpackException)


class StreamError(Exception):
    """The stream cannot be followed any further."""


class _Stream:
    """Bytes of a stream that have not become messages yet."""

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """Add bytes that have arrived."""
        self._rest += data


class JsonLines(_Stream):
    """Messages of a stream of JSON lines."""

    _skipping = False

    def take(self):
        """The next message, None for a line that is none, NOT_YET when there is no whole line."""
        while True:
            line, end, rest = self._rest.partition(b"\n")
            if not end:
                return self._overlong()
            self._rest = rest
            skipping, self._skipping = self._skipping, False
            if not skipping and len(line) > MESSAGE_BYTES_MAX:
                return None
            if not skipping and line.strip(_BLANK):
                return self._parsed(line)

    def _overlong(self):
        """No end of a line in sight: a line that is too long is dropped, and reported once."""
        reported = self._skipping
        if len(self._rest) <= MESSAGE_BYTES_MAX and not reported:
            return NOT_YET
        self._rest, self._skipping = b"", True
        return NOT_YET if reported else None

    @staticmethod
    def _parsed(line):
        try:
            message = json.loads(line)
        except _NONSENSE:
            return None
        return message if isinstance(message, dict) else None

    @staticmethod
    def packed(message: dict) -> bytes:
        """A message as bytes."""
        return json.dumps(message).encode() + b"\n"


class Msgpack(_Stream):
    """Messages of a stream of msgpack maps, each behind its length or not."""

    def __init__(self, prefixed: bool):
        super().__init__()
        self._prefixed = prefixed

    def take(self):
        """The next message, NOT_YET when there is no whole map. StreamError on nonsense."""
        try:
            found = self._behind_length() if self._prefixed else self._delimited()
        except (*_NONSENSE, TypeError) as error:
            raise StreamError from error
        if found is not NOT_YET and not isinstance(found, dict):
            raise StreamError
        return found

    def _behind_length(self):
        if len(self._rest) < LENGTH.size:
            return NOT_YET
        end = LENGTH.size + LENGTH.unpack_from(self._rest)[0]
        if end > LENGTH.size + MESSAGE_BYTES_MAX:
            raise StreamError
        if len(self._rest) < end:
            return NOT_YET
        data, self._rest = self._rest[LENGTH.size : end], self._rest[end:]
        return msgpack.unpackb(data)

    def _delimited(self):
        unpacker = msgpack.Unpacker(max_buffer_size=MESSAGE_BYTES_MAX)
        unpacker.feed(self._rest[:MESSAGE_BYTES_MAX])
        try:
            found = unpacker.unpack()
        except msgpack.OutOfData:
            if len(self._rest) >= MESSAGE_BYTES_MAX:
                raise
            return NOT_YET
        self._rest = self._rest[unpacker.tell() :]
        return found

    def packed(self, message: dict) -> bytes:
        """A message as bytes, in the form of those that come in."""
        data = msgpack.packb(message)
        return LENGTH.pack(len(data)) + data if self._prefixed else data


def framing_of(first_byte: int):
    """The framing of a stream that begins with this byte (int)."""
    if first_byte == 0:
        return Msgpack(True)
    return Msgpack(False) if first_byte in _MAPS else JsonLines()
