"""Shared by the tests of the watch."""

from controller.core.policies.notices import Notices
from tests.controller.doors.http_site import CAP_TOKEN


def token_in(folder, text=CAP_TOKEN):
    path = folder / "token"
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def steps(site):
    """[(W, start in s)] of the notices that the cabinet knows."""
    known = site.bench.cabinet.core.functions[Notices.NAME].steps()
    return [(each.step_W, round(each.start_ms / 1000)) for each in known]


def fake_squeue(folder, monkeypatch, script):
    (folder / "squeue").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "squeue").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
