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
_NOT_YET = object()  # no message is whole; None is one: msgpack's nil
# What json and msgpack raise on nonsense; recursion: brackets nested a thousand deep.
_NONSENSE = (ValueError, RecursionError, msgpack.UnpackException)


class StreamError(Exception):
    """The stream cannot be followed any further."""


class JsonLines:
    """Messages of a stream of JSON lines. `take` yields a dict per message, None for a line that is
    none.
    """

    def __init__(self):
        self._rest, self._skipping = b"", False

    def feed(self, data):
        """Add bytes that have arrived."""
        self._rest += data

    def take(self):
        """(True, message or None) of the next whole line, (False, None) when there is none yet."""
        while True:
            line, end, rest = self._rest.partition(b"\n")
            if not end:
                return self._overlong()
            self._rest = rest
            skipping, self._skipping = self._skipping, False
            if skipping:
                continue
            if len(line) > MESSAGE_BYTES_MAX:
                return True, None
            if line.strip(_BLANK):
                return True, self._parsed(line)

    def _overlong(self):
        """No end of a line in sight: what is too long is dropped, and said once."""
        told = self._skipping
        if len(self._rest) <= MESSAGE_BYTES_MAX and not told:
            return False, None
        self._rest, self._skipping = b"", True
        return not told, None

    @staticmethod
    def _parsed(line):
        try:
            message = json.loads(line)
        except _NONSENSE:
            return None
        return message if isinstance(message, dict) else None

    @staticmethod
    def packed(message):
        """A message as bytes."""
        return json.dumps(message).encode() + b"\n"


class Msgpack:
    """Messages of a stream of msgpack maps, each behind its length or not. As JsonLines;
    StreamError on nonsense.
    """

    def __init__(self, prefixed):
        self._rest, self._prefixed = b"", prefixed

    def feed(self, data):
        """Add bytes that have arrived."""
        self._rest += data

    def take(self):
        """(True, message) of the next whole map, (False, None) when there is none yet."""
        found = self._behind_length() if self._prefixed else self._delimited()
        if found is _NOT_YET:
            return False, None
        if not isinstance(found, dict):
            raise StreamError
        return True, found

    def _behind_length(self):
        if len(self._rest) < LENGTH.size:
            return _NOT_YET
        end = LENGTH.size + LENGTH.unpack_from(self._rest)[0]
        if end > LENGTH.size + MESSAGE_BYTES_MAX:
            raise StreamError
        if len(self._rest) < end:
            return _NOT_YET
        data, self._rest = self._rest[LENGTH.size : end], self._rest[end:]
        try:
            return msgpack.unpackb(data)
        except (*_NONSENSE, TypeError) as error:
            raise StreamError from error

    def _delimited(self):
        if not self._rest:
            return _NOT_YET
        unpacker = msgpack.Unpacker(max_buffer_size=MESSAGE_BYTES_MAX)
        try:
            unpacker.feed(self._rest[:MESSAGE_BYTES_MAX])
            found = unpacker.unpack()
        except msgpack.OutOfData as error:
            if len(self._rest) >= MESSAGE_BYTES_MAX:
                raise StreamError from error
            return _NOT_YET
        except (*_NONSENSE, TypeError) as error:
            raise StreamError from error
        self._rest = self._rest[unpacker.tell() :]
        return found

    def packed(self, message):
        """A message as bytes, in the form of those that come in."""
        data = msgpack.packb(message)
        return LENGTH.pack(len(data)) + data if self._prefixed else data


def framing_of(first_byte):
    """The framing of a stream that begins with this byte (int)."""
    if first_byte == 0:
        return Msgpack(True)
    return Msgpack(False) if first_byte in _MAPS else JsonLines()
