"""What makes a stored figure stale: code tokens of the rooms that its run imports."""

import pytest

from hil.runner import code

PORT = """\'\'\'One.\'\'\'
A = 1
if A:
    B = f"{A} {{"
    C = 2
"""
FILES = {
    "hil/systems/run.py": "from hil.plant import pcs\nfrom controller import b, planner\n",
    "hil/systems/page.py": "import numpy\n",
    "hil/plant/pcs.py": "def x():\n    import drivers.buses.port\n",
    "hil/plant/other.py": "A = 1\n",
    "controller/planner/cap.py": "A = 1\n",
    "drivers/buses/port.py": PORT,
    "hil/campaigns/ask.py": "A = 1\n",
    "numpy/array.py": "A = 1\n",
}


def digest(monkeypatch, folder, changes):
    """The digest of hil/systems in a tree of FILES with these changes."""
    for name, text in {**FILES, **changes}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(code, "ROOT", folder)
    return code.digest.__wrapped__("hil/systems")


@pytest.mark.parametrize(
    "name, text, is_same",
    [
        ("hil/campaigns/ask.py", "A = 2", True),  # no run imports it
        ("numpy/array.py", "A = 2", True),
        ("drivers/buses/port.py", PORT.replace("One", "Two"), True),
        ("drivers/buses/port.py", PORT.replace("A = 1", "A  =  1  # why\n\n"), True),
        ("drivers/buses/port.py", PORT.replace("1", "2"), False),
        ("drivers/buses/port.py", PORT.replace("{A}", "{A} "), False),
        ("drivers/buses/port.py", PORT.replace("    C", "C"), False),  # out of its block
        ("hil/plant/other.py", "A = 2", False),  # of a room from which a run imports
        ("controller/planner/cap.py", "A = 2", False),
    ],
)
def test_code_of_the_rooms_of_a_run_counts_and_nothing_else(
    name, text, is_same, tmp_path, monkeypatch
):
    before = digest(monkeypatch, tmp_path, {})
    assert (digest(monkeypatch, tmp_path, {name: text}) == before) is is_same
