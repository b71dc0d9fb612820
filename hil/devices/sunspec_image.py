"""The register image of a SunSpec device, laid out by the model definitions that pysunspec2
carries.

Raw register values only: scaling is the device's business. A point without a value is encoded "not
implemented".
"""

import collections
import struct

import sunspec2.device
from sunspec2 import mdef

BASE_ADDRESS = 40000  # first of the three addresses the SunSpec specification names
MARKER = b"SunS"
END = b"\xff\xff\x00\x00"

# Register types with a fixed struct code; strings take their length from the model.
CODES = {
    mdef.TYPE_INT16: "h",
    mdef.TYPE_SUNSSF: "h",
    mdef.TYPE_UINT16: "H",
    mdef.TYPE_COUNT: "H",
    mdef.TYPE_ACC16: "H",
    mdef.TYPE_ENUM16: "H",
    mdef.TYPE_BITFIELD16: "H",
    mdef.TYPE_PAD: "H",
    mdef.TYPE_INT32: "i",
    mdef.TYPE_UINT32: "I",
    mdef.TYPE_ACC32: "I",
    mdef.TYPE_ENUM32: "I",
    mdef.TYPE_BITFIELD32: "I",
    mdef.TYPE_INT64: "q",
    mdef.TYPE_UINT64: "Q",
    mdef.TYPE_ACC64: "Q",
}


# One point: first register, number of registers, struct code, may a controller write it
Place = collections.namedtuple("Place", ("name", "address", "registers", "code", "writable"))


def _place(name, address, point):
    registers = int(point.len)
    code = CODES.get(point.pdef[mdef.TYPE], f"{registers * 2}s")
    return Place(name, address, registers, code, point.pdef.get(mdef.ACCESS) == mdef.ACCESS_RW)


class ModelChain:
    """A chain of models from 40000. `models`: [(model id, {point: raw value})]; points are named
    "704.WSet".
    """

    def __init__(self, models, base=BASE_ADDRESS):
        self.base = base
        self.places = {}
        self.by_address = {}
        data = bytearray(MARKER)
        for model_id, values in models:
            model = sunspec2.device.Model(model_id, data=values)
            if model.error_info:
                raise ValueError(f"SunSpec model {model_id}: {model.error_info}")
            self._add(model_id, model, base + len(data) // 2)
            data += model.get_mb()
        self.data = data + END

    def _add(self, model_id, model, address):
        for prefix, group in _groups(model):
            for name, point in group.points.items():
                place = _place(f"{model_id}.{prefix}{name}", address + point.offset, point)
                self.places[place.name] = place
                self.by_address[place.address] = place

    def put(self, name, raw):
        """Store one raw value."""
        place = self.places[name]
        struct.pack_into(">" + place.code, self.data, (place.address - self.base) * 2, raw)

    def get(self, name):
        """One raw value."""
        place = self.places[name]
        return struct.unpack_from(">" + place.code, self.data, (place.address - self.base) * 2)[0]

    def block(self, model_id, first, last):
        """(pack_into, byte offset, first register, register after the last) for all points from
        `first` to `last`.
        """
        start, end = [self.places[f"{model_id}.{name}"].address for name in (first, last)]
        places = [self.by_address[a] for a in sorted(self.by_address) if start <= a <= end]
        pack = struct.Struct(">" + "".join(place.code for place in places)).pack_into
        return pack, (start - self.base) * 2, start, places[-1].address + places[-1].registers

    def touched(self, address, count):
        """The places a write of `count` registers covers; None if it cuts a point, hits a hole or a
        read-only one.
        """
        places, end = [], address + count
        while address < end:
            place = self.by_address.get(address)
            if place is None or not place.writable or address + place.registers > end:
                return None
            places.append(place)
            address += place.registers
        return places


def _groups(model):
    """[(name prefix, group)] of a model: its own points and those of its groups ("Prt1." for
    repeated ones).
    """
    found = [("", model)]
    for name, group in model.groups.items():
        members = group if isinstance(group, list) else [group]
        found += [
            (f"{name}{index + 1}." if isinstance(group, list) else f"{name}.", member)
            for index, member in enumerate(members)
        ]
    return found
