"""The network of a box under test: loopback with the allowed addresses, and a Modbus TCP device.

`unit_host.py ADDRESS...` runs in a network namespace of its own. At each address and port 502 a
device answers reads: every register holds 1. It ends with its standard input.
"""

import os
import select
import socket
import struct
import subprocess
import sys

HEAD = struct.Struct(">HHHBBHH")
PORT = 502


def answered(data):
    """The answer to a read of registers or bits."""
    number, _, _, unit, function, _, count = HEAD.unpack(data)
    size = 2 * count if function in (3, 4) else (count + 7) // 8
    body = bytes((unit, function, size)) + (b"\0\1" * size)[:size]
    return struct.pack(">HHH", number, 0, len(body)) + body


def main(addresses):
    subprocess.run("ip link set lo up".split(), check=True)
    for each in addresses:
        subprocess.run(f"ip address add {each}/32 dev lo".split(), check=True)
    can = "ip link add can0 type vcan", "ip link set can0 up"
    all(subprocess.run(each.split(), capture_output=True).returncode == 0 for each in can)
    servers = [socket.create_server((each, PORT)) for each in addresses]
    clients = []
    print("ready", flush=True)
    while sys.stdin not in (ready := select.select([sys.stdin, *servers, *clients], (), ())[0]):
        clients += [each.accept()[0] for each in servers if each in ready]
        for each in [each for each in clients if each in ready]:
            data = each.recv(HEAD.size)
            if len(data) == HEAD.size:
                each.sendall(answered(data))
            else:
                clients.remove(each)
                each.close()


if __name__ == "__main__":
    if os.environ.get("HOSTED"):
        main(sys.argv[1:])
    else:
        os.environ["HOSTED"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
