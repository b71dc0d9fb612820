"""`--json`: every command that prints has it, with the same exit code as its lines."""

import pytest
from command_line import facts_in, leaves, run

from controller.sites import EXAMPLE, FOLDER
from tests.tables import cases

# They act, serve or write a file, and print a line of what they did.
ACTS = {
    *("start", "stop", "reset", "lock-out", "approve", "test lamp", "test power"),
    *("test proof record", "key create", "key rotate", "key revoke", "user", "completion"),
    *("bus can-up", "bus sniff", "profile new", "replay"),
    *(f"box {each}" for each in "install rollback backup restore prepare provision".split()),
    *("box figures", "box trial", "fleet roll-out"),
    *("record run", "record export", "run", "planner", "console", "watch"),
}


def test_every_command_that_prints_has_json():
    lacking = {name for name, each in leaves() if "--json" not in each.format_help()}
    assert lacking == ACTS


def test_no_option_hides_the_function_of_its_command():
    """An option --run of `fleet roll-out` did: the command ended with a traceback."""
    hidden = [name for name, each in leaves() for one in each._actions if one.dest == "run"]
    assert hidden == []


@pytest.fixture
def where(tmp_path):
    (tmp_path / "doors.toml").write_text("[http.page]\nport = 8643\n")
    return {"SITE": EXAMPLE, "STATE": tmp_path, "DOORS": tmp_path / "doors.toml"}


@cases("""command  keys
    "key list --state-dir STATE"                 "keys wrong"
    "test proof verify --state-dir STATE"        "file head is_whole records tests wrong"
    "box migrate SITE --state-dir STATE"         "carried to_do"
    "document equipment"                         ""
""")
def test_json_has_the_exit_code_of_the_lines(capsys, where, command, keys):
    words = [where.get(word, word) for word in command.split()]
    code, lines, _ = run(capsys, words[0], *words[1:])
    found, printed, _ = run(capsys, words[0], *words[1:], "--json")
    facts = facts_in(printed)
    assert found == code and lines and set(keys.split()) <= set(facts)


def test_open_doors_are_a_list(capsys, where):
    code, lines, _ = run(capsys, "doors check", where["DOORS"], "--json")
    (one,) = facts_in(lines)
    assert code == 0 and (one["door"], one["way"]) == ("http.page", "listens")


@pytest.mark.parametrize("name", ["example", "market"])
def test_an_accepted_file_has_its_limits_and_devices(capsys, name):
    code, lines, _ = run(capsys, "check --json", FOLDER / name / "cabinet.toml")
    facts = facts_in(lines)
    report = "\n".join(run(capsys, "check", FOLDER / name / "cabinet.toml")[1])
    assert code == 0 and facts["is_accepted"] and f"CRC {facts['limits_crc']}" in report
    assert {each["role"] for each in facts["devices"]} >= {"pcs", "bms", "meter_grid"}


def test_a_refused_file_has_all_that_it_lacks(capsys, tmp_path):
    path = tmp_path / "cabinet.toml"
    path.write_text("schema = 2\n")
    code, lines, _ = run(capsys, "check --json", path)
    facts = facts_in(lines)
    assert code == 2 and not facts["is_accepted"] and len(facts["refused"]) == 1
