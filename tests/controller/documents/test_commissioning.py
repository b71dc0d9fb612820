"""The report to sign: nothing is open only if every part is there; each lack is one line."""

import copy
import json
import re
import shutil

import pytest
from command_line import refused, run
from site_files import SiteFiles

from controller.config import approval, proof_plan
from controller.config.places import RESPONDER
from controller.documents import commissioning
from controller.run import sign_hold
from controller.sites import FOLDER
from controller.store import proof_tests as pt, sign_tests, stored_record, two_copies

NOW = (1_773_454_051_000_000, "ntp")  # 2026-03-14
YEAR_US = 365 * 86_400_000_000
PAPERS = ("report", "lfl_source", "hard_wired_accepted", "dc_fuse")
PLAN = '[plan]\nfile = "places.toml"\nracks = ["pod_1", "pod_1", "pod_1"]'


class Commissioned:
    """A cabinet with all its papers, tests and its approval."""

    def __init__(self, folder):
        self.files, self.state = SiteFiles(folder / "sites"), folder / "state"
        self.state.mkdir()
        for key in PAPERS:
            self.files.say("type", f"hma.{key}", f'"HMA-2026-04, {key}, of 2026-01-01"')
        self.files.append("site", "[responder]")
        for key in RESPONDER:
            self.files.say("site", f"responder.{key}", '"N. N., gate 3"')
        self.files.append("cabinet", PLAN)
        text = (FOLDER / "three_units" / "places.toml").read_text()
        (self.files.paths[2].parent / "places.toml").write_text(text)
        self.config = self.files.load()
        self.ledger = pt.Ledger(str(self.state))
        for row, allowed_ms in proof_plan.allowed_ms(self.config).items():
            self.test(row, allowed_ms)
        self.sign()
        self.save()

    def copied(self, folder):
        """The same in a folder of its own: 77 signed tests take long."""
        made, before = copy.copy(self), self.state.parent
        made.state = shutil.copytree(before, folder, dirs_exist_ok=True) / "state"
        made.files = copy.copy(self.files)
        made.files.paths = [folder / path.relative_to(before) for path in self.files.paths]
        made.config, made.ledger = made.files.load(), pt.Ledger(str(made.state))
        return made

    def test(self, row, reaction_ms, result="passed"):
        self.ledger.test(NOW, row, "A. Tester, NICET II", reaction_ms, result)

    def sign(self, code=None, result="passed"):
        self.ledger.sign(NOW, "u1", "A. Tester, NICET II", result, self.remark(code))

    def remark(self, code=None):
        (own,) = sign_hold.codes_of(self.config)
        return sign_tests.remark_of(code or own, "agrees")

    def save(self, **changes):
        own = approval.packed(approval.of(self.config))
        given = {"approved": own, "approved_by": "anna", "cabinets": ("Cabinet 1, serial 0001",)}
        two_copies.Store(str(self.state)).save(stored_record.Record(**{**given, **changes}))

    def write(self, text):
        (self.files.paths[2].parent / "places.toml").write_text(text)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return Commissioned(tmp_path_factory.mktemp("commissioned"))


@pytest.fixture
def done(first, tmp_path, monkeypatch):
    monkeypatch.setattr(commissioning.utc, "moment", lambda: NOW)
    return first.copied(tmp_path)


def report(capsys, done, *more):
    where = "--site", done.files.paths[2], "--state-dir", done.state
    code, out, err = run(capsys, "document commissioning", *where, *more)
    assert err == [] and all(map(str.isascii, out))
    return code, "\n".join(out)


def test_nothing_is_open(capsys, done):
    code, text = report(capsys, done)
    assert code == 0 and "Nothing is open. Sign below." in text and "NOT READY" not in text
    for part in (
        f"CRC {json.loads(report(capsys, done, '--format', 'json')[1])['site']['limits_crc']}",
        "Limit image: approved by anna.",
        "Yard beside hall 3: 20 met",
        "| 1 | emergency stop, each of its two contacts | 1a 1b | 188 | 188 | 2026-03-14 |",
        "| 1w | controller off: emergency stop | by wire |",
        "Hazard that stays open: H6",
        "places.toml | ",
        "device pcs_1 ",
        "| commissioned by |  |  |  |",
    ):
        assert part in text, part


ALLOWED_MS = 188  # of row 1
LACKS = {
    "a test too slow": (
        lambda done: done.test("1", ALLOWED_MS + 1),
        "1 test slower than this configuration allows: 1$",
    ),
    "another device": (
        lambda done: done.sign("0BADBEEF"),
        r"sign test of unit 1: of other devices \(firebreak test sign\)$",
    ),
    "no test of a sign": (
        lambda done: done.ledger.accept(NOW, "u1", "A. Roe", done.remark()),
        r"sign test of unit 1: accepted without a test by A. Roe \(firebreak test sign\)$",
    ),
    "a device on its way": (
        lambda done: done.ledger.add(NOW, "replacing", "pcs_1", "anna", "serial A1"),
        r"replacement of pcs_1 open since .* by anna \(firebreak replace\)$",
    ),
    "a wrong sign": (lambda done: done.sign(result="failed"), "sign test of unit 1: failed "),
    "failed": (lambda done: done.test("12", 5, "failed"), "1 test failed: 12$"),
    "damaged": (
        lambda done: (done.state / pt.FILE).open("a").write("{}\n"),
        "ledger of proof tests: damaged from line",
    ),
    "never approved": (
        lambda done: done.save(approved=b"", approved_by=""),
        r"limit image: not approved \(firebreak approve\)$",
    ),
    "other limits": (
        lambda done: done.files.say("type", "rack.all.rated_current_mA", "139000"),
        "limit image: another limit image is approved",
    ),
    "of another cabinet": (
        lambda done: done.save(cabinets=("Cabinet 2",)),
        'store: the store belongs to cabinet "Cabinet 2"',
    ),
    "latched": (lambda done: done.save(latches={"1a": 1}), "latched in the store: 1a$"),
    "locked out": (lambda done: done.save(locked_out="anna"), "locked out by anna$"),
    "no number to call": (
        lambda done: done.files.say("site", "responder.call", "nothing"),
        r"sheet for the fire service: \[responder\] does not give call$",
    ),
    "a placeholder": (
        lambda done: done.files.say("type", "hma.report", '"example, no report"'),
        r"facts of the hazard analysis are placeholders \(hma.report\)",
    ),
    "a plan too close": (
        lambda done: done.write(
            (FOLDER / "three_units" / "places.toml")
            .read_text()
            .replace("\n\n", '\nopen = "not met: B5a"\n\n', 1)
        ),
        "plan of the site: not met: B5a$",
    ),
}


@pytest.mark.parametrize("lack", LACKS)
def test_each_lack_is_one_open_point(capsys, done, lack):
    change, words = LACKS[lack]
    change(done)
    code, text = report(capsys, done, "--format", "json")
    found = json.loads(text)["open"]
    assert code == 1 and any([re.search(words, each) for each in found]), found
    first = [each for each in found if not each.startswith(("ledger", "store", "limit image"))]
    assert len(first) <= 1, found


def test_a_test_that_just_keeps_its_time_is_none(capsys, done):
    done.test("1", ALLOWED_MS)
    done.test("2", 1)
    assert report(capsys, done)[0] == 0


def test_an_overdue_and_a_missing_test(capsys, done, monkeypatch):
    late = NOW[0] + YEAR_US, "ntp"
    monkeypatch.setattr(commissioning.utc, "moment", lambda: late)
    (point,) = json.loads(report(capsys, done, "--format", "json")[1])["open"]
    assert "tests overdue: 1, 1c, 1w, 2," in point and ", 7, " in point and ", 14" not in point
    for name in (pt.FILE, pt.HEAD_FILE):
        (done.state / name).unlink()
    point, sign = json.loads(report(capsys, done, "--format", "json")[1])["open"]
    assert point.startswith(f"{len(proof_plan.plan(done.config))} tests never done: 1, 1c")
    assert sign == "sign test of unit 1: never done (firebreak test sign)"


def test_missing_equipment_is_open_and_no_limit_image(capsys, done):
    done.files.cut_device("toxic")
    code, text = report(capsys, done)
    assert code == 1 and "Limit image: none, this file is refused" in text
    assert "**NOT READY TO SIGN: points are open.**" in text
    assert "toxic" in text.split("## Approval")[0]


def test_wrong_input_is_one_line(capsys, done, tmp_path):
    site = "--site", done.files.paths[2]
    words = "there is no such folder"
    refused(capsys, 2, words, "document commissioning", *site, "--state-dir", tmp_path / "none")
    refused(capsys, 2, "no file is named", "document commissioning", "--site", "")
    done.files.say("cabinet", "plan.racks", '["pod_9", "pod_1", "pod_1"]')
    refused(capsys, 2, '"pod_9" is no unit of places.toml', "document commissioning", *site)
