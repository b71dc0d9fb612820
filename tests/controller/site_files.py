"""Copies of the example sites that a test may edit."""

import re
import shutil

from controller.config import configuration
from controller.rows import records
from controller.sites import FOLDER as SITES
from drivers import profile

FIREBREAK = ("types/firebreak_645.toml", "example/site.toml", "example/cabinet.toml")
PYLONTECH = ("types/pylontech_14.toml", "pylontech/site.toml", "pylontech/cabinet.toml")
# of the first: row 51 is not armed, because it has no channel B; 27 tests are second ones
ROWS_ARMED = len(records.ROWS) - 1
PROOF_TESTS = ROWS_ARMED + 30
LAYER = {"type": 0, "site": 1, "cabinet": 2}


class SiteFiles:
    def __init__(self, folder, files=FIREBREAK):
        self.paths = []
        for name in files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SITES / name, path)
            self.paths.append(path)

    def replace(self, layer, old, new):
        path = self.paths[LAYER[layer]]
        text = path.read_text()
        assert old in text, f"{old!r} is not in {path.name}: the test no longer says what it means"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return self

    def with_profile(self, name, old, new):
        """A copy of a shipped profile with a change, for every device that has this profile."""
        text = (profile.FOLDER / f"{name}.toml").read_text()
        assert old in text
        for path in [each for each in self.paths if f'profile = "{name}"' in each.read_text()]:
            (path.parent / f"{name}.toml").write_text(text.replace(old, new, 1))
            changed = path.read_text().replace(f'profile = "{name}"', f'profile = "{name}.toml"')
            path.write_text(changed)
        return self

    def append(self, layer, text):
        path = self.paths[LAYER[layer]]
        path.write_text(path.read_text() + "\n" + text + "\n", encoding="utf-8")
        return self

    def say(self, layer, key, value):
        """Give a key of a layer this value and no other; "nothing": remove the key."""
        path, (table, _, name) = self.paths[LAYER[layer]], key.rpartition(".")
        text = path.read_text()
        start = 0
        if table:
            header = re.search(rf"^\[{re.escape(table)}\].*$", text, re.MULTILINE)
            if not header:
                return self.append(layer, f"[{table}]\n{name} = {value}")
            start = header.end()
        own, *rest = re.split(r"(?m)^(?=\[)", text[start:], maxsplit=1)
        own = re.sub(rf"(?m)^{re.escape(name)} = .*\n", "", own)
        line = "" if value == "nothing" else f"\n{name} = {value}\n"
        path.write_text(text[:start] + line + own + "".join(rest), encoding="utf-8")
        return self

    def drop(self, layer, *beginnings):
        path = self.paths[LAYER[layer]]
        lines = path.read_text().split("\n")
        path.write_text("\n".join([line for line in lines if not line.startswith(beginnings)]))
        return self

    def cut_device(self, role):
        text = self.paths[0].read_text()
        start = text.index(f"[device.{role}]")
        end = text.find("[device.", start + 1)
        self.paths[0].write_text(text[:start] + (text[end:] if end > 0 else ""))
        return self

    def rack_3_of_pylontech(self):
        rack = 'profile = "firebreak_rack"\nbus = "can0"\nnode = 3'
        self.replace("type", rack, 'profile = "pylontech_lv"\nbus = "can1"')
        self.append("type", '[bus.can1]\nkind = "can"\nbitrate_bps = 500000\n')
        return self.append("cabinet", '[bus.can1]\ninterface = "socketcan"\nchannel = "can1"')

    def without(self, names, who="N. N., 2026-01-01: test"):
        for name in names:
            self.say("site", f"not_fitted.{name}", f'"{who}"')
        return self

    def accepted(self, names, who="N. N., 2026-01-01: test"):
        """Not fitted and accepted, for the type and the site."""
        self.replace("type", '["suppression", "door"]', str(names).replace("'", '"'))
        return self.without(names, who)

    def two_units(self):
        """The first rack behind a converter of its own, the others behind that of the type."""
        self.replace(
            "type",
            "[rack.1]\n[rack.2]\n[rack.3]",
            '[rack.1]\ndc_bus = "dc_2"\n[rack.2]\ndc_bus = "dc_1"\n[rack.3]\ndc_bus = "dc_1"',
        )
        self.replace("type", 'would hold for rack 2 alone\ndc_bus = "dc_1"\n', "\n")
        self.append(
            "type",
            '[unit.2]\ndc_bus = "dc_2"\nrated_W = 100000\n'
            "installer_charge_W_max = 100000\ninstaller_discharge_W_max = 100000\n"
            '[device.pcs_2]\nrole = "pcs"\nunit = 2\nprofile = "sunspec_pcs"\n'
            'bus = "pcs_b"\nunit_id = 1\n[bus.pcs_b]\nkind = "rtu"\nbaud_Bd = 115200',
        )
        return self.append("cabinet", '[bus.pcs_b]\nport = "/dev/serial/by-path/b"')

    def second_channel(self, port="/dev/serial/by-path/b"):
        self.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
        return self.append("cabinet", f'[channel_b]\nport = "{port}"')

    def load(self):
        return configuration.load(self.paths[2])

    def refusal(self):
        try:
            self.load()
        except configuration.ConfigError as error:
            return str(error).replace(str(self.paths[2].parent.parent) + "/", "")
        raise AssertionError("the configuration was accepted")
