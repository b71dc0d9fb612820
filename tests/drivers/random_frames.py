"""Random damage to the frames of a device, and what a driver may take of them.

The judge shares no code with the drivers: a bitwise CRC, and the form of a reply by the Modbus
specification (Application Protocol V1.1b3, chapter 6).
"""

import random
import struct

from drivers.buses.port import RtuPort
from drivers.buses.unit import UnitStatistics
from safety import signals as s

ECHOED = (5, 6, 15, 16)  # the reply repeats unit id, function, address and value or count


def crc(data):
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value.to_bytes(2, "little")


def is_reply_in(data, request):
    """A whole good reply to `request` lies somewhere in `data`."""
    if request[1] in ECHOED:
        head, size = request[:6], 8
    else:
        (count,) = struct.unpack(">H", request[4:6])
        content = -(-count // 8) if request[1] in (1, 2) else 2 * count
        head, size = bytes((*request[:2], content)), 5 + content
    places = [at for at in range(len(data) - size + 1) if data.startswith(head, at)]
    return any(crc(data[at : at + size - 2]) == data[at + size - 2 : at + size] for at in places)


def _flipped(draw, data):
    found = bytearray(data)
    for _ in range(draw.randint(1, 3)):
        if found:
            found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def _drawn(draw, data):
    """Any content behind the right head, with a right CRC."""
    extremes = (0x0000, 0xFFFF, 0x7FFF, 0x8000)
    words = [draw.choice((*extremes, draw.randrange(65536))) for _ in range(len(data) // 2)]
    content = struct.pack(f">{len(words)}H", *words)[: max(0, len(data) - 5)]
    return sealed(data[:3] + content)


def sealed(body):
    return body + crc(body)


# equally likely; `data` is the right reply
DAMAGES = (
    lambda draw, data: data,
    lambda draw, data: data,
    lambda draw, data: b"",
    _flipped,
    _drawn,
    lambda draw, data: sealed(_flipped(draw, data[:-2])),
    lambda draw, data: data[: draw.randrange(len(data) + 1)],
    lambda draw, data: (
        draw.randbytes(draw.randrange(20)) + data + draw.randbytes(draw.randrange(9))
    ),
    lambda draw, data: draw.randbytes(draw.randrange(260)),
    lambda draw, data: data + data,
    lambda draw, data: sealed(bytes((data[0], data[1] | 0x80, draw.randrange(256)))),
)


def damaged(draw, data):
    return draw.choice(DAMAGES)(draw, data) if data else data


def ranges_of(layout):
    """[(group, place, low, high)] of every input of the kernel."""
    blocks, units, racks = [(s.CABINET_INPUTS, 0, 0)], range(layout.units), range(layout.racks)
    blocks += [(s.UNIT_INPUTS, layout.unit_input(at, 0), layout.unit_group(at, 0)) for at in units]
    blocks += [(s.RACK_INPUTS, layout.rack_input(at, 0), layout.rack_group(at, 0)) for at in racks]
    return [
        (first_group + group, first + at, low, high)
        for rows, first, first_group in blocks
        for at, (_, _, low, high, group) in enumerate(rows)
    ]


def assert_in_range(sink, ranges):
    """Each value of a group that is fresh; the groups are reset."""
    for group, place, low, high in ranges:
        assert not sink.fresh[group] or low <= sink.inp[place] <= high, (group, place)
    sink.fresh[:] = bytes(len(sink.fresh))


def exchange(device, slave, sink, ranges, count, seed):
    """`count` frames of the slave, most of them damaged, in pieces; returns how many were taken."""
    draw, port, now_us, frames = random.Random(seed), RtuPort("random", 115_200), 0, 0
    for request, period_us in device.periodic():
        port.add(request, period_us)
    unit = port.statistics.setdefault(slave.unit_id, UnitStatistics())
    service = getattr(device, "service", lambda now_us: ())
    while frames < count:
        now_us = max(now_us + 1000, min(port.wake_us, now_us + 100_000))
        slave.each_ms(now_us)
        for request in service(now_us):
            port.submit(request)
        asked = port.poll(now_us)
        if not asked:
            continue
        frames += 1
        data, before = damaged(draw, slave.answer(asked)), unit.ok
        cut = draw.randrange(len(data) + 1)
        for piece in (data[:cut], data[cut:]):
            now_us += 2000
            port.receive(piece, now_us)
        assert unit.ok == before or is_reply_in(data, asked), (asked.hex(), data.hex())
        assert_in_range(sink, ranges)
    return unit.ok


def feed(device, frames, sink, ranges, count, seed):
    """`count` CAN frames; frames(counter): those of one cycle."""
    draw, done, counter = random.Random(seed), 0, 0
    while done < count:
        counter += 1
        for can_id, data in frames(counter % 16):
            other = draw.choice((data, data, _flipped(draw, data), draw.randbytes(8)))
            device.on_frame(can_id, other[: draw.choice((8, 8, draw.randrange(9)))], done * 10_000)
            done += 1
            assert_in_range(sink, ranges)
