"""The attack on hints: each bad hint at the admission check, and short attacks on the rig."""

from types import SimpleNamespace

import pytest
from in_process import written

from controller.core.base import hint_codes as h
from controller.hints import admission as hints, hint_check, hint_statistics, wire as w
from hil.campaigns.hint_attack import command
from hil.campaigns.hint_attack.attack import KINDS, LESSER, SOURCE, Forger, import_cap
from tests.tables import cases

NONCE, NOW_MS = bytes(range(8)), 1_000_000
# kinds without an answer, and the answers to the others
SILENT = "forged_mac other_key unknown_source truncated oversized garbage flipped_bit".split()
NONSENSE = {h.UNKNOWN_KIND, h.WRONG_QUANTITY, h.WRONG_VALUE, h.VALID_SHORT, h.VALID_LONG}
REFUSED = {
    "replayed": {h.OLD_SEQUENCE},
    "reordered": {h.OLD_SEQUENCE},
    "late": {h.TOO_LATE},
    "early": {h.TOO_EARLY},
    "other_boot": {h.OTHER_BOOT},
    "against_the_role": {h.ROLE},
}

CHECK = hint_check


def check_and_forger(seed=20_260_314):
    """(check with the attack's two sources, hints it has taken, forger that overheard one)."""
    configured = tuple(
        SimpleNamespace(name=name, index=index, role=role, valid_s_max=300, hints_per_s_max=50)
        for index, (name, role) in enumerate(((LESSER, "request"), (SOURCE, "grid_cap")))
    )
    keys = {LESSER: bytes([1]) * 32, SOURCE: bytes([2]) * 32}
    own = {name: (hints.key_of(key, 1),) for name, key in keys.items()}
    rows = [[0] * len(hint_statistics.OWN) for _ in configured]
    statistics = SimpleNamespace(common=[0] * len(hint_statistics.COMMON), rows=rows)
    taken = []
    take = hints.Controller(
        lambda *words: taken.append(words) or 0, None, None, None, lambda *_: True, {}
    )
    check = hints.Admission(configured, own, NONCE, take, statistics)
    genuine = w.signed(import_cap(NONCE, 1, NOW_MS, 1), keys[SOURCE])
    check.receive(genuine, "sender", NOW_MS)
    assert len(taken) == 1
    forger = Forger(seed, keys)
    forger.note(w.Welcome(NONCE, NOW_MS, 0), genuine)
    return check, taken, forger


def attacked(check, forger):
    codes = {}
    for _ in range(4000):
        kind, data = forger.make()
        check.pending.clear()
        check.receive(data, "sender", NOW_MS)
        codes.setdefault(kind, set()).update(pending.code for pending in check.pending)
    return codes


def test_no_bad_hint_is_taken_and_each_is_refused_for_its_own_reason():
    check, taken, forger = check_and_forger()
    codes = attacked(check, forger)
    assert len(taken) == 1 and set(codes) == set(KINDS)
    assert codes.pop("nonsense") >= NONSENSE
    assert codes == {**dict.fromkeys(SILENT, set()), **REFUSED}


@cases("""broken name by kind
    hints.Account  "authenticate"  lambda self, *_: self.keys[0].key  "forged_mac"
    CHECK  "freshness_code"  lambda *_: 0  "replayed"
    CHECK  "meaning_code"  lambda *_: 0  "nonsense"
    CHECK  "LATE_MS_MAX"  10**9  "late" | CHECK  "EARLY_MS_MAX"  2**50  "early"
    CHECK  "is_permitted"  lambda *_: True  "against_the_role" """)
def test_the_attack_would_notice_a_missing_check(monkeypatch, broken, name, by, kind):
    check, taken, forger = check_and_forger()
    monkeypatch.setattr(broken, name, by)
    assert 0 in attacked(check, forger)[kind] and len(taken) > 1


def test_the_same_seed_makes_the_same_hints():
    first, second = check_and_forger(7)[2], check_and_forger(7)[2]
    assert [first.make() for _ in range(200)] == [second.make() for _ in range(200)]


@pytest.mark.whole
@pytest.mark.wire
def test_a_short_attack_on_the_rig(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(command, "QUIET_S", 0.2)
    doc = written(tmp_path, "trials hint-attack --count 700 --seed 5")
    assert (doc["sent"], doc["accepted"], doc["genuine"], doc["genuine_accepted"]) == (700, 0, 3, 3)
    found = doc["hints"]
    assert found["accepted"] == 3 and min(found["bad_mac"], found["wrong_length"]) > 50
    judged = 700 - found["wrong_length"] - found["wrong_magic"]
    assert judged > 300 and doc["loop_under_attack"]["ticks"] >= judged // 8
    assert "verdict    0 bad hints accepted; 3 of 3 genuine\n" in capsys.readouterr().out


def test_one_bad_hint_or_one_genuine_hint_decides():
    late = {"p50": 1, "p99": 1, "p99_9": 1, "max": 1}
    loop = {"ticks": 1, "missed": 0, "late": 0, "lateness_us": late}
    fine = {
        "sent": 9,
        "by_kind": {},
        "accepted": 0,
        "genuine": 3,
        "genuine_accepted": 3,
        "loop_quiet": loop,
        "loop_under_attack": loop,
    }
    trial = command.HintAttack(SimpleNamespace())
    for wrong, is_met in (({}, True), ({"accepted": 1}, False), ({"genuine_accepted": 2}, False)):
        assert trial.judge([fine | wrong]).is_met is is_met
