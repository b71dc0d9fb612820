"""A recorder that is killed, stopped and started again does not disturb a real controller."""

import signal

import pytest
from power_cuts import start
from recorder_bench import Place
from wired_site import WiredSite

from controller.record.journal import JournalReader


@pytest.mark.slow
@pytest.mark.wire
def test_the_loop_does_not_notice_the_recorder(tmp_path):
    site, place = WiredSite(tmp_path), Place(tmp_path)
    recorders, frames, head = [], [], tmp_path / "record.head"
    try:
        controller = site.start()
        site.serve_until(lambda: site.seen() is not None)
        reader = JournalReader(str(tmp_path / "journal"))
        for end in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            head.unlink(missing_ok=True)
            for each in recorders:
                each.kill()
                each.wait()
            recorders.append(start(tmp_path, place.state_dir))
            site.serve_until(head.exists)
            recorders[-1].send_signal(end)
            wanted = reader.newest() + 50
            site.serve_until(lambda: reader.newest() >= wanted)
            frames += list(reader.frames())
        assert controller.poll() is None
        assert [frame.sequence for frame in frames] == list(range(len(frames))) and reader.lost == 0
        site.serve_until(lambda: recorders[-1].poll() is not None)
        assert recorders[-1].wait() == 0 and place.verdict().intact
    finally:
        for process in recorders:
            process.kill()
            process.wait()
        site.close()
