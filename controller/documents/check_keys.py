"""Lists every key of a configuration and of a device's profile, for `firebreak check --keys`."""

from controller.config import profile_form, schema
from controller.documents.document import wrapped
from controller.forms.field import REQUIRED, allowed_text
from controller.forms.refusal import in_unit, shown
from controller.system.paths import ascii_only

TIGHTER = {
    "up": "only up",
    "down": "only down",
    "fixed": "given once",
    "free": "free",
    "subset": "shorter",
}


def keys() -> str:
    """Every key of a configuration, then every key of a device's profile. Each has allowed values
    and default. A limit also has the direction in which a later file may change it.
    """
    lines: list[str] = []
    for key, spec, nmc in schema.every_key():
        default = "" if spec.default is None else f"; default {in_unit(spec.default, spec.unit)}"
        if nmc != spec:
            default += f"; NMC: {allowed_text(nmc)}; default {in_unit(nmc.default, nmc.unit)}"
        if key.rpartition(".")[2] in schema.FACTS:
            default = "; required, no default"
        lines += wrapped(f"{key:41} {TIGHTER[spec.tighter]:9} ", f"{allowed_text(spec)}{default}")
    for key, field in profile_form.every_key():
        default = f"; default {shown(field.default)}" if field.default not in (None, "") else ""
        default = "; required" if field.default is REQUIRED else default
        lines += wrapped(f"profile:{key} ", f"{allowed_text(field)}{default}")
    return ascii_only("\n".join(lines))
