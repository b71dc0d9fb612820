"""Prints the power and the available power: python3 read_status.py SOCKET KEYFILE SOURCE"""

import hashlib
import hmac
import socket
import struct
import sys

try:
    path, key_file, source = sys.argv[1:]
    key = bytes.fromhex(open(key_file).read())
    link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    link.bind("")  # an abstract address: the controller does not answer to a path
    for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        link.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", 2, 0))
    link.sendto(struct.pack("<4s16s", b"FBS1", source.encode()), path)
    data = link.recv(256)
except BlockingIOError:
    sys.exit("no answer came: is the source known, and has it a key?")
except OSError as error:
    sys.exit(f"{error} ({key_file}, {path}: does the controller run?)")
except ValueError:
    sys.exit(f"KEYFILE: 64 hex digits. {__doc__}")

if not hmac.compare_digest(hmac.new(key, data[:-32], hashlib.sha256).digest(), data[-32:]):
    sys.exit("the answer is not signed with this key")
setpoint_W, low_W, high_W, remaining_Wh, soft, hard, low, high, binding, in_control = (
    struct.unpack_from("<iiiiHHHHH2x16s", data, 36)
)
energy = "unknown energy" if remaining_Wh < 0 else f"{remaining_Wh} Wh"
print(
    f"{setpoint_W} W (R{binding}), available {low_W} (R{low}) .. {high_W} (R{high}) W, {energy} "
    f"above the reserve of "
    f"{soft / 10} % (never below {hard / 10} %), in control: "
    f"{in_control.decode().strip(chr(0)) or '-'}"
)
