"""Finds devices in requests of Slurm: "gres:gpu:4", "gres/gpu:h100=4", "gpu:1g.5gb:7(IDX:0-6)".

One table tests both this module and `examples/job_submit.lua`: tests/controller/watch/gres.toml. A
part that is not understood counts as a device of unknown number. Without it the load would look too
small.
"""

import re

from controller.watch.jobs import Device

_HELD = re.compile(r"\([^)]*\)")  # the numbers of the devices that a job has on a node
_OTHER = re.compile("(?:cpu|mem|node|billing|energy|vmem|pages|fs|bb|ic|license)(?:[:=/].*)?")
# The number comes last. A kind may begin with a digit and contain "-" and "." (with
# AutoDetect=nvml).
_PART = re.compile(r"(?P<what>.*?)(?:[:=](?P<pieces>\d{1,9}))?")
_WHAT = re.compile(r"(?:gres[:/])?(?P<name>[A-Za-z][\w.-]*)(?:[:/](?P<kind>[\w.+-]+))?")
_MIG = re.compile(r"\d+g\.\d+gb.*")  # a slice of a GPU; it does not name the kind of GPU


def devices(text: str) -> list[Device]:
    """The devices of a request."""
    parts = _HELD.sub("", text).split(",")
    candidates = [_device(part.strip()) for part in parts if part.strip() not in ("", "null")]
    return [device for device in candidates if device]


def _device(part: str) -> Device | None:
    """The device in a part of a request; None: the part is no device."""
    if _OTHER.fullmatch(part):
        return None
    match = _PART.fullmatch(part)
    parts = match and _WHAT.fullmatch(match["what"])
    if not (match and parts):
        return Device(f"{part[:60]!r}", (), None, False)
    name, kind, pieces = parts["name"].lower(), parts["kind"] or "", int(match["pieces"] or 1)
    if name == "gpu":
        is_typed = bool(kind) and not _MIG.fullmatch(kind)
        return Device(f"GPUs {kind}".strip(), (kind,), pieces, is_typed)
    return Device(f"gres {name}", (f"{name}:{kind}", name), pieces)
