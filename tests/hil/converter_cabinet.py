"""Files of a cabinet whose converter is one by registers."""

import re

from converter_forms import toml
from site_files import FIREBREAK, SiteFiles

from controller.config.converters import RESTS

WHO = '"N. N., 2026-01-01: test"'
STEPS = """
[heartbeat]
address = 200
function = 6
period_ms = 500
[[start]]
address = 211
function = 6
value = 1
[[stop]]
address = 211
function = 6
value = 0
"""
BEAT = 'heartbeat = {type = "u16", address = 20, range = [0, 65535]}'
SIGNED = toml("signed", tail=STEPS, registers=BEAT, watchdog="heartbeat", watchdog_s=2)


def converter_file(folder, text, layers=FIREBREAK, is_tcp=False):
    files = SiteFiles(folder, layers)
    path = files.paths[0]
    text = text.replace('watchdog = "none"', 'enable_input = true\nwatchdog = "none"')
    (path.parent / "own.toml").write_text(text)
    text = path.read_text().replace('profile = "sunspec_pcs"', 'profile = "own.toml"')
    text = re.sub("setpoint_ms = [0-9]+", "setpoint_ms = 100", text)
    names = "".join(f'"{name}", ' for name in RESTS)
    text = text.replace("optional_equipment = [", f"optional_equipment = [{names}")
    if is_tcp:
        text = re.sub(r"(\[bus.pcs\].*)\nkind = \"rtu\"\nbaud.*\n", '\\1\nkind = "tcp"\n', text)
        files.say("cabinet", "bus.pcs.port", "nothing")
        files.say("cabinet", "bus.pcs.address", '"192.168.1.20:502"')
    path.write_text(text)
    for name in RESTS:
        files.say("site", f"not_fitted.{name}", WHO)
    return files.paths[-1]
