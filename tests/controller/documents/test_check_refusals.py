"""`firebreak check` names all that a site lacks in one run, and the first other mistake."""

import re
import shutil

from controller import __main__ as controller
from controller.sites import FOLDER

LACKING = "meter_map", "pcs_heartbeat", "bms_sensors"


def edited(folder, *changes):
    """The cabinet of the market with changes of its site file: (pattern of a line, text)."""
    shutil.copytree(FOLDER, folder / "sites")
    path = folder / "sites" / "market" / "site.toml"
    text = path.read_text(encoding="ascii")
    for pattern, new in changes:
        text, count = re.subn(rf"(?m)^{pattern}.*\n", new, text)
        assert count == 1, pattern
    path.write_text(text, encoding="ascii")
    return path.with_name("cabinet.toml")


def checked(path, capsys):
    return controller.main(["check", str(path)]), capsys.readouterr().err.splitlines()


def test_every_lacking_acceptance_is_named_in_one_run(tmp_path, capsys):
    path = edited(tmp_path, *[(f"{name} = ", "") for name in LACKING])
    code, lines = checked(path, capsys)
    named = [re.search(r":not_fitted\.(\w+): is missing", line)[1] for line in lines]
    assert code == 2 and sorted(named) == sorted(LACKING)


def test_a_mistake_that_ends_the_reading_is_named_alone(tmp_path, capsys):
    path = edited(tmp_path, ("meter_map = ", ""), ('name = "', "name = 3\n"))
    code, lines = checked(path, capsys)
    assert code == 2 and len(lines) == 1 and ":name: 3 is not allowed" in lines[0]
