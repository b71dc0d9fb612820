"""Sends one import maximum: python3 send_hint.py SOCKET KEYFILE SOURCE WATTS SECONDS"""

import hashlib
import hmac
import socket
import struct
import sys

GRID_CAP, IMPORT_W_MAX = 3, 4
try:
    path, key_file, source, watts, seconds = sys.argv[1:]
    key = bytes.fromhex(open(key_file).read())
    name = source.encode().ljust(16, b"\0")
    value_W, valid_ms = int(watts), int(seconds) * 1000

    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    link.bind("")  # an abstract address: the controller does not answer to a path
    for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        link.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", 2, 0))

    link.sendto(struct.pack("<4s16s", b"FBQ1", name), path)
    _, nonce, uptime_ms, sequence = struct.unpack("<4s8sQQ", link.recv(64))

    hint = struct.pack(
        "<4s16s8sQQBBHiI",
        b"FBH1",
        name,
        nonce,
        sequence + 1,
        uptime_ms,
        GRID_CAP,
        IMPORT_W_MAX,
        0,
        value_W,
        valid_ms,
    )
    link.sendto(hint + hmac.new(key, hint, hashlib.sha256).digest(), path)
    reply = link.recv(256)
except BlockingIOError:
    sys.exit("no answer came: is the source known, the key right? firebreak sources counts both")
except (OSError, struct.error) as error:
    sys.exit(f"{error} ({key_file}, {path}: does the controller run?)")
except ValueError:
    sys.exit(f"KEYFILE: 64 hex digits, WATTS and SECONDS: whole numbers. {__doc__}")

if not hmac.compare_digest(hmac.new(key, reply[:-32], hashlib.sha256).digest(), reply[-32:]):
    sys.exit("the reply is not from the controller")
fields = struct.unpack("<4s16s8sQQHBBiiIiiiHHiHH32s", reply)
code, asked_W, granted_W, valid_ms, fallback_W, low_W, high_W = [
    fields[index] for index in (5, 8, 9, 10, 11, 12, 13)
]
print(
    f"H{code}: in force {granted_W} W for {valid_ms} ms, available {low_W} .. {high_W} W, now "
    f"{fields[16]} W"
)
sys.exit(code > 10)
