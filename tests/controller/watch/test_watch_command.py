"""`firebreak-watch`: its file, its commands, and what it says when something is not there."""

import ast
import http.server
import os
import re
import subprocess
import sys
import threading
import types

import pytest
from watch_site import token_in

from controller.system.secret_file import secret
from controller.watch import __main__ as command, jobs as j, settings
from controller.watch.cabinet import Cabinet
from controller.watch.jobs import Away, Job
from tests.repository import ROOT

CABINET = '[cabinet]\nurl = "https://box:8080"\ntoken = "token"\n'
MODULES = ("__main__", "slurm", "kubernetes", "telemetry")
REST = '[node_W]\n"*" = 1000\n[slurm]\n'


def written(folder, text=CABINET + REST, token="t" * 40):
    (folder / "watch.toml").write_text(text)
    token_in(folder, token)
    return str(folder / "watch.toml")


def test_files_lie_beside_the_file(tmp_path):
    found = settings.load(written(tmp_path))
    assert found.values["cabinet"]["token"] == str(tmp_path / "token")
    assert found.values["cabinet"]["ca"] == "" and found.values["gate"] is None
    assert found.opened().__class__.__name__ == "Slurm"


def test_the_example_is_right():
    folder = os.path.join(os.path.dirname(settings.__file__), "examples")
    found = settings.load(f"{folder}/watch.toml")
    assert found.values["gate"]["after_dark"] == "release"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (REST, "cabinet: is missing"),
        (
            CABINET.replace("https", "http") + REST,
            "url: .* allowed https://HOST.*, or http:// to 127",
        ),
        (CABINET.replace("8080", "8080/api") + REST, "cabinet.url"),
        (CABINET.replace("box", "me:secret@box") + REST, "cabinet.url"),
        (CABINET.replace("8080", "x") + REST, "cabinet.url"),
        (
            CABINET + "[slurm]\n",
            'node_W: is missing, and gpu_W too; allowed W by partition, as "\\*"',
        ),
        (CABINET + '[node_W]\n"*" = 0\n[slurm]\n', "node_W.*0 is not allowed"),
        (CABINET + '[node_W]\n"*" = 9\n', r"allowed one table \[slurm\]"),
        (CABINET + REST + "wait = 3\n", "slurm.wait: is not a known key"),
        (CABINET + REST + '[gate]\nafter_dark = "open"\n', "after_dark"),
        ("every_s = 5\n" + CABINET + REST, "every_s: 5 is not allowed; allowed 10..600"),
        ("[", "is not TOML"),
    ],
)
def test_a_wrong_file_is_one_line_and_exit_code_2(text, words, tmp_path, capsys):
    assert command.main(["run", "--config", written(tmp_path, text)]) == 2
    out, error = capsys.readouterr()
    assert not out and len(error.splitlines()) == 1
    assert re.search(words, error), error


@pytest.mark.parametrize(
    "words",
    [[], ["gate"], ["gate", "--power-W", "0", "--for-s", "1"], ["gate", "--power-W", "1"], ["x"]],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(words, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(words)
    assert end.value.code == 2 and len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.wire
def test_the_program_needs_no_library():
    """A host of the cluster has the wheel alone."""
    modules = ", ".join([f"controller.watch.{name}" for name in MODULES])
    code = f"import sys, {modules}; print({{each.partition('.')[0] for each in sys.modules}})"
    places = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-Sc", code], capture_output=True, text=True, env=places)
    known = {*sys.stdlib_module_names, "controller", "drivers", "safety", "__main__"}
    found = ast.literal_eval(done.stdout) if done.stdout else {done.stderr}
    assert {each for each in found - known if not each.startswith("_sysconfigdata")} == set()


@pytest.mark.parametrize(
    ("mode", "text", "words"),
    [(0o640, "t" * 40, "chmod 600"), (0o600, "\n", "printable"), (0o600, "a\x00b", "printable")],
)
def test_a_token_that_is_open_or_none_is_not_used(mode, text, words, tmp_path):
    written(tmp_path, token=text)
    (tmp_path / "token").chmod(mode)
    with pytest.raises(Away, match=words):
        secret(str(tmp_path / "token"), "token", Away)


class _Odd(http.server.BaseHTTPRequestHandler):
    """Answers with the status and the body of `answers`."""

    answers: list = []

    def do_POST(self):
        status, body = self.answers.pop(0)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        """No line."""


@pytest.fixture
def odd(tmp_path):
    """A cabinet that answers oddly."""
    written(tmp_path)
    with http.server.HTTPServer(("127.0.0.1", 0), _Odd) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Cabinet(f"http://127.0.0.1:{server.server_port}", str(tmp_path / "token"), "")
        server.shutdown()
        thread.join()


@pytest.mark.wire
@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, b'{"detail": "a token is needed"}', "refuses with status 401: a token is needed"),
        (200, b"<html>", "the answer is not that of a cabinet"),
        (200, b"[1]", "refuses with status 200"),
        (200, b"\xff", "the answer is not that of a cabinet"),
        (200, b"[" * 99, "the answer is not that of a cabinet"),
        (302, b"", "the answer is not that of a cabinet"),
    ],
)
def test_an_odd_answer_is_one_line(status, body, words, odd):
    _Odd.answers = [(status, body)]
    with pytest.raises(Away, match=words) as error:
        odd.ask(1, 0, 1)
    assert "t" * 40 not in str(error.value)


@pytest.mark.wire
def test_exit_codes_of_the_gate(odd, tmp_path, capsys):
    place = odd._url.netloc
    text = CABINET.replace("https://box:8080", f"http://{place}") + REST
    words = ["gate", "--config", written(tmp_path, text), "--power-W", "400000", "--for-s", "1200"]
    answers = [
        b'{"answer": "%s", "missing": [], "unknown": []}' % each
        for each in (b"yes", b"no", b"not known")
    ]
    _Odd.answers = [(200, each) for each in answers] + [(500, b"")]
    assert [command.main(words) for _ in range(4)] == [0, 1, 3, 3]
    assert capsys.readouterr().out.startswith("firebreak-watch: 400000 W: yes\n")


class _Queue:
    """A scheduler of fixed jobs, and the cabinet that grants each step unless it is full."""

    def __init__(self, *jobs, is_full=False):
        self.jobs, self.is_full, self.questions_W, self.turns = jobs, is_full, [], 0

    @property
    def asked(self):
        """One turn, then the end (Stop)."""
        self.turns += 1
        return self.turns > 1

    def wait(self, seconds):
        """No time passes (Stop)."""

    def queue(self):
        return list(self.jobs)

    def announce(self, power_W, ahead_s):
        return {"granted": not self.is_full, "label": "H9", "remedy": "none"}

    def ask(self, power_W, at_s, for_s):
        self.questions_W.append(power_W)
        return {"answer": "no"}

    def release(self, name):
        """Never: each answer is no."""

    def explain(self, name, words):
        """Nobody reads it."""


GATED_JOB = Job("g", j.GATED, 50, 0, 600, 900)


@pytest.mark.parametrize(("is_full", "asked_W"), [(False, 50), (True, 57)])
def test_the_gate_of_the_program_knows_what_was_announced(is_full, asked_W, monkeypatch):
    monkeypatch.setattr(command, "now_s", lambda: 1000)
    place = _Queue(GATED_JOB, Job("r", j.RELEASED, 7, 1500, 600), is_full=is_full)
    values = {"horizon_s": 900, "every_s": 10, "gate": {"settle_s": 300, "wait_max_s": 9}}
    found = types.SimpleNamespace(values=values, opened=lambda: place, telemetry=lambda told: None)
    assert command.run(found, place, place) == 0
    assert place.questions_W == [asked_W]


@pytest.mark.parametrize("gate", [None, {"settle_s": 300}])
def test_a_question_about_a_job_counts_what_the_cabinet_may_not_have_seen(gate, monkeypatch):
    """Also without a gate, and also what `run` may have announced."""
    monkeypatch.setattr(command, "now_s", lambda: 1000)
    others = [
        Job("r", j.RELEASED, 7, 1500, 600),
        Job("new", j.RUNNING, 20, 701, 600),
        Job("seen", j.RUNNING, 900, 700, 600),
        Job("p", j.PENDING, 900, 1100, 600),
    ]
    place = _Queue(GATED_JOB, *others)
    found = types.SimpleNamespace(values={"gate": gate}, opened=lambda: place)
    assert command._ask_for_job(found, place, "g") == 1 and place.questions_W == [50 + 7 + 20]


def test_a_second_gate_with_one_folder_does_not_start(tmp_path, monkeypatch, capsys):
    words = ["run", "--config", written(tmp_path, f"{CABINET}{REST}[gate]\n")]
    monkeypatch.setattr(command, "Stop", lambda *_: None)
    monkeypatch.setattr(command, "run", lambda *_: command.main(words))
    assert command.main(words) == 3  # it answers with the code of the second one
    why = "another firebreak-watch with [gate] runs; allowed is one of a queue"
    assert capsys.readouterr().out == f"firebreak-watch: {tmp_path}: {why}\n"
    monkeypatch.setattr(command, "run", lambda *_: 0)
    assert command.main(words) == 0
