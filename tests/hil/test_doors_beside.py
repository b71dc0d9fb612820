"""Two rigs with doors on one machine: the second one takes free ports and names them."""

import socket
from pathlib import Path

import pytest

from hil.engine import doors_beside

pytestmark = pytest.mark.wire


def test_a_port_in_use_is_left_to_the_other_rig(tmp_path, monkeypatch):
    with socket.create_server((doors_beside.LOOPBACK, 0)) as other:
        used = other.getsockname()[1]
        monkeypatch.setattr(doors_beside, "HTTP_PORT", used)
        monkeypatch.setattr(doors_beside, "MODBUS_PORT", used)
        monkeypatch.setattr(doors_beside.Beside, "begin", lambda *_: None)
        (tmp_path / "state" / "keys").mkdir(parents=True)
        (tmp_path / "state" / "keys" / "scheduler.key").write_bytes(b"key")
        beside = doors_beside.Beside(str(tmp_path))
        beside.start()
    file, page = Path(tmp_path, "doors", "doors.toml").read_text(), "\n".join(beside.welcome())
    assert f"port = {used}\n" not in file and f":{used}" not in page
    for port in (beside._http_port, beside._modbus_port):
        assert f"port = {port}\n" in file and f"127.0.0.1:{port}" in page


def test_a_free_port_is_the_usual_one():
    with socket.create_server((doors_beside.LOOPBACK, 0)) as one:
        wanted = one.getsockname()[1]
    assert doors_beside.free_port(wanted) == wanted
