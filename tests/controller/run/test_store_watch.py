"""The marks of a run directory, by which the next start knows whether it may trust the store."""

import errno
import os
from types import SimpleNamespace

import pytest

from controller.run.store_watch import StoreWatch
from controller.store import two_copies
from controller.store.two_copies import FAILED_NAME, SAVED_NAME


@pytest.fixture
def keeper():
    return SimpleNamespace(ok=True, is_gone=False, line="", submitted=1, saved=1, watch=int)


def marks(folder):
    return {each.name for each in folder.iterdir()}


def test_the_proof_is_there_only_while_no_record_waits(keeper, tmp_path):
    watch = StoreWatch(keeper, str(tmp_path))
    watch.step(20_000)
    assert marks(tmp_path) == {SAVED_NAME}
    keeper.submitted = 2
    watch.step(40_000)
    assert marks(tmp_path) == set()
    keeper.saved = 2
    watch.step(60_000)
    assert marks(tmp_path) == {SAVED_NAME}


def test_a_proof_that_the_directory_keeps_is_removed_in_a_later_tick(keeper, tmp_path, monkeypatch):
    watch = StoreWatch(keeper, str(tmp_path))
    watch.step(20_000)
    keeper.submitted = 2
    with monkeypatch.context() as patch:

        def unlink(path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

        patch.setattr(two_copies.os, "unlink", unlink)
        watch.step(40_000)
        watch.step(60_000)
        assert marks(tmp_path) == {SAVED_NAME}
    watch.step(80_000)
    assert marks(tmp_path) == set()


def test_a_store_that_fails_is_marked_until_it_has_saved_what_it_missed(keeper, tmp_path, capsys):
    watch = StoreWatch(keeper, str(tmp_path))
    keeper.ok, keeper.submitted, keeper.line = False, 2, "no room"
    watch.step(20_000)
    watch.step(1_020_000)
    assert marks(tmp_path) == {FAILED_NAME} and watch.unsaved_ms == (1000, 0)
    keeper.ok = True
    watch.step(1_040_000)
    assert marks(tmp_path) == {FAILED_NAME} and watch.unsaved_ms == (0, 1000)
    keeper.saved = 2
    watch.step(1_060_000)
    assert marks(tmp_path) == {SAVED_NAME}
    assert capsys.readouterr().err.count("\n") == 2
