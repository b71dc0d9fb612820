"""What is an event and what is not: pure, from frames a test makes up."""

from types import SimpleNamespace

import pytest

from controller.core import image, reasons
from controller.core.core import STANDING_BITS
from controller.core.setpoint import CHAIN_OUTPUTS, O_BINDING_REASON
from controller.record import journal_header
from controller.recorder.events import HELD_MS, EventFinder, Held, row_event, row_kind
from controller.run import operator_commands, run_request
from controller.site import config
from controller.sites import EXAMPLE
from safety import latches, matrix
from safety import signals as s

CONFIG = config.load(EXAMPLE)
HELD_TICKS = HELD_MS // CONFIG.tick_ms
HINT_NAMES = (
    "hint_control_source",
    "source_0.charge_W_max_value_W",
    "source_0.charge_W_max_valid_s",
    "source_0.charge_W_max_state",
)


class Seen:
    """What a finder looks at: the image of a snapshot, which a test sets."""

    def __init__(self):
        header = journal_header.journal_header(CONFIG)
        self.stage_names = header["stage_instances"]
        self.inp = [0] * len(header["input_names"])
        first = header["output_names"].index(CHAIN_OUTPUTS[0])
        self.output_names = header["output_names"][: first + len(CHAIN_OUTPUTS)] + list(HINT_NAMES)
        self.chain_at, self.hints_at = first, first + len(CHAIN_OUTPUTS)
        self.out = [0] * len(self.output_names)
        self.standing_words = [0] * -(-len(self.stage_names) // STANDING_BITS)
        self.first_out = -1
        self.reader = SimpleNamespace(header={**header, "source_names": ["site_ems"]})
        self.sequence = 0

    def chain(self, index):
        return self.out[self.chain_at + index]

    def stand(self, *names):
        """These rows stand, the first of them as the first-out."""
        words = [0] * len(self.standing_words)
        for name in names:
            index = self.stage_names.index(name)
            words[index // STANDING_BITS] |= 1 << index % STANDING_BITS
        self.standing_words = words
        self.first_out = self.stage_names.index(names[0]) if names else -1

    def frame(self, fresh_io=1, elapsed_ticks=1):
        self.sequence += 1
        return SimpleNamespace(
            sequence=self.sequence, elapsed_ticks=elapsed_ticks, fresh=bytes([fresh_io] + [0] * 60)
        )


@pytest.fixture
def seen():
    return Seen()


def settled(seen, **arguments):
    """A finder that has seen a quiet cabinet."""
    finder = EventFinder(seen, **arguments)
    finder.feed(seen.frame())
    return finder


def test_a_quiet_cabinet_tells_nothing(seen):
    finder = settled(seen)
    assert [finder.feed(seen.frame()) for _ in range(200)] == [[]] * 200


@pytest.mark.parametrize("stage", [stage[matrix.S_ID] for stage in matrix.STAGES])
def test_every_row_has_its_kind_code_and_text(stage):
    row = next(each for each in matrix.STAGES if each[matrix.S_ID] == stage)
    demand = row[matrix.S_DEMAND]
    stops = demand[matrix.D_PCS] or demand[matrix.D_DC] > matrix.DC_INHIBIT
    assert (row_kind(stage) == "trip") == bool(stops)
    event = row_event(f"{stage}.rack2", True)
    assert (event.code, event.scope) == (f"R{reasons.ROW + row[matrix.S_ROW]}", "rack2")
    assert event.text.startswith(f"{stage}: ") and row_event(stage, False).kind == "clear"


def test_a_latch_of_another_version_is_still_told():
    assert row_event("99z", True)[1:4] == ("trip", "", "cabinet")


def test_rows_that_come_and_go_first_out_first(seen):
    finder = settled(seen)
    seen.stand("40c.rack2", "1a", "50a")
    found = finder.feed(seen.frame())
    assert [(event.kind, event.text.partition(":")[0]) for event in found] == [
        ("trip", "40c"),
        ("trip", "1a"),
        ("limit", "50a"),
    ]
    assert found[0].text.endswith("First out.") and found[0].scope == "rack2"
    assert finder.feed(seen.frame()) == []
    seen.stand("1a")
    assert [(event.kind, event.scope) for event in finder.feed(seen.frame())] == [
        ("clear", "rack2"),
        ("clear", "cabinet"),
    ]


def test_what_was_known_before_is_not_told_again_and_what_came_meanwhile_is(seen):
    seen.stand("1a", "2")
    found = EventFinder(seen, ["1a", "3"]).feed(seen.frame())
    assert [(event.kind, event.text.partition(":")[0]) for event in found[:2]] == [
        ("trip", "2"),
        ("clear", "3"),
    ]


def test_a_new_run_says_what_stands_since_before(seen):
    seen.stand("1a", "44c")
    found = EventFinder(seen, ["1a"], new_run=True).feed(seen.frame())
    assert [(event.kind, event.text.partition(":")[0]) for event in found[:2]] == [
        ("trip", "44c"),
        ("latch", "1a"),
    ]


@pytest.mark.parametrize("ticks, told", [(HELD_TICKS - 1, 0), (HELD_TICKS, 0), (HELD_TICKS + 1, 1)])
def test_a_limit_that_binds_is_told_once_it_holds(seen, ticks, told):
    finder = settled(seen)
    seen.out[seen.chain_at + O_BINDING_REASON] = 217
    found = [event for _ in range(ticks) for event in finder.feed(seen.frame())]
    assert [event.code for event in found] == ["R217"] * told


def test_a_limit_that_flickers_is_no_event(seen):
    finder = settled(seen)
    for tick in range(1000):
        seen.out[seen.chain_at + O_BINDING_REASON] = (0, 217, 501)[tick % 3]
        assert finder.feed(seen.frame()) == []


def test_a_value_held_over_skipped_ticks_counts_them():
    held = Held(50)
    assert held.step(0, 1) and not held.step(7, 1)
    assert held.step(7, 60) and held.value == 7


def test_a_code_of_a_newer_version_is_no_crash(seen):
    finder = settled(seen)
    seen.out[seen.chain_at + O_BINDING_REASON] = 299
    found = [event for _ in range(60) for event in finder.feed(seen.frame())]
    assert found[0].code == "R299" and "no text" in found[0].text


def test_resets_states_and_the_key(seen):
    finder = settled(seen)
    seen.out[s.RESET_RESULT], seen.inp[s.RESET_KIND], seen.out[s.RESETS_LEFT] = (
        latches.DONE,
        matrix.REMOTE,
        2,
    )
    seen.out[s.STATE], seen.inp[s.KEY_RUN_OK] = s.RUNNING, 1
    assert [(event.kind, event.text) for event in finder.feed(seen.frame())] == [
        ("reset", "remote reset: done, 2 left this hour"),
        ("state", "inhibited -> running"),
        ("key", "key switch: in RUN"),
    ]
    seen.out[s.RESET_RESULT] = 0
    seen.inp[s.KEY_RUN_OK] = 0
    assert finder.feed(seen.frame(fresh_io=0)) == []  # an input nobody has heard is no key
    assert finder.feed(seen.frame())[0].text == "key switch: not in RUN"


@pytest.mark.parametrize(
    "kind, answer, text",
    [
        (matrix.REMOTE, latches.NOT_CLEAR_YET, "remote reset: not clear yet, 3 left this hour"),
        (matrix.KEY, latches.KEY_NEEDED, "key reset: key needed, 3 left this hour"),
        (
            matrix.KEY,
            operator_commands.NOT_STORED,
            "key reset: the store does not take it: see the controller's messages, 3 left this "
            "hour",
        ),
    ],
)
def test_a_reset_that_the_kernel_was_not_given_is_told_too(seen, kind, answer, text):
    finder, at = settled(seen), seen.reader.header["input_names"].index(image.VOID_RESET[0])
    seen.out[s.RESETS_LEFT] = 3
    seen.inp[at : at + 2] = kind, answer
    assert [(event.kind, event.text) for event in finder.feed(seen.frame())] == [("reset", text)]
    seen.inp[at : at + 2] = 0, 0
    assert finder.feed(seen.frame()) == []


def test_a_journal_of_before_the_kernel_was_given_no_refused_reset(seen):
    names = seen.reader.header["input_names"]
    del names[names.index(image.VOID_RESET[0]) :]
    finder = settled(seen)
    seen.out[s.RESET_RESULT], seen.inp[s.RESET_KIND] = latches.KEY_NEEDED, matrix.KEY
    assert [event.text for event in finder.feed(seen.frame())] == [
        "key reset: key needed, 0 left this hour"
    ]


def test_hints_and_who_is_in_control(seen):
    finder = settled(seen)
    control, value, _, state = range(seen.hints_at, seen.hints_at + 4)
    seen.out[value], seen.out[state], seen.out[control] = 50_000, 1, 1
    assert [event[1:] for event in finder.feed(seen.frame())] == [
        ("hint", "", "site_ems", "site_ems charge_W_max = 50000 W: valid"),
        ("source", "", "site_ems", "in control: site_ems"),
    ]
    assert finder.feed(seen.frame()) == []  # renewed with the same value
    seen.out[value], seen.out[state], seen.out[control] = 20_000, 2, 0
    assert [event.text for event in finder.feed(seen.frame())] == [
        "site_ems charge_W_max = 20000 W: fallback in force",
        "in control: the cabinet itself",
    ]


def test_lock_outs_and_lamp_tests(seen):
    finder = settled(seen)
    lamp_test, *locked_out = [
        seen.reader.header["input_names"].index(name) for name in image.OPERATOR
    ]

    def now(name="", lamp_test_ms=0):
        seen.inp[locked_out[0] : locked_out[-1] + 1] = image.packed_name(name)
        seen.inp[lamp_test] = lamp_test_ms
        return [event.text for event in finder.feed(seen.frame())]

    assert now("anna") == ["locked out by anna"] and now("anna") == []
    assert now("anna", 5000) == ["lamp test"] and now("anna", 4980) == [] and now("anna") == []
    assert now("bert") == ["the lock-out by anna has ended", "locked out by bert"]
    assert now() == ["the lock-out by bert has ended"]
    assert [event.kind for event in EventFinder(seen).feed(seen.frame())] == ["limit"]


def test_a_lock_out_that_stands_at_the_start_is_told(seen):
    at = seen.reader.header["input_names"].index(image.OPERATOR[1])
    seen.inp[at : at + 4] = image.packed_name("anna")
    assert "locked out by anna" in [event.text for event in EventFinder(seen).feed(seen.frame())]


def test_who_starts_and_who_stops_is_told(seen):
    """A test and a lock-out, which leave it at rest too, have events of their own."""
    finder, at = settled(seen), seen.reader.header["input_names"].index(image.REST[0])

    def now(code, finder=finder):
        seen.inp[at] = code
        return [event.text for event in finder.feed(seen.frame()) if event.kind == "note"]

    stopped = ["a person has stopped it: it rests until somebody starts it"]
    assert now(run_request.PERSON) == stopped and now(run_request.PERSON) == []
    assert now(0) == ["a person has started it"] and now(0) == []
    assert (
        now(run_request.TEST) == []
        and now(run_request.PERSON) == stopped
        and now(run_request.TEST) == []
    )
    assert now(run_request.PERSON, EventFinder(seen)) == stopped and now(0, EventFinder(seen)) == []


def test_a_test_begins_and_ends_in_the_record(seen):
    finder = settled(seen)

    def now(test, finder=finder):
        seen.inp[s.TEST_REQUEST] = test
        return [event.text for event in finder.feed(seen.frame()) if event.kind == "note"]

    begun = ["TEST mode has begun: 60 s in all, 5 % of rated power, rows armed"]
    assert now(1) == begun and now(1) == [] and now(1, EventFinder(seen)) == begun
    assert now(0) == ["TEST mode is over: it rests until somebody starts it"] and now(0) == []


def test_frames_of_a_version_without_operator_words_are_read(seen):
    header = seen.reader.header
    names = [name for name in header["input_names"] if name not in image.OPERATOR + image.REST]
    seen.reader = SimpleNamespace(header={**header, "input_names": names})
    finder = settled(seen)
    assert finder.feed(seen.frame()) == []
