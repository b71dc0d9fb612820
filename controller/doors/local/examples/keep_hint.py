"""Keeps one import maximum in force: python3 keep_hint.py SOCKET KEYFILE SOURCE WATTS SECONDS

A hint is valid for SECONDS. After a third of this time the program sends the maximum again, with a
heartbeat. When a hint expires, the controller uses the fallback of the source instead; the next
heartbeat and hint end the fallback. The program goes on when the controller restarts. It ends when
the controller can never accept the hint, because the key or the value is wrong.
"""

import hashlib
import hmac
import socket
import struct
import sys
import time

GRID_CAP, HEARTBEAT, IMPORT_W_MAX = 3, 4, 4
NONCE, SEQUENCE, AHEAD_ms = range(3)  # places in the answer of hello
try:
    path, key_file, source, watts, seconds = sys.argv[1:]
    key, name = bytes.fromhex(open(key_file).read()), source.encode().ljust(16, b"\0")
    value_W, valid_ms = int(watts), int(seconds) * 1000
except OSError as problem:
    sys.exit(str(problem))
except ValueError:
    sys.exit("KEYFILE: 64 hex digits, WATTS and SECONDS: whole numbers. " + __doc__.splitlines()[0])


def ask(data: bytes) -> bytes:
    """The answer to a datagram. Each uses a new socket, so that no earlier answer can come late."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.bind("")  # an abstract address: the controller does not answer to a path
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            link.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", 2, 0))
        link.sendto(data, path)
        return link.recv(256)


def hello() -> list:
    """[nonce, highest sequence, ms by which the controller's clock is ahead of the clock here]."""
    _, nonce, uptime_ms, sequence = struct.unpack(
        "<4s8sQQ", ask(struct.pack("<4s16s", b"FBQ1", name))
    )
    return [nonce, sequence, uptime_ms - time.monotonic_ns() // 1_000_000]


def send(run: list, kind: int, quantity: int, number_W: int) -> tuple[int, int, int]:
    """(code, W in force, ms left) for one hint. run: the result of hello."""
    run[SEQUENCE] += 1  # the next sequence, even after a hint that was refused or not answered
    hint = struct.pack(
        "<4s16s8sQQBBHiI",
        b"FBH1",
        name,
        run[NONCE],
        run[SEQUENCE],
        run[AHEAD_ms] + time.monotonic_ns() // 1_000_000,
        kind,
        quantity,
        0,
        number_W,
        valid_ms,
    )
    reply = ask(hint + hmac.new(key, hint, hashlib.sha256).digest())
    if not hmac.compare_digest(hmac.new(key, reply[:-32], hashlib.sha256).digest(), reply[-32:]):
        raise OSError("the reply is not from the controller")
    return struct.unpack_from("<H6xiI", reply, 44)


run, line, was_taken = None, "", False
while True:
    before, wait_s = line, 1.0
    try:
        run = run or hello()
        beat = send(run, HEARTBEAT, 0, 0)[0]
        code, in_force_W, left_ms = send(run, GRID_CAP, IMPORT_W_MAX, value_W)
        code = max(beat, code)  # 1 .. 10 taken, 21 and more refused
        line = f"H{code}: refused"
        if code <= 10:
            was_taken, wait_s = True, valid_ms / 3000
            line = f"H{code}: in force {in_force_W} W{'' if left_ms else ', the fallback'}"
        elif code <= 24:  # a restart, another program with the same source, or a clock that jumped
            run, wait_s = None, 0.2
        elif code <= 32:
            sys.exit(f"{line} for good: see the table of codes")
    except OSError as error:
        if isinstance(error, BlockingIOError) and not was_taken:
            sys.exit(
                "no answer came: is the source known, the key right? firebreak sources counts both"
            )
        run, line = None, f"no answer ({error}): fallbacks hold; trying again"
    if line != before:
        print(line, flush=True)
    time.sleep(wait_s)
