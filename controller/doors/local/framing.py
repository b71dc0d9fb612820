"""Splits a stream into messages, JSON lines or msgpack. The first byte shows the format.

JSON: one object per line. A client can send an empty line first, to end noise on the line. msgpack:
maps one after the other, or each map after its length (four bytes, big-endian). A map never begins
with 0x00, and a length below 16 MB always does. A JSON line that is too long is dropped up to its
end. Wrong msgpack ends the connection, because the next map cannot be found.
"""

import json
import struct
from abc import ABC, abstractmethod
from enum import Enum
from typing import Any

import msgpack

from controller.system import json_text

MESSAGE_BYTES_MAX = 8192  # a schedule of 96 slots has at most 5 000 bytes as JSON
LENGTH = struct.Struct(">I")
_MAPS = (*range(0x80, 0x90), 0xDE, 0xDF)
_BLANK = b" \t\r\n"
_WRONG_INPUT = (ValueError, msgpack.UnpackException)  # raised by json and msgpack

Message = dict[str, Any]  # decoded, but its keys and values are not checked


class _NotYet(Enum):
    NOT_YET = 0


NOT_YET = _NotYet.NOT_YET  # no complete message has arrived
Taken = Message | None | _NotYet


class StreamError(Exception):
    """The gateway cannot find the next message in the stream."""


class Framing(ABC):
    """Bytes of a stream that have not become messages yet."""

    _rest = b""

    def feed(self, data: bytes) -> None:
        """Add bytes that have arrived."""
        self._rest += data

    @abstractmethod
    def take(self) -> Taken:
        """The next message, None for wrong input, or NOT_YET. StreamError: the stream is lost."""

    @abstractmethod
    def packed(self, message: Message) -> bytes:
        """A message as bytes, in the format of the received messages."""


class JsonLines(Framing):
    """Messages of a stream of JSON lines."""

    _is_skipping = False

    def take(self) -> Taken:
        """The next message; None for a line that is no object or too long."""
        while True:
            line, end, rest = self._rest.partition(b"\n")
            if not end:
                return self._overlong()
            self._rest = rest
            was_skipping, self._is_skipping = self._is_skipping, False
            if not was_skipping and len(line) > MESSAGE_BYTES_MAX:
                return None
            if not was_skipping and line.strip(_BLANK):
                return self._parsed(line)

    def _overlong(self) -> None | _NotYet:
        """Drop a line that is too long before its end arrives. Report it once."""
        was_reported = self._is_skipping
        if len(self._rest) <= MESSAGE_BYTES_MAX and not was_reported:
            return NOT_YET
        self._rest, self._is_skipping = b"", True
        return NOT_YET if was_reported else None

    @staticmethod
    def _parsed(line: bytes) -> Message | None:
        try:
            message = json_text.loads(line)
        except _WRONG_INPUT:
            return None
        return message if isinstance(message, dict) else None

    def packed(self, message: Message) -> bytes:
        """A message as a line."""
        return json.dumps(message).encode() + b"\n"


class Msgpack(Framing):
    """Messages of a stream of msgpack maps. has_length: each map is preceded by its length."""

    def __init__(self, has_length: bool):
        self._has_length = has_length

    def take(self) -> Taken:
        """The next message. StreamError for anything that is not a map."""
        try:
            message = self._after_length() if self._has_length else self._delimited()
        except (*_WRONG_INPUT, TypeError) as error:
            raise StreamError from error
        if message is not NOT_YET and not (
            isinstance(message, dict) and json_text.is_shallow(message)
        ):
            raise StreamError
        return message

    def _after_length(self) -> Any:
        if len(self._rest) < LENGTH.size:
            return NOT_YET
        end = LENGTH.size + LENGTH.unpack_from(self._rest)[0]
        if end > LENGTH.size + MESSAGE_BYTES_MAX:
            raise StreamError
        if len(self._rest) < end:
            return NOT_YET
        data, self._rest = self._rest[LENGTH.size : end], self._rest[end:]
        return msgpack.unpackb(data)

    def _delimited(self) -> Any:
        unpacker = msgpack.Unpacker(max_buffer_size=MESSAGE_BYTES_MAX)
        unpacker.feed(self._rest[:MESSAGE_BYTES_MAX])
        try:
            message = unpacker.unpack()
        except msgpack.OutOfData:
            if len(self._rest) >= MESSAGE_BYTES_MAX:
                raise
            return NOT_YET
        self._rest = self._rest[unpacker.tell() :]
        return message

    def packed(self, message: Message) -> bytes:
        """A message as a map, after its length if the received maps have one."""
        data = msgpack.packb(message)
        return LENGTH.pack(len(data)) + data if self._has_length else data


def framing_of(first_byte: int) -> Framing:
    """The framing of a stream that begins with this byte."""
    if first_byte == 0:
        return Msgpack(True)
    return Msgpack(False) if first_byte in _MAPS else JsonLines()
