"""A cabinet without a battery that speaks the datagrams of hints: for thousands of cabinets.

It keeps the import limit, its fallback after an expiry, and the epoch over a restart. Its source is
the pages about datagrams; it shares no code with the controller.
"""

import hmac
import json
import random
import struct

HINT = struct.Struct("<4s16s8sQQBBHiI")
REPLY = struct.Struct("<4s16s8sQQHBBiiIiiiHHiH2x")
GRID_CAP, HEARTBEAT, IMPORT_W_MAX = 3, 4, 4
GRANTED, WAITS_FOR_BEAT, OTHER_BOOT, OLD, LATE, EARLY, UNSTORED = 1, 6, 21, 22, 23, 24, 36
LATE_MS, EARLY_MS = 2000, 100


class StandIn:
    """One cabinet with a load of its own. `load_W`: what the load asks for."""

    def __init__(self, name: str, key: bytes, fallback_W: int, draw: random.Random) -> None:
        self.name, self._key, self.fallback_W, self._draw = name, key, fallback_W, draw
        self.load_W, self._epoch, self._clock_rate = 0, 0, draw.uniform(0.9995, 1.0005)
        self._boot_ms = 0.0
        self.boot(0.0)

    def boot(self, now_ms: float) -> None:
        """Restart: only the epoch is kept."""
        self._nonce, self._boot_ms = self._draw.randbytes(8), now_ms
        self._sequence = self._epoch << 32
        self._value_W, self._until_ms, self._beat_ms = 0, 0.0, 0.0
        self._has_lapsed = False

    def welcome(self, now_ms: float) -> bytes:
        """The answer to a hello."""
        return b"FBN1" + self._nonce + struct.pack("<QQ", self._uptime_ms(now_ms), self._sequence)

    def _uptime_ms(self, now_ms: float) -> int:
        return int((now_ms - self._boot_ms) * self._clock_rate)

    def limit_W(self, now_ms: float) -> int:
        """The import limit in force. Ends a limit whose time is over."""
        up_ms = self._uptime_ms(now_ms)
        if up_ms >= self._until_ms:
            if self._until_ms:
                self._has_lapsed = True
                self._until_ms = self._beat_ms = 0.0
            return self.fallback_W
        if self._has_lapsed and up_ms >= self._beat_ms:
            return min(self.fallback_W, self._value_W)
        return self._value_W

    def receive(self, data: bytes, now_ms: float) -> bytes | None:
        """The answer to a hint; None: it is not genuine."""
        body, mac = data[:-32], data[-32:]
        if len(body) != HINT.size or not hmac.compare_digest(
            hmac.digest(self._key, body, "sha256"), mac
        ):
            return None
        _, source, nonce, sequence, sent_ms, kind, quantity, _, value_W, valid_ms = HINT.unpack(
            body
        )
        up_ms = self._uptime_ms(now_ms)
        self.limit_W(now_ms)
        if nonce != self._nonce:
            code = OTHER_BOOT
        elif sequence <= self._sequence:
            code = OLD
        elif kind != HEARTBEAT and 0 < self._epoch < sequence >> 32:
            self._sequence, code = sequence, UNSTORED
        else:
            self._sequence = sequence
            code = self._take(kind, sequence, sent_ms, value_W, valid_ms, up_ms)
        value_W_now, left_ms = self.limit_W(now_ms), max(0, self._until_ms - up_ms)
        if code == GRANTED and kind == GRID_CAP and value_W_now != value_W:
            code = WAITS_FOR_BEAT
        fields = self._nonce, sequence, up_ms, code, kind, quantity, value_W, value_W_now
        rest = int(left_ms), self.fallback_W, 0, 0, 0, 0, 0, 0
        answer = REPLY.pack(b"FBR1", source, *fields, *rest)
        return answer + hmac.digest(self._key, answer, "sha256")

    def _take(
        self, kind: int, sequence: int, sent_ms: int, value_W: int, valid_ms: int, up_ms: int
    ) -> int:
        if sent_ms < up_ms - LATE_MS:
            return LATE
        if sent_ms > up_ms + EARLY_MS:
            return EARLY
        if kind == HEARTBEAT:
            self._epoch, self._beat_ms = max(self._epoch, sequence >> 32), up_ms + valid_ms
            if up_ms < self._until_ms:
                self._has_lapsed = False
        else:
            self._value_W, self._until_ms = value_W, float(up_ms + valid_ms)
            if up_ms < self._beat_ms:
                self._has_lapsed = False
        return GRANTED

    def report(self, now_ms: float) -> bytes:
        """The report of now: a load without a battery, which takes at most its limit."""
        drawn_W = min(self.load_W, self.limit_W(now_ms))
        return json.dumps(
            {
                "uptime_ms": self._uptime_ms(now_ms),
                "state": "running",
                "battery_W": self.load_W - drawn_W,
                "grid_W": drawn_W,
                "load_W": self.load_W,
                "discharge_W_max": 0,
                "soc_permille": 500,
            }
        ).encode()
