"""Which frames make an event: pure, from frames a test makes up."""

from types import SimpleNamespace

import pytest

from controller.core import image, reasons
from controller.core.core import STANDING_BITS
from controller.core.setpoint import CHAIN_OUTPUTS, O_BINDING_REASON
from controller.record import journal_header
from controller.recorder.events import HELD_MS, EventFinder, Held, row_event, row_kind
from controller.run import operator_commands
from controller.run.run_request import PERSON, TEST
from controller.site import config
from controller.sites import EXAMPLE
from safety import latches, matrix, signals as s
from tests.tables import table

CONFIG = config.load(EXAMPLE)
HELD_TICKS = HELD_MS // CONFIG.tick_ms
HINT_NAMES = ["hint_control_source"]
HINT_NAMES += [f"source_0.charge_W_max_{each}" for each in ("value_W", "valid_s", "state")]


class Seen:
    """The image of a snapshot, which a test sets."""

    def __init__(self):
        header = journal_header.journal_header(CONFIG)
        self.stage_names = header["stage_instances"]
        self.inp = [0] * len(header["input_names"])
        first = header["output_names"].index(CHAIN_OUTPUTS[0])
        self.output_names = header["output_names"][: first + len(CHAIN_OUTPUTS)] + HINT_NAMES
        self.chain_at, self.hints_at = first, first + len(CHAIN_OUTPUTS)
        self.out = [0] * len(self.output_names)
        self.standing_words = [0] * -(-len(self.stage_names) // STANDING_BITS)
        self.first_out = -1
        self.reader = SimpleNamespace(header={**header, "source_names": ["site_ems"]})

    def chain(self, index):
        return self.out[self.chain_at + index]

    def stand(self, *names):
        words = [0] * len(self.standing_words)
        for name in names:
            index = self.stage_names.index(name)
            words[index // STANDING_BITS] |= 1 << index % STANDING_BITS
        self.standing_words = words
        self.first_out = self.stage_names.index(names[0]) if names else -1

    def at(self, name):
        return self.reader.header["input_names"].index(name)


@pytest.fixture
def seen():
    return Seen()


class Finder:
    def __init__(self, seen, **arguments):
        self.seen, self.finder = seen, EventFinder(seen, **arguments)

    def feed(self, fresh_io=1, ticks=1):
        fresh, found = bytes([fresh_io] + [0] * 60), []
        for _ in range(ticks):
            found += self.finder.feed(SimpleNamespace(sequence=5, elapsed_ticks=1, fresh=fresh))
        return found

    def told(self, **arguments):
        return [(each.kind, each.text.partition(":")[0]) for each in self.feed(**arguments)]

    def texts(self, *kinds):
        return [each.text for each in self.feed() if not kinds or each.kind in kinds]


@pytest.fixture
def settled(seen):
    finder = Finder(seen)
    finder.feed()
    return finder


def test_every_row_has_its_kind_code_and_text():
    for row in matrix.STAGES:
        stage, demand = row[matrix.S_ID], row[matrix.S_DEMAND]
        stops = demand[matrix.D_PCS] or demand[matrix.D_DC] > matrix.DC_INHIBIT
        assert (row_kind(stage) == "trip") == bool(stops)
        event = row_event(f"{stage}.rack2", True)
        assert (event.code, event.scope) == (f"R{reasons.ROW + row[matrix.S_ROW]}", "rack2")
        assert event.text.startswith(f"{stage}: ") and row_event(stage, False).kind == "clear"
    of_another_version = row_event("99z", True)
    assert of_another_version[1:4] == ("trip", "", "cabinet")


def test_rows_that_come_and_go_first_out_first(seen, settled):
    seen.stand("40c.rack2", "1a", "50a")
    first, *rest = settled.feed()
    assert (first.sequence, first.kind, first.scope) == (5, "trip", "rack2")
    assert first.text.startswith("40c: ") and first.text.endswith("First out.")
    assert [(each.kind, each.text[:3]) for each in rest] == [("trip", "1a:"), ("limit", "50a")]
    assert settled.feed() == []
    seen.stand("1a")
    gone = [(each.kind, each.scope) for each in settled.feed()]
    assert gone == [("clear", "rack2"), ("clear", "cabinet")]
    assert settled.feed(ticks=200) == []


@pytest.mark.parametrize(
    "active, arguments, told",
    [
        (("1a", "2"), {"standing": ["1a", "3"]}, [("trip", "2"), ("clear", "3")]),
        (("1a", "44c"), {"standing": ["1a"], "new_run": True}, [("trip", "44c"), ("latch", "1a")]),
    ],
)
def test_what_was_known_before_is_told_again_only_in_a_new_run(seen, active, arguments, told):
    seen.stand(*active)
    assert Finder(seen, **arguments).told()[:2] == told


@pytest.mark.parametrize("ticks, told", [(HELD_TICKS - 1, 0), (HELD_TICKS, 0), (HELD_TICKS + 1, 1)])
def test_a_limit_that_binds_is_told_once_it_holds(seen, settled, ticks, told):
    for tick in range(300):  # one that flickers is no event
        seen.out[seen.chain_at + O_BINDING_REASON] = (0, 217, 501)[tick % 3]
        assert settled.feed() == []
    seen.out[seen.chain_at + O_BINDING_REASON] = 217
    assert [event.code for event in settled.feed(ticks=ticks)] == ["R217"] * told
    seen.out[seen.chain_at + O_BINDING_REASON] = 299  # of a newer version
    (found,) = settled.feed(ticks=60)
    assert found.code == "R299" and "no text" in found.text


def test_resets_states_and_the_key(seen, settled):
    seen.out[s.RESET_RESULT], seen.out[s.RESETS_LEFT] = latches.DONE, 2
    seen.inp[s.RESET_KIND], seen.inp[s.KEY_RUN_OK] = matrix.REMOTE, 1
    seen.out[s.STATE] = s.RUNNING
    assert [(event.kind, event.text) for event in settled.feed()] == [
        ("reset", "remote reset: done, 2 left this hour"),
        ("state", "inhibited -> running"),
        ("key", "key switch: in RUN"),
    ]
    seen.out[s.RESET_RESULT] = seen.inp[s.KEY_RUN_OK] = 0
    assert settled.feed(fresh_io=0) == []  # an input nobody has heard is no key
    assert settled.texts() == ["key switch: not in RUN"]


def test_an_approval_is_told_with_its_name_and_image(seen, settled):
    at = seen.at(image.APPROVED_BY[0])
    assert settled.feed() == []
    seen.inp[at : at + 4] = image.packed_name("anna")
    assert settled.texts() == [], "it may be of another image"
    seen.inp[s.IMAGE_APPROVED_OK], seen.out[s.IMAGE_CRC] = 1, 0xABC
    assert settled.texts() == ["limit image 00000ABC approved by anna, the key out of RUN"]
    assert settled.feed() == []


def test_a_reset_that_the_kernel_was_not_given_is_told_too(seen, settled):
    at = seen.at(image.VOID_RESET[0])
    seen.out[s.RESETS_LEFT] = 3
    for kind, answer, text in (
        (matrix.REMOTE, latches.NOT_CLEAR_YET, "remote reset: not clear yet, "),
        (matrix.KEY, latches.KEY_NEEDED, "key reset: key needed, "),
        (matrix.KEY, operator_commands.NOT_STORED, "key reset: the store does not take it: "),
    ):
        seen.inp[at : at + 2] = kind, answer
        (found,) = settled.texts("reset")
        assert found.startswith(text) and found.endswith(", 3 left this hour")
        seen.inp[at : at + 2] = 0, 0
        assert settled.feed() == []


def test_journals_of_older_versions_are_read(seen):
    names = seen.reader.header["input_names"]
    del names[seen.at(image.VOID_RESET[0]) :]
    names[:] = [name for name in names if name not in image.OPERATOR + image.REST]
    settled = Finder(seen)
    settled.feed()
    seen.out[s.RESET_RESULT], seen.inp[s.RESET_KIND] = latches.KEY_NEEDED, matrix.KEY
    assert settled.texts() == ["key reset: key needed, 0 left this hour"]


def test_hints_and_who_is_in_control(seen, settled):
    control, value, _, state = range(seen.hints_at, seen.hints_at + 4)
    seen.out[value], seen.out[state], seen.out[control] = 50_000, 1, 1
    assert [event[1:] for event in settled.feed()] == [
        ("hint", "", "site_ems", "site_ems charge_W_max = 50000 W: valid"),
        ("source", "", "site_ems", "in control: site_ems"),
    ]
    assert settled.feed() == []  # renewed with the same value
    seen.out[value], seen.out[state], seen.out[control] = 20_000, 2, 0
    assert settled.texts() == [
        "site_ems charge_W_max = 20000 W: fallback in force",
        "in control: the cabinet itself",
    ]


def test_lock_outs_lamp_tests_and_values_held_over_skipped_ticks(seen, settled):
    lamp_test, *locked_out = map(seen.at, image.OPERATOR)

    def now(name="", lamp_test_ms=0, finder=settled):
        seen.inp[locked_out[0] : locked_out[-1] + 1] = image.packed_name(name)
        seen.inp[lamp_test] = lamp_test_ms
        return finder.texts("note")

    assert now("anna") == ["locked out by anna"] and now("anna") == []
    assert now("anna", 5000) == ["lamp test"] and now("anna", 4980) == [] and now("anna") == []
    assert now("bert") == ["the lock-out by anna has ended", "locked out by bert"]
    assert now() == ["the lock-out by bert has ended"]
    assert now(finder=Finder(seen)) == [] and now("a", finder=Finder(seen)) == ["locked out by a"]
    held = Held(50)
    assert held.step(0, 1) and not held.step(7, 1)
    assert held.step(7, 60) and held.value == 7


STEPS = f"""
{image.REST[0]} | {PERSON} | a person has stopped it: it rests until somebody starts it
{image.REST[0]} | {PERSON} | ; {image.REST[0]} | 0 | a person has started it ; {image.REST[0]} | 0 |
{image.REST[0]} | {TEST} |
{image.REST[0]} | {PERSON} | a person has stopped it: it rests until somebody starts it
{image.REST[0]} | {TEST} |
test_request | 1 | TEST mode has begun: 60 s in all, 5 % of rated power, rows armed
test_request | 1 | ; test_request | 0 | TEST mode is over: it rests until somebody starts it
test_request | 0 |
"""


@pytest.mark.parametrize("name", [image.REST[0], "test_request"])
def test_what_persons_begin_and_end_is_told(seen, settled, name):
    """A test and a lock-out, which leave it at rest too, have events of their own."""
    at = seen.at(name)
    steps = [(value, text) for each, value, text in table(STEPS) if each == name]
    for number, (value, text) in enumerate(steps):
        seen.inp[at] = value
        assert settled.texts("note") == [text] * bool(text), number
        if number == 0:
            assert Finder(seen).texts("note") == [text], "it is so at the start"
    seen.inp[at] = 0
    assert Finder(seen).texts("note") == []
