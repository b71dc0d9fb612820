"""FLEET.toml: what it means, and what is refused, in one line."""

import os
from functools import partial

import pytest

from controller.__main__ import main
from controller.dispatch import epoch_file, fleet
from controller.dispatch.epoch_file import Kept
from controller.forms.refusal import ConfigError
from controller.hints.key_file import KeyStoreError
from controller.hints.wire import EPOCH_MAX
from tests.tables import cases

TEXT = """
[fleet]
connection_W = 3_000_000
load = "common"
[broker]
host = "127.0.0.1"
tls = false
[cabinet.one]
key = "one.key"
fallback_W = 500_000
load_permille = 600
[cabinet.two]
key = "one.key"
fallback_W = 400_000
load_permille = 400
"""


@pytest.fixture
def made(tmp_path):
    key = tmp_path / "one.key"
    key.write_text("ab" * 32)
    key.chmod(0o600)
    return partial(written, tmp_path)


def written(folder, *changes):
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "FLEET.toml").write_text(text)
    return str(folder / "FLEET.toml")


def test_a_fleet_in_lines(made, capsys):
    path = made()
    assert [each.fallback_W for each in fleet.load(path).cabinets] == [500_000, 400_000]
    assert main(["dispatch", path, "--check"]) == 0
    assert capsys.readouterr().out == (
        "2 cabinets on 3 MW, a common load\n"
        "fallbacks 0.9 MW together; 2.1 MW can be lent\n"
        "  one              fallback       500 kW, 60 % of the load, meter_code_wait_s = 0\n"
        "  two              fallback       400 kW, 40 % of the load, meter_code_wait_s = 70\n"
    )


@cases("""
    old                      new                       words
    "3_000_000"              "899_999"                 "connection_W: is 899999 W, and"
    "= 400\\n"               "= 399\\n"                "sum to 999 permille"
    'load = "common"'        'load = "own"'            "sum to 1000 permille"
    "[cabinet.one]"          "[cabinet.'a/b']"         "has the name 'a/b'"
    "fallback_W = 500_000"   ""                        "cabinet.one.fallback_W: is missing"
    "fallback_W = 500_000"   "fallback_W = -1"         "cabinet.one.fallback_W: -1 is not allowed"
    "tls = false"            "tls = true"              "broker.ca: is missing"
    "[broker]"               "[brokers]"               "brokers: is not a known key"
""")
def test_a_file_that_is_refused(made, old, new, words):
    with pytest.raises(ConfigError) as error:
        fleet.load(made((old, new)))
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_key_that_others_may_read_is_refused(made, tmp_path):
    (tmp_path / "one.key").chmod(0o644)
    with pytest.raises(KeyStoreError, match="other users may read it"):
        fleet.load(made())


def test_a_file_without_cabinets_is_refused(tmp_path):
    path = tmp_path / "FLEET.toml"
    path.write_text(TEXT.partition("[cabinet.one]")[0])
    with pytest.raises(ConfigError, match="cabinet: is missing"):
        fleet.load(str(path))


def test_each_start_takes_a_new_epoch(tmp_path):
    path = str(tmp_path / "epoch.json")
    assert epoch_file.read(path) == (0, True, "", "")  # nobody knows whether another one runs
    kept = Kept(4, True, "", "a")
    drawn = {epoch_file.take(path, kept, False) for _ in range(20)}
    assert min(drawn) > 1000 and max(drawn) <= 2004 and len(drawn) > 1
    assert epoch_file.take(path, kept._replace(epoch=5, is_taken=False), True) == 6
    assert epoch_file.read(path) == (6, False, epoch_file.origin(path), "a")


def test_a_copy_has_another_origin(tmp_path, monkeypatch):
    path = str(tmp_path / "epoch.json")
    here = epoch_file.origin(path)
    assert epoch_file.origin(str(tmp_path / "copy" / "epoch.json")) != here
    (tmp_path / "machine-id").write_text("0123\n")
    monkeypatch.setattr(epoch_file, "MACHINE_ID", str(tmp_path / "machine-id"))
    assert epoch_file.origin(path) == f"0123:{path}" != here


@pytest.mark.parametrize(
    "content",
    [
        *["", "[]", "{}", '{"epoch": 1}', "9" * 20_000],
        '{"epoch": 0, "is_taken": false, "origin": ""}',
        '{"epoch": true, "is_taken": false, "origin": ""}',
        '{"epoch": 1, "is_taken": false, "origin": null, "cabinets": ""}',
        '{"epoch": 1, "is_taken": false, "origin": "", "cabinets": []}',
    ],
)
def test_a_damaged_epoch_is_refused(tmp_path, content):
    (tmp_path / "epoch.json").write_text(content)
    with pytest.raises(epoch_file.Refused, match="epoch.json"):
        epoch_file.read(str(tmp_path / "epoch.json"))


def test_an_epoch_that_cannot_be_stored_is_not_taken(tmp_path):
    with pytest.raises(epoch_file.Refused, match="cannot be stored: No such file"):
        epoch_file.take(os.path.join(tmp_path, "missing", "epoch.json"), Kept(1), True)
    with pytest.raises(epoch_file.Refused, match="used up"):
        epoch_file.take(str(tmp_path / "epoch.json"), Kept(EPOCH_MAX), True)
