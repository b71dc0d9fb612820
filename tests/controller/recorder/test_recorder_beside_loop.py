"""Beside a real controller: a recorder that is killed, stopped and started again does not disturb
the loop.
"""

import signal
import subprocess

import pytest
from power_cuts import ROOT, command, verdict
from wired_site import WiredSite

from controller.record.journal import JournalReader


@pytest.mark.slow
@pytest.mark.wire
def test_the_loop_does_not_notice_the_recorder(tmp_path):
    site = WiredSite(tmp_path)
    recorders = []
    try:
        controller = site.start()
        site.serve_until(lambda: site.seen() is not None)
        reader = JournalReader(str(tmp_path / "journal"))
        frames = []
        for end in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            head = tmp_path / "record.head"
            head.unlink(missing_ok=True)
            if recorders and recorders[-1].poll() is None:
                recorders[-1].kill()
            if recorders:
                recorders[-1].wait()
            recorders.append(subprocess.Popen(command(tmp_path, tmp_path / "record"), cwd=ROOT))
            site.serve_until(head.exists)
            recorders[-1].send_signal(end)
            wanted = reader.newest() + 50
            site.serve_until(lambda: reader.newest() >= wanted)
            frames += list(reader.frames())
        assert controller.poll() is None
        assert [frame.sequence for frame in frames] == list(range(len(frames))) and reader.lost == 0
        site.serve_until(lambda: recorders[-1].poll() is not None)
        assert recorders[-1].wait() == 0 and verdict(tmp_path / "record").intact
    finally:
        for process in recorders:
            if process.poll() is None:
                process.kill()
            process.wait()
        site.close()
