"""A cabinet of version 0.2 with its files: its shipped example, its store, a key.

The bytes of the store were written by the code of that version, in the middle of a run.
"""

import shutil
from pathlib import Path

import pytest
from command_line import run

from controller.config.equipment import MAPS
from controller.sites import FOLDER
from controller.store import two_copies

FILES = Path(__file__).parent / "version_0_2"
STORE = bytes.fromhex(
    "464253544f52450148e1a79507000000000000009200000085a561726d656401a5636c65616e00a76c617463"
    "68657383a331326101a832392e7261636b3102a2343703ad746f6b656e5f616765735f6d7391cd1388a67661"
    "6c75657384be636162696e65742e436162696e657420312c2073657269616c203030303101ac73746f707065"
    "642e616e6e6103af6c6f636b65645f6f75742e616e6e6101ac6e6f635f766572696669656401"
)
KEPT = [
    "carried  store, armed: latches 12a, 29.rack1, 47, locked out by anna",
    "carried  keys of sources: site_ems",
    "carried  users of the console: none",
    "carried  record: none yet",
    "carried  proof tests: 0",
]
LEFT = [
    "to do    latch 47 is of no row of this version: the first start needs the key and "
    "`firebreak start`",
    "to do    the limits are not approved: key out of RUN, then firebreak approve",
]


@pytest.fixture
def box(tmp_path):
    """The box after an installation: a type that the owner has not changed is replaced."""
    shutil.copytree(FILES, tmp_path, dirs_exist_ok=True)
    shutil.copytree(FOLDER / "types", tmp_path / "types", dirs_exist_ok=True)
    (tmp_path / "state/keys").mkdir(parents=True, mode=0o700)
    for name in two_copies.COPIES:
        (tmp_path / "state" / name).write_bytes(STORE)
    key = tmp_path / "state/keys/site_ems.key"
    key.touch(0o600)
    key.write_text("11" * 32 + "\n")
    return tmp_path


def migrated(box, capsys):
    line = "box migrate", box / "cabinet/cabinet.toml", "--state-dir", box / "state"
    code, out, err = run(capsys, *line)
    assert not err and out[: len(KEPT)] == KEPT
    return code, [line.replace(f"{box}/", "") for line in out[len(KEPT) :]]


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_shipped_example_of_0_2_needs_one_line(box, capsys):
    """Latches, lock-out and keys are carried over, and nothing is written."""
    name = "cabinet/site.toml:control.soc_reserve_soft_permille"
    first = f"to do    {name}: write soc_reserve_peaks_permille = 150 in its place"
    assert migrated(box, capsys) == (1, [first, *LEFT])
    change(box / "cabinet/site.toml", "soc_reserve_soft_permille", "soc_reserve_peaks_permille")
    assert migrated(box, capsys) == (1, LEFT)
    code, _, err = run(capsys, "", "check", box / "cabinet/cabinet.toml")
    assert (code, err) == (0, [])
    assert [(box / "state" / name).read_bytes() for name in two_copies.COPIES] == [STORE] * 2


@pytest.mark.parametrize("path", ["cabinet/site.toml", "cabinet/cabinet.toml"])
def test_the_files_of_0_2_are_only_read(path, box, capsys):
    before = (box / path).read_bytes()
    migrated(box, capsys)
    assert (box / path).read_bytes() == before


def test_a_type_of_0_2_that_the_owner_has_changed_needs_its_new_facts(box, capsys):
    """One line for each, and each says what is allowed: facts of the hazard analysis are new."""
    shutil.copy(FILES / "types/firebreak_645.toml", box / "types")
    type_file, site = box / "types/firebreak_645.toml", box / "cabinet/site.toml"
    change(site, "soc_reserve_soft_permille", "soc_reserve_peaks_permille")
    change(type_file, "soc_reserve_hard_permille", "soc_reserve_backup_permille")
    steps = (
        (
            "hma.breaker: is missing; allowed dc_outside_gas, ac",
            "[hma]\n",
            '[hma]\nbreaker = "ac"\n',
        ),
        ("hma.hard_wired_rows: [1, 12, 30, 44] is not", "[1, 12, 30", "[1, 2, 3, 12, 30"),
        (
            "must act by wire, unless hma.dc_fuse",
            "[hma]\n",
            '[hma]\ndc_fuse = "Mersen DC-1, 2 s at 2 In"\n',
        ),
        (
            'device.io_3.inputs: "key_service_closed" is not mapped',
            '"supervised_ok", ""',
            '"supervised_ok", "key_service_closed"',
        ),
        (
            "not_fitted.pcs_stored: is missing: device.pcs_1 does not state",
            "[hma]\n",
            '[not_fitted]\npcs_stored = "N. N., 2026-01-01: test"\n[hma]\n',
        ),
        (
            "not_fitted.io_map: is missing: device.io_1 (io_8in_8out), ",
            "[hma]\n",
            "".join(f'{name} = "N. N., 2026-01-01: test"\n' for name in MAPS) + "[hma]\n",
        ),
    )
    for words, old, new in steps:
        code, (line,) = migrated(box, capsys)
        assert code == 1 and words in line
        change(type_file, old, new)
    assert migrated(box, capsys)[1] == LEFT
