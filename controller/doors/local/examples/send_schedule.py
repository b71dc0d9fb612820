"""Sends a schedule of 96 equal slots: python3 send_schedule.py SOCKET KEYFILE SOURCE CAP LOW HIGH

CAP: grid cap, LOW, HIGH: battery power from and to, all in W. Each slot lasts 15 minutes; the first
one is the present quarter of an hour. The schedule acts only while a heartbeat is valid. The
program sends one that is valid for 300 s; send others before it ends.
"""

import hashlib
import hmac
import socket
import struct
import sys
import time

HEARTBEAT, SLOT_MIN, COUNT, VALID_MS = 4, 15, 96, 300_000
STATES = (
    "no schedule",
    "it acts",
    "it begins later",
    "it is over",
    "it waits for a heartbeat",
    "it waits for the clock of the box",
    "it pauses off the grid",
)
try:
    path, key_file, source, *powers = sys.argv[1:]
    key = bytes.fromhex(open(key_file).read())
    name = source.encode().ljust(16, b"\0")
    cap_W, low_W, high_W = map(int, powers)

    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    link.bind("")  # an abstract address: the controller does not answer to a path
    for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        link.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", 2, 0))

    def ask(data: bytes) -> bytes:
        """The answer to a signed datagram, its MAC checked."""
        link.sendto(data + hmac.new(key, data, hashlib.sha256).digest(), path)
        reply = link.recv(1500)
        if not hmac.compare_digest(
            hmac.new(key, reply[:-32], hashlib.sha256).digest(), reply[-32:]
        ):
            sys.exit("the reply is not from the controller")
        return reply

    link.sendto(struct.pack("<4s16s", b"FBQ1", name), path)
    _, nonce, uptime_ms, sequence = struct.unpack("<4s8sQQ", link.recv(64))
    start_min = int(time.time()) // 60 // SLOT_MIN * SLOT_MIN

    beat = (name, nonce, sequence + 1, uptime_ms, HEARTBEAT, 0, 0, 0, VALID_MS)
    ask(struct.pack("<4s16s8sQQBBHiI", b"FBH1", *beat))
    head = (name, nonce, sequence + 2, uptime_ms, start_min, SLOT_MIN, COUNT, 0)
    slots = struct.pack("<iiiH", cap_W, low_W, high_W, 0) * COUNT
    answer = ask(struct.pack("<4s16s8sQQIHHH2x", b"FBP1", *head) + slots)
except BlockingIOError:
    sys.exit("no answer came: is the source known, the key right? firebreak sources counts both")
except (OSError, struct.error) as error:
    sys.exit(f"{error} ({key_file}, {path}: does the controller run?)")
except ValueError:
    sys.exit(f"KEYFILE: 64 hex digits, the powers: whole numbers. {__doc__.splitlines()[0]}")

code, refused_slot, _, state, slot, count = struct.unpack_from("<6H", answer, 44)
verdict = (
    "refused" + (f", slot {refused_slot} is wrong" if refused_slot > 0 else "")
    if code > 10
    else "taken"
)
now = STATES[state] + (f", slot {slot}" if slot > 0 else "")
print(f"H{code}: {verdict}; the box has a schedule of {count} slots: {now}")
sys.exit(code > 10)
